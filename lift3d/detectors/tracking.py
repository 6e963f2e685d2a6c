"""People's identities over frames, for detections that carry none.

Each track predicts its person by constant velocity; detections are assigned to tracks by the Hungarian algorithm
(Kuhn 1955) on distances between the joints that both have seen, measured in body sizes as in COCO's object keypoint
similarity. A track outlives gaps and takes its person back; people who come are born, tracks of a few frames are
ghosts and are dropped, and a second detection of the same person in a frame is suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Distances are in body sizes, about the height of a standing person.
FAR = 1.5  # no joint counts as further away than this
GATE = 0.5  # a person is not taken for one that was expected further away than this
GATE_GROWTH = 0.03  # a frame that the track has not been seen
WIDEST_GATE = 1.2
MAX_GAP = 60  # frames after which a track that was not seen is closed
MAX_COASTING = 15  # frames for which a lost track keeps its velocity
DUPLICATE = 0.04  # two detections with most of their common joints closer than this are one person


@dataclass(frozen=True)
class Tracks:
    """People with identities.

    Attributes:
        xy: (frames, tracks, joints, 2) float32, pixels, NaN where missing.
        confidence: (frames, tracks, joints) float32.
        track_ids: one number a track, in the order of first appearance, left to right within a frame.
        steps: what was dropped, one sentence each.
    """

    xy: np.ndarray
    confidence: np.ndarray
    track_ids: tuple[int, ...]
    steps: tuple[str, ...]


def track_people(frames: Sequence[np.ndarray], confidences: Sequence[np.ndarray]) -> Tracks:
    """Give people identities.

    Args:
        frames: for each frame (people, joints, 2), pixels, NaN where missing; any order and number of people.
        confidences: for each frame (people, joints).

    Returns:
        The same detections ordered by person, without suppressed ones.
    """
    assigned, steps = assign_tracks(frames, confidences)
    people = max((track for frame in assigned for track in frame), default=-1) + 1
    joints = frames[0].shape[1] if len(frames) else 0
    xy = np.full((len(frames), people, joints, 2), np.nan, np.float32)
    confidence = np.zeros(xy.shape[:3], np.float32)
    for frame, tracks in enumerate(assigned):
        for person, track in enumerate(tracks):
            if track >= 0:
                xy[frame, track] = frames[frame][person]
                confidence[frame, track] = confidences[frame][person]
    return Tracks(xy, confidence, tuple(range(people)), tuple(steps))


def assign_tracks(frames: Sequence[np.ndarray], confidences: Sequence[np.ndarray]) -> tuple[list[list[int]], list[str]]:
    """For each detection the number of its track, -1 for one that is dropped, and sentences on what was dropped.

    Args:
        frames: for each frame (people, joints, 2), pixels, NaN where missing.
        confidences: for each frame (people, joints).
    """
    tracks: list[_Track] = []
    alive: list[int] = []
    assigned: list[list[int]] = []
    duplicates = 0
    for time, (xy, confidence) in enumerate(zip(frames, confidences, strict=True)):
        labels = [-1] * len(xy)
        seen = np.isfinite(xy).all(axis=-1)
        sizes = body_sizes(xy, seen)
        kept = _without_duplicates(xy, seen, sizes, confidence)
        duplicates += int(seen.any(axis=1).sum()) - len(kept)
        alive = [index for index in alive if time - tracks[index].last <= MAX_GAP]
        for row, column in _match([tracks[i] for i in alive], xy[kept], seen[kept], sizes[kept], time):
            person = kept[column]
            labels[person] = alive[row]
            tracks[alive[row]].update(xy[person], seen[person], float(sizes[person]), time)
        newborn = [person for person in kept if labels[person] < 0]
        for person in sorted(newborn, key=lambda p: float(np.nanmean(xy[p, :, 0]))):
            labels[person] = len(tracks)
            alive.append(len(tracks))
            tracks.append(_Track(xy[person].copy(), float(sizes[person]), time))
        assigned.append(labels)
    shortest = _shortest_life(len(frames))
    real = [index for index, track in enumerate(tracks) if track.hits >= shortest] or list(range(len(tracks)))
    number = {index: rank for rank, index in enumerate(real)}
    steps = [f"people tracked over frames: {len(real)} identities"] if tracks else []
    if duplicates:
        steps.append(f"repaired: {duplicates} second detections of a person in the same frame were dropped")
    if ghosts := len(tracks) - len(real):
        dropped = sum(track.hits for track in tracks) - sum(tracks[index].hits for index in real)
        steps.append(
            f"repaired: {ghosts} tracks seen in fewer than {shortest} frames were dropped ({dropped} detections)"
        )
    return [[number.get(label, -1) for label in labels] for labels in assigned], steps


def _shortest_life(frames: int) -> int:
    """Frames in which a person must be seen to be no ghost: none are dropped from a handful of frames."""
    return 1 if frames < 10 else 3 if frames < 50 else 5


def body_sizes(xy: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """About the height of each person in pixels: three times the spread of the joints that are seen.

    Args:
        xy: (people, joints, 2).
        seen: (people, joints).

    Returns:
        (people,), at least 1.
    """
    count = np.maximum(seen.sum(axis=1), 1)
    known = np.where(seen[..., None], xy, 0)
    centre = known.sum(axis=1) / count[:, None]
    away = np.where(seen, ((known - centre[:, None]) ** 2).sum(axis=-1), 0)
    return np.asarray(np.maximum(3 * np.sqrt(away.sum(axis=1) / count), 1))


@dataclass
class _Track:
    """A person as last seen: each joint where it was last, moved along with the body since."""

    xy: np.ndarray
    size: float
    last: int
    hits: int = 1
    velocity: np.ndarray | None = None

    def predict(self, time: int) -> np.ndarray:
        if self.velocity is None:
            return self.xy
        return np.asarray(self.xy + self.velocity * min(time - self.last, MAX_COASTING))

    def update(self, xy: np.ndarray, seen: np.ndarray, size: float, time: int) -> None:
        elapsed = time - self.last
        both = seen & np.isfinite(self.xy).all(axis=-1)
        if both.any():
            # The median over the joints is the body's motion; single limbs swing and single joints jump.
            # (Sorted by hand: np.median checks much and costs ten times as much on a handful of numbers.)
            moved = np.sort(xy[both] - self.xy[both], axis=0)[int(both.sum()) // 2]
            velocity = moved / elapsed
            self.velocity = velocity if self.velocity is None else 0.5 * self.velocity + 0.5 * velocity
            self.xy = self.xy + moved
        self.xy = np.where(seen[:, None], xy, self.xy)
        # A person who is half hidden has not shrunk.
        self.size = max(size, 0.95 * self.size + 0.05 * size)
        self.last, self.hits = time, self.hits + 1


def _match(
    tracks: list[_Track], xy: np.ndarray, seen: np.ndarray, sizes: np.ndarray, time: int
) -> list[tuple[int, int]]:
    """(track, detection) pairs of least total distance, none beyond its gate."""
    if not tracks or not len(xy):
        return []
    from scipy.optimize import linear_sum_assignment

    expected = np.stack([track.predict(time) for track in tracks])
    age = np.array([time - track.last for track in tracks])
    track_sizes = np.array([track.size for track in tracks])
    size = np.maximum(track_sizes[:, None], sizes[None])
    known = np.isfinite(expected).all(axis=-1)
    both = known[:, None] & seen[None]
    common = both.sum(axis=-1)
    apart = np.where(both[..., None], expected[:, None] - xy[None], 0)
    away = np.minimum(np.sqrt((apart**2).sum(axis=-1)) / size[..., None], FAR) * both
    cost = away.sum(axis=-1) / np.maximum(common, 1)
    # Without a joint in common the centres must do, and a few common joints say less than many.
    centres = np.linalg.norm(_centres(expected, known)[:, None] - _centres(xy, seen)[None], axis=-1) / size
    cost = np.where(common > 0, cost + 0.1 / np.maximum(common, 1), np.minimum(centres, FAR) + 0.2)
    whole = common >= 0.6 * np.maximum(known.sum(axis=1)[:, None], seen.sum(axis=1)[None])
    cost = cost + np.where(whole, 0.2 * np.minimum(np.abs(np.log(track_sizes[:, None] / sizes[None])), 2), 0)
    gate = np.minimum(GATE + GATE_GROWTH * (age - 1), WIDEST_GATE)[:, None]
    open_gate = cost <= gate
    # Of two tracks that expect the person equally, the one seen last is the likelier.
    rows, columns = linear_sum_assignment(np.where(open_gate, cost + 0.002 * age[:, None], 1e3))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if open_gate[r, c]]


def _centres(xy: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(seen[..., None], xy, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)[:, None])


def _without_duplicates(xy: np.ndarray, seen: np.ndarray, sizes: np.ndarray, confidence: np.ndarray) -> list[int]:
    """Indices of the detections to keep: of two that lie on each other, the one with more confidence in all."""
    worth = np.where(seen, confidence, 0).sum(axis=1)
    kept: list[int] = []
    for person in np.argsort(-worth, kind="stable"):
        if not seen[person].any():
            continue
        for other in kept:
            both = seen[person] & seen[other]
            if both.sum() < max(3, 0.5 * seen[person].sum()):
                continue
            limit = DUPLICATE * max(sizes[person], sizes[other])
            away = ((xy[person, both] - xy[other, both]) ** 2).sum(axis=-1)
            if 2 * (away < limit**2).sum() > both.sum():
                break
        else:
            kept.append(int(person))
    return sorted(kept)
