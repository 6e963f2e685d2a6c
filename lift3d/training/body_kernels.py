"""Compiled loops that make bodies out of recorded motion, see ``lift3d.training.bodies``.

All are of windows ``first`` to ``last`` of a batch. Numbers are float32: a Python number would make them double.
"""

from __future__ import annotations

import numpy as np

from lift3d.training.body_rig import BONES, LIMBS, UPPER_BONES, V
from lift3d.training.compiled import compiled

_ZERO, _ONE, _TINY = np.float32(0), np.float32(1), np.float32(1e-6)
_PELVIS, _HIPS, _SPINE, _NECK, _HEAD = (V[name] for name in ("pelvis", "hips", "spine", "neck", "head"))
_LEFT_THIGH, _LEFT_SHOULDER, _RIGHT_SHOULDER = (V[name] for name in ("left_thigh", "left_shoulder", "right_shoulder"))
_TRUNK, _CHEST, _HEAD_UP = (V[name] for name in ("trunk", "chest_lateral", "head_up"))
_HIPS_UP, _HIPS_FORWARD, _HEAD_FORWARD = (V[name] for name in ("hips_up", "hips_forward", "head_forward"))
_GAZE_FORWARD, _GAZE_LATERAL = (V[name] for name in ("gaze_forward", "gaze_lateral"))
# How much of the trunk each part of the spine is.
_LOW, _HIGH = np.float32(0.48), np.float32(0.52)
# (derived vector, what it points along, what it is across), in this order.
_ACROSS = np.array(
    [
        [V[out], V[up], V[lateral]]
        for out, up, lateral in (
            ("left_sole", "left_foot", "left_shin"),
            ("right_sole", "right_foot", "right_shin"),
            ("hips_up", "trunk", "hips"),
            ("chest_up", "hips_up", "chest_lateral"),
            ("head_up", "head", "chest_lateral"),
        )
    ]
)
# Bones that may be of another window, each the first one and the one behind the last: the upper body, and the limbs.
_PARTS = np.array([[0, len(UPPER_BONES)], *([V[limb[0]], V[limb[-1]] + 1] for limb in LIMBS)])
# For each bone and the pelvis the limb that it is turned with, behind the limbs all else.
_TURNED_WITH = np.array(
    [next((k for k, limb in enumerate(LIMBS) if bone in limb), len(LIMBS)) for bone in (*BONES, "pelvis")]
)


@compiled
def read_motion(
    first: int,
    last: int,
    bank: np.ndarray,
    row: np.ndarray,
    end: np.ndarray,
    hold: np.ndarray,
    start: np.ndarray,
    speed: np.ndarray,
    recorded: np.ndarray,
    thigh: np.ndarray,
) -> None:
    """Unit vectors and lengths of recorded bones.

    Args:
        bank: (rows, 17, 3) vectors of BONES and the pelvis, metres.
        row: (windows,) int64 the first one of each window's clip.
        end: (windows,) frames of the clip but one.
        hold: (windows,) how many frames of the clip's rate a window may lie before or behind it.
        start, speed: (windows,) of the window, in frames of the clip's rate after the earliest there may be.
        recorded: (windows, 17, 3, frames) directions of BONES, and the pelvis in metres.
        thigh: (windows,) mean length of the left thigh, metres.
    """
    vectors, frames = recorded.shape[1], recorded.shape[3]
    motion = np.empty((frames, vectors * 3), np.float32)
    flat = bank.reshape(len(bank), vectors * 3)
    for w in range(first, last):
        whole = end[w] + hold[w] + hold[w]
        for frame in range(frames):
            # There and back, and still where there is no recording.
            time = start[w] + speed[w] * np.float32(frame)
            time -= (whole + whole) * np.floor(time / (whole + whole))
            time = whole - abs(time - whole)
            time = min(max(time - hold[w], _ZERO), end[w])
            before = min(np.floor(time), max(end[w] - _ONE, _ZERO))
            share = time - before
            one, next_one = flat[row[w] + int(before)], flat[row[w] + int(before) + 1]
            for k in range(vectors * 3):
                motion[frame, k] = one[k] + share * (next_one[k] - one[k])
        # Read as it is stored, then frames last.
        rows = recorded[w].reshape(vectors * 3, frames)
        for k in range(vectors * 3):
            for frame in range(frames):
                rows[k, frame] = motion[frame, k]
        thigh[w] = _mean_length(recorded[w, _LEFT_THIGH])
        for bone in range(_PELVIS):
            _normalize(recorded[w, bone])


@compiled
def pose(
    first: int,
    last: int,
    recorded: np.ndarray,
    source: np.ndarray,
    axes: np.ndarray,
    angles: np.ndarray,
    view: np.ndarray,
    cos: np.ndarray,
    sin: np.ndarray,
    posed: np.ndarray,
) -> None:
    """All vectors of varied bodies.

    Args:
        recorded: (windows, 17, 3, frames) of ``read_motion``.
        source: (windows, 1 + limbs) int64, the window that the upper body and each limb are of.
        axes, angles: (windows, limbs + 1, 3) and (windows, limbs + 1) turns of each limb, and then of the whole body.
        view: (windows, 3, 3) rotation that comes last.
        cos, sin: (windows, frames) of the turn of the head.
        posed: (windows, vectors, 3, frames) VECTORS; the pelvis in metres from where it is in the middle frame.
    """
    vectors, frames = recorded.shape[1], recorded.shape[3]
    body = np.empty(recorded.shape[1:], np.float32)
    to = np.empty((3, 3, frames), np.float32)
    away, rotation = np.empty_like(to), np.empty_like(to)
    turn = np.empty((axes.shape[1], 3, 3), np.float32)
    for w in range(first, last):
        _copy(recorded[w].reshape(vectors * 3, frames), body.reshape(vectors * 3, frames))
        for part in range(len(_PARTS)):
            other = recorded[source[w, part]]
            if source[w, part] != w:
                if part == 1 or part == 2:
                    _chest_axes(body, to)
                    _chest_axes(other, away)
                else:
                    _axes(body[_HIPS], body[_SPINE], to)
                    _axes(other[_HIPS], other[_SPINE], away)
                _rotation_between(away, to, rotation)
                for bone in range(_PARTS[part, 0], _PARTS[part, 1]):
                    _turn_frames(rotation, other[bone], body[bone])
        for axis in range(3):
            middle = body[_PELVIS, axis, frames // 2]
            for frame in range(frames):
                body[_PELVIS, axis, frame] -= middle
        _turn_limbs(axes[w], angles[w], view[w], turn)
        for bone in range(vectors):
            _turn(turn[_TURNED_WITH[bone]], body[bone], posed[w, bone])
        _derive(posed[w])
        _look_about(posed[w], cos[w], sin[w])


@compiled
def _turn_limbs(axes: np.ndarray, angles: np.ndarray, view: np.ndarray, turn: np.ndarray) -> None:
    """Rotations (limbs + 1, 3, 3) of each limb, and of all else, from turns as for ``pose``."""
    limbs = len(turn) - 1
    alone, whole = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    _rotate_about(axes[limbs], angles[limbs], whole)
    _multiply(view, whole, turn[limbs])
    for limb in range(limbs):
        _rotate_about(axes[limb], angles[limb], alone)
        _multiply(alone, turn[limbs], turn[limb])


@compiled
def _rotate_about(axis: np.ndarray, angle: float, rotation: np.ndarray) -> None:
    """The rotation (3, 3) of ``lift3d.training.bodies.rotation_about``."""
    cos, sin = np.cos(angle), np.sin(angle)
    for row in range(3):
        second, third = (row + 1) % 3, (row + 2) % 3
        rotation[row, row] = cos + (_ONE - cos) * axis[row] * axis[row]
        rotation[row, second] = (_ONE - cos) * axis[row] * axis[second] - sin * axis[third]
        rotation[row, third] = (_ONE - cos) * axis[row] * axis[third] + sin * axis[second]


@compiled
def _multiply(a: np.ndarray, b: np.ndarray, product: np.ndarray) -> None:
    """Of matrices (3, 3)."""
    for row in range(3):
        for column in range(3):
            product[row, column] = a[row, 0] * b[0, column] + a[row, 1] * b[1, column] + a[row, 2] * b[2, column]


@compiled
def _derive(vectors: np.ndarray) -> None:
    """Fill in the vectors that follow from the bones, but those of the gaze."""
    for axis in range(3):
        for frame in range(vectors.shape[2]):
            vectors[_TRUNK, axis, frame] = _LOW * vectors[_SPINE, axis, frame] + _HIGH * vectors[_NECK, axis, frame]
    _normalize(vectors[_TRUNK])
    _between_shoulders(vectors, vectors[_CHEST])
    for k in range(len(_ACROSS)):
        _across(vectors[_ACROSS[k, 1]], vectors[_ACROSS[k, 2]], vectors[_ACROSS[k, 0]])
    _cross(vectors[_HIPS], vectors[_HIPS_UP], vectors[_HIPS_FORWARD])
    _cross(vectors[_CHEST], vectors[_HEAD_UP], vectors[_HEAD_FORWARD])


@compiled
def _look_about(vectors: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> None:
    """Turn the gaze about the head's axis: the recordings do not say where the head looks."""
    for axis in range(3):
        forward, lateral = vectors[_HEAD_FORWARD, axis], vectors[_CHEST, axis]
        gaze_forward, gaze_lateral = vectors[_GAZE_FORWARD, axis], vectors[_GAZE_LATERAL, axis]
        for frame in range(len(cos)):
            gaze_forward[frame] = cos[frame] * forward[frame] + sin[frame] * lateral[frame]
            gaze_lateral[frame] = cos[frame] * lateral[frame] - sin[frame] * forward[frame]


@compiled
def _chest_axes(bones: np.ndarray, axes: np.ndarray) -> None:
    _between_shoulders(bones, axes[0])
    _axes(axes[0], bones[_NECK], axes)


@compiled
def _between_shoulders(bones: np.ndarray, out: np.ndarray) -> None:
    """Direction (3, frames) from the right shoulder to the left one."""
    for axis in range(3):
        for frame in range(out.shape[1]):
            out[axis, frame] = bones[_LEFT_SHOULDER, axis, frame] - bones[_RIGHT_SHOULDER, axis, frame]
    _normalize(out)


@compiled
def _axes(lateral: np.ndarray, spine: np.ndarray, axes: np.ndarray) -> None:
    """Orthonormal axes (3, 3, frames) to the left, up and forward of two directions (3, frames)."""
    _copy(lateral, axes[0])
    _across(spine, lateral, axes[1])
    _cross(lateral, axes[1], axes[2])


@compiled
def _rotation_between(away: np.ndarray, to: np.ndarray, rotation: np.ndarray) -> None:
    """Rotations (3, 3, frames) that turn some axes into others."""
    for row in range(3):
        for column in range(3):
            for frame in range(rotation.shape[2]):
                rotation[row, column, frame] = (
                    to[0, row, frame] * away[0, column, frame]
                    + to[1, row, frame] * away[1, column, frame]
                    + to[2, row, frame] * away[2, column, frame]
                )


@compiled
def _turn_frames(rotation: np.ndarray, a: np.ndarray, out: np.ndarray) -> None:
    """Vectors (3, frames) turned by a rotation a frame (3, 3, frames)."""
    for row in range(3):
        for frame in range(out.shape[1]):
            out[row, frame] = (
                rotation[row, 0, frame] * a[0, frame]
                + rotation[row, 1, frame] * a[1, frame]
                + rotation[row, 2, frame] * a[2, frame]
            )


@compiled
def _turn(rotation: np.ndarray, a: np.ndarray, out: np.ndarray) -> None:
    """Vectors (3, frames) turned by one rotation (3, 3)."""
    for row in range(3):
        across, along, up = rotation[row, 0], rotation[row, 1], rotation[row, 2]
        for frame in range(out.shape[1]):
            out[row, frame] = across * a[0, frame] + along * a[1, frame] + up * a[2, frame]


@compiled
def _across(up: np.ndarray, lateral: np.ndarray, out: np.ndarray) -> None:
    """Unit vectors across ``lateral`` that point as nearly as can be where ``up`` does; all (3, frames)."""
    for frame in range(out.shape[1]):
        dot = up[0, frame] * lateral[0, frame] + up[1, frame] * lateral[1, frame] + up[2, frame] * lateral[2, frame]
        out[0, frame] = up[0, frame] - dot * lateral[0, frame]
        out[1, frame] = up[1, frame] - dot * lateral[1, frame]
        out[2, frame] = up[2, frame] - dot * lateral[2, frame]
    _normalize(out)


@compiled
def _cross(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Cross products of vectors (3, frames)."""
    for frame in range(out.shape[1]):
        out[0, frame] = a[1, frame] * b[2, frame] - a[2, frame] * b[1, frame]
        out[1, frame] = a[2, frame] * b[0, frame] - a[0, frame] * b[2, frame]
        out[2, frame] = a[0, frame] * b[1, frame] - a[1, frame] * b[0, frame]


@compiled
def _normalize(a: np.ndarray) -> None:
    """Make vectors (3, frames) unit ones, in place."""
    for frame in range(a.shape[1]):
        x, y, z = a[0, frame], a[1, frame], a[2, frame]
        scale = _ONE / max(np.sqrt(x * x + y * y + z * z), _TINY)
        a[0, frame], a[1, frame], a[2, frame] = x * scale, y * scale, z * scale


@compiled
def _copy(rows: np.ndarray, out: np.ndarray) -> None:
    """Arrays (rows, frames): an assignment of slices takes numba seconds to compile."""
    for row in range(len(rows)):
        for frame in range(rows.shape[1]):
            out[row, frame] = rows[row, frame]


@compiled
def _mean_length(a: np.ndarray) -> np.float32:
    """Of vectors (3, frames)."""
    total = _ZERO
    for frame in range(a.shape[1]):
        total += np.sqrt(a[0, frame] * a[0, frame] + a[1, frame] * a[1, frame] + a[2, frame] * a[2, frame])
    return total / np.float32(a.shape[1])
