"""Compiled loops that make joints out of posed bodies: where a camera sees them, and what the network is to give.

Most are of windows ``first`` to ``last`` of a batch. Numbers are float32: a Python number would make them double.
"""

from __future__ import annotations

import numpy as np

from lift3d.training.body_rig import V
from lift3d.training.compiled import compiled

_ZERO, _ONE = np.float32(0), np.float32(1)
# Least depth of a joint, metres: where it would be less, the camera stands back.
_NEAREST = np.float32(0.6)
_PELVIS = V["pelvis"]


@compiled
def weigh(numbers: np.ndarray, terms: np.ndarray, factors: np.ndarray, weights: np.ndarray) -> None:
    """Weights of joints that are linear in numbers of a window, of all windows.

    Args:
        numbers: (windows, parameters).
        terms: (terms, 3) int64: parameter, joint and vector of each term.
        factors: (terms,).
        weights: (windows, joints, vectors), all 0 at first.
    """
    for w in range(len(numbers)):
        for term in range(len(terms)):
            weights[w, terms[term, 1], terms[term, 2]] += factors[term] * numbers[w, terms[term, 0]]


@compiled
def project(
    first: int,
    last: int,
    vectors: np.ndarray,
    seen: np.ndarray,
    target: np.ndarray,
    focal: np.ndarray,
    ray: np.ndarray,
    distance: np.ndarray,
    plane: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Where a detector would see joints. Cameras are placed around the middle of the body in the middle frame.

    Args:
        vectors: (windows, vectors, 3, frames) of ``pose``.
        seen, target: (windows, 23, vectors) and (windows, 17, vectors) of ``Joints``.
        focal, ray, distance: (windows,), (windows, 3) and (windows,) of ``Aims``.
        plane: (windows, 23, 2, frames) the seen joints on the plane z = 1.
        depth: (windows, frames) of the pelvis, metres.
    """
    count, joints, frames = vectors.shape[1], plane.shape[1], plane.shape[3]
    points, offset = np.empty((joints, 3, frames), np.float32), np.empty(3, np.float32)
    shallowest, scale = np.empty(frames, np.float32), np.empty(frames, np.float32)
    for w in range(first, last):
        _place(seen[w], vectors[w].reshape(count, 3 * frames), points.reshape(joints, 3 * frames))
        middle = _middle(target[w], vectors[w])
        for frame in range(frames):
            shallowest[frame] = points[0, 2, frame]
        for joint in range(1, joints):
            for frame in range(frames):
                shallowest[frame] = min(shallowest[frame], points[joint, 2, frame])
        lowest = shallowest.min()
        away = max(distance[w], (_NEAREST - lowest + middle[2]) / ray[w, 2])
        for axis in range(3):
            offset[axis] = away * ray[w, axis] - middle[axis]
        zoom = focal[w]
        for joint in range(joints):
            for frame in range(frames):
                scale[frame] = zoom / (points[joint, 2, frame] + offset[2])
            for axis in range(2):
                shift = offset[axis]
                for frame in range(frames):
                    plane[w, joint, axis, frame] = (points[joint, axis, frame] + shift) * scale[frame]
        for frame in range(frames):
            depth[w, frame] = target[w, 0, _PELVIS] * vectors[w, _PELVIS, 2, frame] + offset[2]


@compiled
def turn_target(
    first: int, last: int, vectors: np.ndarray, target: np.ndarray, rotation: np.ndarray, start: int, turned: np.ndarray
) -> None:
    """Joints of H36M17 from the pelvis on, metres, in a view.

    Args:
        vectors, target: as for ``project``.
        start: the first frame.
        rotation: (windows, outputs, 3, 3) from camera space to the view.
        turned: (windows, outputs, 17, 3).
    """
    outputs, joints = turned.shape[1:3]
    points = np.empty((joints, 3, outputs), np.float32)
    count = vectors.shape[1]
    given = np.empty((count, 3, outputs), np.float32)
    for w in range(first, last):
        for vector in range(count):
            for axis in range(3):
                for frame in range(outputs):
                    given[vector, axis, frame] = vectors[w, vector, axis, start + frame]
        _place(target[w], given.reshape(count, 3 * outputs), points.reshape(joints, 3 * outputs))
        for frame in range(outputs):
            turn = rotation[w, frame]
            for joint in range(joints):
                x = points[joint, 0, frame] - points[0, 0, frame]
                y = points[joint, 1, frame] - points[0, 1, frame]
                z = points[joint, 2, frame] - points[0, 2, frame]
                for axis in range(3):
                    turned[w, frame, joint, axis] = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z


@compiled
def _place(weights: np.ndarray, vectors: np.ndarray, points: np.ndarray) -> None:
    """Points (points, numbers) of weights (points, vectors), most of which are 0, and vectors (vectors, numbers)."""
    for point in range(len(points)):
        for number in range(points.shape[1]):
            points[point, number] = _ZERO
        for vector in range(len(vectors)):
            weight = weights[point, vector]
            if weight != _ZERO:
                for number in range(points.shape[1]):
                    points[point, number] += weight * vectors[vector, number]


@compiled
def _middle(target: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(3,) mean of the target's joints in the middle frame, metres."""
    weights = np.zeros(len(vectors), np.float32)
    for joint in range(len(target)):
        for vector in range(len(vectors)):
            weights[vector] += target[joint, vector] / np.float32(len(target))
    middle = np.zeros(3, np.float32)
    for vector in range(len(vectors)):
        for axis in range(3):
            middle[axis] += weights[vector] * vectors[vector, axis, vectors.shape[2] // 2]
    return middle
