"""What ``lift3d convert`` can do with a motion on the way, and how it is written as options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from lift3d.errors import Lift3DError

if TYPE_CHECKING:
    from lift3d.poses import Keypoints2D, Poses3D

Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="NAME[:VALUE]",
        help="butterworth:6 (Hz), butterworth:auto (residual analysis), savitzky_golay, one_euro, median, ...",
    ),
]
FillGaps = Annotated[
    float | None, typer.Option("--fill-gaps", metavar="S", min=0, help="Fill gaps of up to so many seconds.")
]
FootLock = Annotated[bool, typer.Option("--foot-lock", help="Hold feet in one place while they stand.")]
InPlace = Annotated[bool, typer.Option("--in-place", help="Take out the way over the ground.")]
LoopFrames = Annotated[
    str | None, typer.Option("--loop", metavar="auto|A-B", help="Cut out frames that can be played again and again.")
]
Frames = Annotated[
    str | None, typer.Option("--frames", metavar="A-B", help="Only these frames, from 0; A- to the end.")
]
People = Annotated[str | None, typer.Option("--people", metavar="ID,...", help="Only these people, by track id.")]
MarkerNames = Annotated[
    str | None, typer.Option("--marker-names", metavar="NAME", help="Joints named as a program expects: opensim.")
]


@dataclass(frozen=True)
class Cleaning:
    """The steps for 3D poses that were asked for, as ``lift3d.motion.clean.clean`` takes them."""

    filter: str | None
    fill_gaps: float | None
    foot_lock: bool
    in_place: bool
    loop: str | None

    @property
    def given(self) -> list[str]:
        """The options that were given."""
        values = vars(self)
        return [
            f"--{name.replace('_', '-')}" for name, value in values.items() if value is not None and value is not False
        ]

    def apply(self, poses: Poses3D) -> tuple[Poses3D, list[str]]:
        """The poses after all steps, and a sentence for each."""
        from lift3d.motion.clean import clean

        known = len(poses.provenance.get("steps", []))
        cleaned = clean(
            poses,
            fill_gaps=self.fill_gaps,
            smooth=self.filter,
            foot_lock=self.foot_lock,
            in_place=self.in_place,
            loop=parse_loop(self.loop),
        )
        return cleaned, list(cleaned.provenance.get("steps", []))[known:]


def parse_loop(text: str | None) -> str | tuple[int, int] | None:
    """``auto`` or ``A-B`` (both in the loop) as ``clean`` takes it."""
    if text is None or text == "auto":
        return text
    chosen = parse_frames(text, "--loop")
    if chosen.stop is None:
        raise typer.BadParameter(f"{text!r} names no last frame", param_hint="--loop")
    return int(chosen.start), int(chosen.stop)


def parse_frames(text: str, option: str = "--frames") -> slice:
    """``A-B`` (both included), ``A-`` or ``-B`` as a slice."""
    match = re.fullmatch(r"\s*(\d{0,9})\s*-\s*(\d{0,9})\s*", text)
    if match is None or not (match[1] or match[2]):
        raise typer.BadParameter(f"{text!r} is not A-B, such as 100-250, A- or -B", param_hint=option)
    first, last = int(match[1] or 0), int(match[2]) if match[2] else None
    if last is not None and last < first:
        raise typer.BadParameter(f"{text!r} ends before it starts", param_hint=option)
    return slice(first, None if last is None else last + 1)


def frames_within(text: str, count: int) -> slice:
    """``parse_frames`` of a clip of so many frames.

    Raises Lift3DError if it has not all of them.
    """
    chosen = parse_frames(text)
    if chosen.start >= count or (chosen.stop or 0) > count:
        there = f"there are frames 0 to {count - 1}" if count else "there are no frames"
        raise Lift3DError(f"--frames {text}: {there}")
    return chosen


def choose(motion: Keypoints2D | Poses3D, frames: str | None, people: str | None) -> Keypoints2D | Poses3D:
    """The frames and people that ``--frames`` and ``--people`` name.

    Raises Lift3DError if there is no such frame or person.
    """
    chosen = slice(None) if frames is None else frames_within(frames, motion.frames)
    places = None
    if people is not None:
        wanted = [part.strip() for part in people.split(",")]
        ids = [str(track) for track in motion.track_ids]
        if unknown := [part for part in wanted if part not in ids]:
            raise Lift3DError(f"--people {people}: there is no {unknown[0]!r}; there are {', '.join(ids) or 'none'}")
        places = [ids.index(part) for part in dict.fromkeys(wanted)]
    return motion.select(chosen, places)
