"""People as columns of a Rerun recording: joints, bones and error bars, a row a frame.

A joint that is missing is left out of its row; its number, the row's ``keypoint_ids``, says which joints are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.palette import TRUTH, shade, side_colours
from lift3d.skeletons import Skeleton
from lift3d.viz.bones import drawn_bones

if TYPE_CHECKING:
    import rerun

SIDES = ("left", "right", "middle")
# Error bars are drawn for so many standard deviations.
DEVIATIONS = 2.0
ERROR_BAR_OPACITY = 70


@dataclass(frozen=True)
class Group:
    """People of one layout in one place of the recording.

    Attributes:
        path: the entity under which they stand.
        skeleton: their layout.
        track_ids: one number a person, the last part of each person's path.
        truth: whether they are truth, drawn in grey.
        first_class: the number of the first person's class; each person is a class of its own.
        radius: of a joint: metres, or negative for points of the screen.
    """

    path: str
    skeleton: Skeleton
    track_ids: tuple[int, ...]
    truth: bool
    first_class: int
    radius: float

    def entity(self, person: int, what: str) -> str:
        return f"{self.path}/{self.track_ids[person]}/{what}"

    def colours(self, person: int) -> dict[str, str]:
        return dict.fromkeys(SIDES, TRUTH) if self.truth else side_colours(person, len(self.track_ids))


def describe_people(groups: Sequence[Group]) -> Any:
    """The annotations that give people and joints their names and joints their colours."""
    import rerun as rr

    classes = []
    for group in groups:
        for person, track in enumerate(group.track_ids):
            colours = group.colours(person)
            name = f"truth {track}" if group.truth else f"person {track}"
            joints = [
                rr.AnnotationInfo(j, joint, _rgb(shade(colours[group.skeleton.side(j)], 0 if group.truth else -0.2)))
                for j, joint in enumerate(group.skeleton.joints)
            ]
            info = rr.AnnotationInfo(group.first_class + person, name, _rgb(colours["middle"]))
            classes.append(rr.ClassDescription(info=info, keypoint_annotations=joints))
    return rr.AnnotationContext(classes)


def log_people_once(recording: rerun.RecordingStream, group: Group, flat: bool, error_bars: bool) -> None:
    """What holds of the people in all frames: sizes, and names that show when they are pointed at."""
    import rerun as rr

    points, lines = (rr.Points2D, rr.LineStrips2D) if flat else (rr.Points3D, rr.LineStrips3D)
    for person in range(len(group.track_ids)):
        fixed = points.from_fields(radii=group.radius, class_ids=group.first_class + person, show_labels=False)
        recording.log(group.entity(person, "joints"), fixed, static=True)
        recording.log(group.entity(person, "bones"), lines.from_fields(radii=0.6 * group.radius), static=True)
        if error_bars:
            solid = rr.Ellipsoids3D.from_fields(fill_mode=rr.components.FillMode.Solid)
            recording.log(group.entity(person, "error_bars"), solid, static=True)


def send_people(recording: rerun.RecordingStream, group: Group, points: np.ndarray, times: list[Any]) -> None:
    """Send joints and bones of frames.

    Args:
        recording: where to.
        group: the people.
        points: (frames, people, joints, 2 or 3) pixels or metres.
        times: the time columns of these frames.
    """
    import rerun as rr

    flat = points.shape[-1] == 2
    joints, lines = (rr.Points2D, rr.LineStrips2D) if flat else (rr.Points3D, rr.LineStrips3D)
    bones = drawn_bones(group.skeleton)
    starts, ends = (np.array([bone[end] for bone in bones], int) for end in (0, 1))
    for person in range(points.shape[1]):
        own = points[:, person]
        seen = np.isfinite(own).all(axis=-1)
        columns = joints.columns(positions=own[seen], keypoint_ids=np.nonzero(seen)[1].astype(np.uint16))
        recording.send_columns(group.entity(person, "joints"), times, columns.partition(seen.sum(axis=1)))
        drawn = seen[:, starts] & seen[:, ends]
        colours = group.colours(person)
        tones = np.array([_rgb(colours[side]) for _, _, side in bones], np.uint8).reshape(-1, 3)
        segments = np.stack([own[:, starts], own[:, ends]], axis=-2)
        strips = lines.columns(strips=segments[drawn], colors=tones[np.nonzero(drawn)[1]])
        recording.send_columns(group.entity(person, "bones"), times, strips.partition(drawn.sum(axis=1)))


def send_error_bars(
    recording: rerun.RecordingStream,
    group: Group,
    points: np.ndarray,
    sigma: np.ndarray | None,
    covariance: np.ndarray | None,
    times: list[Any],
) -> None:
    """Send ellipsoids of ``DEVIATIONS`` standard deviations: of the covariance, or where only sigma is known spheres.

    Args:
        recording: where to.
        group: the people.
        points: (frames, people, joints, 3) metres.
        sigma: (frames, people, joints) metres.
        covariance: (frames, people, joints, 3, 3) square metres.
        times: the time columns of these frames.
    """
    import rerun as rr

    half_sizes, turns = _ellipsoids(points.shape[:3], sigma, covariance)
    known = np.isfinite(points).all(axis=-1) & np.isfinite(half_sizes).all(axis=-1)
    sides = [group.skeleton.side(joint) for joint in range(len(group.skeleton))]
    for person in range(points.shape[1]):
        own = known[:, person]
        colours = group.colours(person)
        tones = np.array([(*_rgb(colours[side]), ERROR_BAR_OPACITY) for side in sides], np.uint8)
        columns = rr.Ellipsoids3D.columns(
            centers=points[:, person][own],
            half_sizes=half_sizes[:, person][own],
            quaternions=turns[:, person][own],
            colors=tones[np.nonzero(own)[1]],
        )
        recording.send_columns(group.entity(person, "error_bars"), times, columns.partition(own.sum(axis=1)))


def _ellipsoids(
    shape: tuple[int, ...], sigma: np.ndarray | None, covariance: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Half sizes (frames, people, joints, 3) in metres, NaN where unknown, and quaternions (..., 4), x y z w."""
    from scipy.spatial.transform import Rotation

    half_sizes = np.full((*shape, 3), np.nan, np.float32)
    turns = np.broadcast_to(np.array([0, 0, 0, 1], np.float32), (*shape, 4)).copy()
    if sigma is not None:
        half_sizes[:] = DEVIATIONS * sigma[..., None]
    if covariance is not None:
        known = np.isfinite(covariance).all(axis=(-1, -2))
        if known.any():
            values, vectors = np.linalg.eigh(covariance[known].astype(np.float64))
            # A mirror is no rotation: one axis is turned around.
            vectors[..., 0] *= np.linalg.det(vectors)[:, None]
            half_sizes[known] = DEVIATIONS * np.sqrt(np.maximum(values, 0))
            turns[known] = Rotation.from_matrix(vectors).as_quat()
    return half_sizes, turns


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
