"""Which person and joint of the truth a predicted one is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lift3d.skeletons import Skeleton
from lift3d.viz.drawing import Lines

FAR_AWAY = 1e6


@dataclass(frozen=True)
class Match:
    """Rows that belong together: people and joints of the prediction, and theirs of the truth."""

    people: np.ndarray
    truth_people: np.ndarray
    joints: np.ndarray
    truth_joints: np.ndarray

    def distances(self, points: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Metres (frames, people, joints) from truth, of points (frames, people, joints, 3); NaN where unknown."""
        away = np.full(points.shape[:3], np.nan, np.float32)
        ours = points[:, self.people[:, None], self.joints]
        theirs = truth[:, self.truth_people[:, None], self.truth_joints]
        away[:, self.people[:, None], self.joints] = np.linalg.norm(ours - theirs, axis=-1)
        return away

    def connectors(self, points: np.ndarray, truth: np.ndarray, colours: np.ndarray) -> Lines:
        """Lines from each joint (people, joints, 3) to its truth, in the joints' colours."""
        ours = points[self.people[:, None], self.joints]
        theirs = truth[self.truth_people[:, None], self.truth_joints]
        segments = np.stack([ours, theirs], axis=-2).reshape(-1, 2, 3)
        return Lines(segments, colours[self.people[:, None], self.joints].reshape(-1, 3), 2.0)


def match_truth(points: np.ndarray, skeleton: Skeleton, truth: np.ndarray, truth_skeleton: Skeleton) -> Match:
    """Match the people who are nearest to each other over the frames given, and the joints of one name.

    Args:
        points, truth: (frames, people, joints, 3) of the same frames.
        skeleton, truth_skeleton: their layouts.
    """
    from scipy.optimize import linear_sum_assignment

    shared = [joint for joint in skeleton.joints if joint in truth_skeleton.joints]
    joints = np.array([skeleton.index(joint) for joint in shared], int)
    truth_joints = np.array([truth_skeleton.index(joint) for joint in shared], int)
    cost = np.full((points.shape[1], truth.shape[1]), FAR_AWAY)
    if shared:
        for person in range(points.shape[1]):
            away = np.linalg.norm(points[:, person, None][:, :, joints] - truth[:, :, truth_joints], axis=-1)
            known = np.isfinite(away)
            total = np.where(known, away, 0).sum(axis=(0, 2), dtype=float)
            count = known.sum(axis=(0, 2))
            cost[person] = np.where(count > 0, total / np.maximum(count, 1), FAR_AWAY)
    people, truth_people = linear_sum_assignment(cost)
    together = cost[people, truth_people] < FAR_AWAY
    return Match(people[together], truth_people[together], joints, truth_joints)
