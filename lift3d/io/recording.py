"""What every reader of detections hands over, people frame by frame, and how it becomes ``Keypoints2D``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from lift3d.errors import FileFormatError
from lift3d.io.frame_numbers import check_span, describe_missing
from lift3d.io.json_values import Repairs
from lift3d.poses import Keypoints2D
from lift3d.skeletons import Skeleton

MAX_PEOPLE = 1000
MAX_VALUES = 1 << 29  # of coordinates, 2 GiB in float32
MAX_COORDINATE = 1e6


@dataclass(frozen=True)
class Detection:
    """What a file was taken for.

    Attributes:
        format: the format's name, a key of ``lift3d.io.keypoints.FORMATS``.
        reason: a sentence for people: what in the file says so.
        skeleton: the layout's name where the file's head tells it.
    """

    format: str
    reason: str
    skeleton: str | None = None


@dataclass(frozen=True)
class Request:
    """What the user said about a file: None where the file shall tell.

    Attributes:
        fps: frames per second.
        image_size: (width, height) in pixels.
        skeleton: the joint layout.
        selection: the part of the file (``S1/Walking 1/0`` of a VideoPose3D file).
    """

    fps: float | None = None
    image_size: tuple[int, int] | None = None
    skeleton: Skeleton | None = None
    selection: str | None = None


@dataclass
class Person:
    """One person in one frame: xy (joints, 2) float64, confidence (joints,), the format's own identity."""

    xy: np.ndarray
    confidence: np.ndarray
    track: Hashable | None = None

    @classmethod
    def from_triples(cls, values: np.ndarray, track: Hashable | None = None) -> Person:
        """From x, y, confidence a joint; confidence 0 or less means missing (OpenPose's 0, 0, 0, COCO's v=0)."""
        triples = values.reshape(-1, 3)
        confidence = np.nan_to_num(triples[:, 2])
        return cls(np.where(confidence[:, None] > 0, triples[:, :2], np.nan), confidence, track)


@dataclass
class Recording:
    """The content of a file before people have identities.

    Attributes:
        path: the file, for messages.
        skeleton: the layout.
        people: for each frame number the people seen; numbers that are left out are empty frames.
        repairs: counts of what had to be mended, by sentence.
        steps: what was done, one sentence each.
        extra: further entries of the provenance.
        video: whether the frames follow each other; if not, identities cannot be found by motion.
    """

    path: str | PathLike[str]
    skeleton: Skeleton
    people: dict[int, list[Person]]
    fps: float | None = None
    image_size: tuple[int, int] | None = None
    repairs: Repairs = field(default_factory=Counter)
    steps: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    video: bool = True

    def to_keypoints(self) -> Keypoints2D:
        """The container, identities found where the format has none.

        Raises:
            FileFormatError: no frames, frame numbers or sizes beyond all bounds, or nobody seen at all.
        """
        if not self.people:
            raise FileFormatError(self.path, "no frames; there is nothing to read")
        most = max(self.people, key=lambda number: len(self.people[number]))
        if len(self.people[most]) > MAX_PEOPLE:
            raise FileFormatError(
                self.path, f"{len(self.people[most])} people in frame {most}; the limit is {MAX_PEOPLE}"
            )
        first, frames = check_span(list(self.people), self.path)
        if missing := describe_missing(list(self.people)):
            self.steps.append(missing)
        for people in self.people.values():
            people[:] = [person for person in people if self._clean(person)]
        seen = [(number - first, person) for number in sorted(self.people) for person in self.people[number]]
        if not seen:
            raise FileFormatError(self.path, "no keypoint is seen in any frame; there is nothing to read")
        tracks = self._identities(frames, seen)
        order = _order(tracks)
        check_size(frames, len(order), len(self.skeleton), self.path)
        xy = np.full((frames, len(order), len(self.skeleton), 2), np.nan, np.float32)
        confidence = np.zeros(xy.shape[:3], np.float32)
        filled = np.zeros(xy.shape[:2], bool)
        for (frame, person), track in zip(seen, tracks, strict=True):
            if track is None:
                continue
            place = (frame, order[track])
            if filled[place]:
                self.repairs["people with an identity that another person of the frame has: the surer was kept"] += 1
                if person.confidence.sum() <= confidence[place].sum():
                    continue
            filled[place], xy[place], confidence[place] = True, person.xy, person.confidence
        ids = list(order)
        named = not all(isinstance(track, int) and abs(track) < 1 << 62 for track in ids)
        if named:
            self.extra["track_names"] = [str(track) for track in ids]
        if first:
            self.extra["first_frame"] = first
        return Keypoints2D(
            xy=xy,
            confidence=confidence,
            skeleton=self.skeleton,
            fps=self.fps,
            track_ids=tuple(range(len(ids))) if named else tuple(ids),  # type: ignore[arg-type]
            image_size=self.image_size,
            provenance=self.extra | {"steps": self.steps + describe_repairs(self.repairs)},
        )

    def _clean(self, person: Person) -> bool:
        """Mend one person's values in place; False if nothing of the person is seen."""
        with np.errstate(invalid="ignore"):
            far = (np.abs(person.xy) > MAX_COORDINATE).any(axis=1)
        if far.any():
            self.repairs[f"keypoints more than {MAX_COORDINATE:.0e} pixels away were taken as missing"] += int(
                far.sum()
            )
            person.xy[far] = np.nan
        seen = np.isfinite(person.xy).all(axis=1)
        confidence = np.where(seen, np.nan_to_num(person.confidence), 0)
        if (high := confidence > 1).any():
            self.repairs["confidences above 1 were set to 1"] += int(high.sum())
        if (low := confidence < 0).any():
            self.repairs["confidences below 0 were set to 0"] += int(low.sum())
        person.confidence = np.clip(confidence, 0, 1)
        if not seen.any():
            self.repairs["people without a single keypoint were left out"] += 1
        return bool(seen.any())

    def _identities(self, frames: int, seen: list[tuple[int, Person]]) -> list[Hashable | None]:
        """For each person the identity: the format's own, or found by tracking; None for one to leave out."""
        if all(person.track is not None for _, person in seen):
            self.steps.append("identities are the file's own")
            return [person.track for _, person in seen]
        if any(person.track is not None for _, person in seen):
            self.steps.append("only some people carry an identity in the file, so all were tracked anew")
        per_frame: list[list[Person]] = [[] for _ in range(frames)]
        for frame, person in seen:
            per_frame[frame].append(person)
        if not self.video or all(len(people) <= 1 for people in per_frame):
            self.steps.append(
                "at most one person a frame: taken as the same person throughout"
                if self.video
                else "the images are not one video: people are numbered anew in each image"
            )
            return [rank for people in per_frame for rank in range(len(people))]
        from lift3d.detectors.tracking import assign_tracks

        assigned, steps = assign_tracks(
            [
                np.stack([p.xy for p in people]) if people else np.empty((0, len(self.skeleton), 2))
                for people in per_frame
            ],
            [
                np.stack([p.confidence for p in people]) if people else np.empty((0, len(self.skeleton)))
                for people in per_frame
            ],
        )
        self.steps += steps
        return [None if track < 0 else track for frame in assigned for track in frame]


def _order(tracks: list[Hashable | None]) -> dict[Hashable, int]:
    """Index on the people axis of each identity: whole numbers in their order, names in the order of appearance."""
    names = list(dict.fromkeys(track for track in tracks if track is not None))
    if all(isinstance(name, int) for name in names):
        names.sort(key=lambda name: int(name))  # type: ignore[call-overload]
    return {name: index for index, name in enumerate(names)}


def describe_repairs(repairs: Repairs) -> list[str]:
    """The counts as sentences."""
    return [f"repaired: {count} {sentence}" for sentence, count in repairs.items()]


def check_size(frames: int, people: int, joints: int, path: str | PathLike[str]) -> None:
    """Raises FileFormatError if arrays of that size would be over the limit, before they are allocated."""
    if frames * people * joints * 2 > MAX_VALUES:
        raise FileFormatError(
            path,
            f"{frames} frames x {people} people x {joints} joints are over the limit of {MAX_VALUES // 2:.0e} "
            "keypoints; split the recording",
        )


def keypoints_from_arrays(
    path: str | PathLike[str],
    xy: np.ndarray,
    confidence: np.ndarray | None,
    skeleton: Skeleton,
    request: Request,
    steps: list[str],
    **extra: Any,
) -> Keypoints2D:
    """The container from whole arrays with identities; non-finite and absurd values mended as in ``Recording``.

    Args:
        xy: (frames, people, joints, 2), pixels.
        confidence: (frames, people, joints), None if the format has none.
        extra: ``fps``, ``image_size``, ``track_ids`` of the container; the rest goes to the provenance.
    """
    if 0 in xy.shape:
        raise FileFormatError(path, f"no data: {xy.shape[0]} frames, {xy.shape[1]} people, {xy.shape[2]} joints")
    check_size(xy.shape[0], xy.shape[1], xy.shape[2], path)
    xy = np.array(xy, dtype=np.float64)
    repairs: Repairs = Counter()
    if (infinite := np.isinf(xy)).any():
        repairs["values that are infinite were taken as missing"] += int(infinite.sum())
    with np.errstate(invalid="ignore"):
        far = (np.abs(xy) > MAX_COORDINATE) & ~infinite
    if far.any():
        repairs[f"coordinates more than {MAX_COORDINATE:.0e} pixels away were taken as missing"] += int(far.sum())
    xy[infinite | far] = np.nan
    seen = np.isfinite(xy).all(axis=-1)
    if not seen.any():
        raise FileFormatError(path, "no keypoint is seen in any frame; there is nothing to read")
    if confidence is not None:
        confidence = np.where(seen, np.nan_to_num(np.asarray(confidence, np.float64), posinf=2, neginf=-1), 0)
        if (wrong := (confidence < 0) | (confidence > 1)).any():
            repairs["confidences outside 0..1 were clipped"] += int(wrong.sum())
        confidence = np.clip(confidence, 0, 1)
    return Keypoints2D(
        xy=xy,
        confidence=confidence,  # type: ignore[arg-type]
        skeleton=skeleton,
        fps=request.fps or extra.pop("fps", None),
        image_size=request.image_size or extra.pop("image_size", None),
        track_ids=extra.pop("track_ids", None),
        provenance={key: value for key, value in extra.items() if key not in ("fps", "image_size")}
        | {"steps": steps + describe_repairs(repairs)},
    )
