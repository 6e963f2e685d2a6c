"""What several cameras saw, put side by side: checked against the rig, of the same frames, the same people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lift3d.errors import CameraError, Lift3DError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.multiview.main_person import choose_person, consistent_people
from lift3d.poses import Keypoints2D


@dataclass(frozen=True)
class Views:
    """Keypoints of cameras that fit together.

    Attributes:
        rig: the cameras that are used.
        keypoints: one a camera of the rig, in its order: the same number of frames, the same people in the same order
            with the same track ids, missing (NaN) where a camera does not see them.
        notes: what was decided or repaired, for people.
    """

    rig: Rig
    keypoints: tuple[Keypoints2D, ...]
    notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        return self.keypoints[0].frames

    @property
    def people(self) -> int:
        return self.keypoints[0].people


def gather_views(
    keypoints: Sequence[Keypoints2D] | Mapping[str, Keypoints2D], rig: Rig, one_person: bool | None = None
) -> Views:
    """Put the keypoints of several cameras side by side.

    Frame k of one camera is frame k of all. A camera that ends before the others sees nothing from there on.

    Args:
        keypoints: by camera name, where a camera of the rig may be left out; or one a camera in the rig's order.
        rig: the calibrated cameras.
        one_person: True takes the one person that all cameras agree on and leaves others in the background; False
            matches people by their track ids, which must be the same in all cameras; None decides: one person where a
            camera shows only one, track ids where they agree in space.

    Raises:
        CameraError: a camera is not in the rig, the images are not of the size that the rig was calibrated for, or
            the keypoints lie outside of them.
        SkeletonError: the layouts differ.
        ShapeError: frame rates differ, or there is nothing to see.
        Lift3DError: fewer than two cameras, or the people of the cameras cannot be matched.
    """
    named = _by_name(keypoints, rig)
    used = Rig(tuple(camera for camera in rig if camera.name in named), rig.metadata)
    motions = [named[camera.name] for camera in used]
    for camera, motion in zip(used, motions, strict=True):
        _check_image(camera, motion)
    _check_layouts(used, motions)
    fps = _common_rate(used, motions)
    frames = max(motion.frames for motion in motions)
    if frames == 0 or not any((motion.confidence > 0).any() for motion in motions):
        raise ShapeError("nothing to triangulate: no camera sees anybody in any frame")
    notes = []
    if left_out := [name for name in rig.names if name not in named]:
        notes.append(f"cameras of the rig that were not given: {', '.join(left_out)}")
    notes += [
        f"camera {camera.name!r} ends {frames - motion.frames} frames before the others"
        for camera, motion in zip(used, motions, strict=True)
        if motion.frames < frames
    ]
    motions = [replace(_padded(motion, frames), fps=fps) for motion in motions]
    motions, found = _match_people(used, motions, one_person)
    return Views(used, tuple(motions), (*notes, *found))


def _by_name(keypoints: Sequence[Keypoints2D] | Mapping[str, Keypoints2D], rig: Rig) -> dict[str, Keypoints2D]:
    if isinstance(keypoints, Mapping):
        named = dict(keypoints)
        for name in named:
            rig[name]  # raises for a camera that the rig does not have
    else:
        if len(keypoints) != len(rig):
            raise CameraError(
                f"keypoints of {len(keypoints)} cameras for a rig of {len(rig)}: give one for each of "
                f"{', '.join(rig.names)} in this order, or say which camera each is of, as a mapping (on the command "
                "line NAME=PATH)"
            )
        named = dict(zip(rig.names, keypoints, strict=True))
    if len(named) < 2:
        raise Lift3DError(
            "triangulation needs the keypoints of two cameras or more; those of one camera are for lift3d lift"
        )
    return named


def _check_image(camera: Camera, keypoints: Keypoints2D) -> None:
    """Whether the keypoints are in the pixels that the camera was calibrated for."""
    size, own = camera.image_size, keypoints.image_size
    if size is None:
        return
    if own is not None and own != size:
        scale = size[0] / own[0]
        how = (
            f"multiply the keypoints by {scale:g}, or calibrate with images of this size"
            if abs(size[1] / own[1] / scale - 1) < 0.01
            else "the images were cropped or turned: calibrate with images as they are now"
        )
        raise CameraError(
            f"camera {camera.name!r}: the keypoints are of images of {own[0]}x{own[1]} pixels, the rig is calibrated "
            f"for {size[0]}x{size[1]}; {how}"
        )
    seen = keypoints.xy[keypoints.confidence > 0]
    if len(seen) and ((middle := np.median(seen, axis=0)) < 0).any() | (middle > size).any():
        raise CameraError(
            f"camera {camera.name!r}: the keypoints lie around ({middle[0]:.0f}, {middle[1]:.0f}), outside of its "
            f"images of {size[0]}x{size[1]} pixels; are they of another camera, or of images of another size?"
        )


def _check_layouts(rig: Rig, motions: Sequence[Keypoints2D]) -> None:
    first = motions[0].skeleton
    for camera, motion in zip(rig, motions, strict=True):
        if motion.skeleton.joints != first.joints:
            raise SkeletonError(
                f"camera {camera.name!r} has the layout {motion.skeleton.name!r}, camera {rig.names[0]!r} "
                f"{first.name!r}: convert one to the other first (lift3d convert --to, or Keypoints2D.convert)"
            )


def _common_rate(rig: Rig, motions: Sequence[Keypoints2D]) -> float | None:
    rates = {camera.name: motion.fps for camera, motion in zip(rig, motions, strict=True) if motion.fps is not None}
    if not rates:
        return None
    lowest, highest = min(rates, key=lambda name: rates[name]), max(rates, key=lambda name: rates[name])
    if rates[highest] > rates[lowest] * 1.0005:
        raise ShapeError(
            f"camera {lowest!r} has {rates[lowest]:g} frames per second, camera {highest!r} {rates[highest]:g}: bring "
            "them to one clock first (lift3d synchronise), or say the true rate"
        )
    return rates[highest]


def _padded(motion: Keypoints2D, frames: int) -> Keypoints2D:
    """With frames at the end in which nothing is seen."""
    if motion.frames == frames:
        return motion
    more = [(0, frames - motion.frames), (0, 0), (0, 0)]
    return replace(
        motion,
        xy=np.pad(motion.xy, [*more, (0, 0)], constant_values=np.nan),
        confidence=np.pad(motion.confidence, more),
    )


def _match_people(rig: Rig, motions: list[Keypoints2D], one_person: bool | None) -> tuple[list[Keypoints2D], list[str]]:
    """The same people in every camera, and how they were found."""
    counts = [motion.people for motion in motions]
    if max(counts) == 1 and one_person is not False:
        return _aligned(
            motions, [[0] if motion.people else [None] for motion in motions], motions[0].track_ids or (0,)
        ), []
    if one_person or (one_person is None and min(counts) <= 1):
        picks = choose_person(rig.cameras, motions)
        notes = [
            f"camera {camera.name!r}: "
            + (
                f"person {motion.track_ids[pick]} taken of {motion.people}"
                if pick is not None
                else "nobody fits the others"
            )
            for camera, motion, pick in zip(rig, motions, picks, strict=True)
            if motion.people > 1 or pick is None
        ]
        first = next(motion.track_ids[pick] for motion, pick in zip(motions, picks, strict=True) if pick is not None)
        return _aligned(motions, [[pick] for pick in picks], (first,)), notes
    tracks = sorted({track for motion in motions for track in motion.track_ids})
    tracks = [track for track in tracks if sum(track in motion.track_ids for motion in motions) > 1]
    chosen = [[m.track_ids.index(track) if track in m.track_ids else None for track in tracks] for m in motions]
    matched = _aligned(motions, chosen, tuple(tracks))
    if not tracks or (one_person is None and not consistent_people(rig.cameras, matched)):
        raise Lift3DError(
            "the cameras show several people, and the same track id is not the same person in all of them: match the "
            "people first (lift3d reconstruct), or, where all cameras show one person and others pass behind, say "
            "so (one_person=True, on the command line --one-person)"
        )
    return matched, [f"people matched by track id: {', '.join(map(str, tracks))}"]


def _aligned(
    motions: Sequence[Keypoints2D], chosen: Sequence[Sequence[int | None]], tracks: tuple[int, ...]
) -> list[Keypoints2D]:
    """Each camera's people of the given indices, missing where None, under common track ids."""
    result = []
    for motion, people in zip(motions, chosen, strict=True):
        shape = (motion.frames, len(people), len(motion.skeleton))
        xy, confidence = np.full((*shape, 2), np.nan, np.float32), np.zeros(shape, np.float32)
        for column, person in enumerate(people):
            if person is not None:
                xy[:, column], confidence[:, column] = motion.xy[:, person], motion.confidence[:, person]
        result.append(replace(motion, xy=xy, confidence=confidence, track_ids=tracks))
    return result
