"""Feet that stay where they stand: while a foot is on the ground its place is held, and the leg follows.

The hip stays, the ankle goes where the foot is held, and the knee is placed anew between them: both bones keep their
length and the knee bends the way it bent (two-bone inverse kinematics in closed form). A leg that is too short for
that lowers the whole body, smoothly and by a few centimetres at most; what is left of the way the foot gives up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lift3d.errors import ShapeError, SkeletonError
from lift3d.geometry.level import from_level, to_level
from lift3d.motion.contacts import POINTS, foot_joints, ground_contacts
from lift3d.motion.gaps import USUAL_FPS, runs
from lift3d.poses import Poses3D, add_step
from lift3d.skeletons import Skeleton

SIDES = ("left", "right")
# Joints that belong to the foot also in a layout that does not hang them on the ankle.
FOOT = (*POINTS, "toe_end", "foot")
# Feet are held while they are slower than this, in metres a second: while they land and leave they move in truth.
SETTLED = 0.2
# Seconds over which a foot comes to its place before a contact and leaves it behind.
BLEND = 0.2
# Metres by which the body may sink so that a leg reaches, and the part of its length to which a leg is stretched: near
# its whole length the knee moves ten times as far as the foot, and would pop.
MAX_DROP = 0.05
STRETCH = 0.99
# A knee nearer than this to the line from hip to ankle, metres, does not say which way it bends.
STRAIGHT = 0.005


def lock_feet(
    poses: Poses3D, contacts: np.ndarray | None = None, blend: float = BLEND, max_drop: float = MAX_DROP
) -> Poses3D:
    """Hold each foot in one place for as long as it is on the ground.

    From frame to frame the joint of the foot that moves least over the ground is held and the foot follows it without
    turning, so that it may roll from the heel to the toes. Heights stay as they are. The foot is held where it is for
    most of the contact.

    Args:
        poses: in any space; with hips, knees and ankles. Where a joint of a leg is missing the leg stays as it is.
        contacts: (frames, people, 2) bool, when the left and the right foot are held; if None, in the contacts of
            ``ground_contacts`` (in camera space by speed alone) but for their beginnings and ends at over 0.2 m/s.
        blend: seconds over which the correction grows before a contact and fades after it.
        max_drop: metres by which the body may be lowered so that a leg reaches the ground.

    Returns:
        The poses with the same lengths of thighs, shins and feet. Confidence and sigma stay as they were.

    Raises:
        SkeletonError: the layout has no hips, knees or ankles.
        Lift3DError: contacts are to be found and the frame rate is unknown.
        ShapeError: contacts of another shape, or a negative blend or drop.

    Source: L. Kovar, J. Schreiner, M. Gleicher, "Footskate cleanup for motion capture editing", SCA 2002.
    """
    legs = [_leg(poses.skeleton, side) for side in SIDES]
    if contacts is None:
        found = ground_contacts(poses)
        contacts = found.on & (found.speed < SETTLED)
    contacts = np.asarray(contacts, bool)
    if contacts.shape != (poses.frames, poses.people, 2):
        raise ShapeError(f"contacts must be {(poses.frames, poses.people, 2)}, not {contacts.shape}")
    if not (blend >= 0 and max_drop >= 0):
        raise ShapeError(f"blend and max_drop must be 0 or more, not {blend} and {max_drop}")
    frames = round(blend * (poses.fps or USUAL_FPS))
    before = to_level(poses.xyz.astype(np.float64), poses.space)
    after = before.copy()
    standing = foot_joints(poses.skeleton).values()
    for person in range(poses.people):
        body = after[:, person]
        offsets = [_offsets(body[:, points], contacts[:, person, side], frames) for side, points in enumerate(standing)]
        drop = _drop(body, legs, offsets, frames, max_drop)
        moved = body - drop[:, None, None] * [0, 0, 1]
        for leg, offset in zip(legs, offsets, strict=True):
            moved[:, leg[1:]] = _bent(body[:, leg], body[:, leg[2:]] + offset[:, None], moved[:, leg[0]], body, legs)
        after[:, person] = np.where(np.isfinite(moved), moved, body)
    held = sum(1 for person in range(poses.people) for side in (0, 1) for _ in runs(contacts[:, person, side]))
    changed: dict[str, Any] = {"xyz": from_level(after, poses.space), "reprojection_error": None}
    return replace(poses, **changed, provenance=add_step(poses.provenance, f"feet held in {held} ground contacts"))


def _leg(skeleton: Skeleton, side: str) -> list[int]:
    """Indices of hip, knee and ankle, and of the other joints of the foot."""
    names = [f"{side}_{joint}" for joint in ("hip", "knee", "ankle")]
    if missing := [name for name in names if name not in skeleton.joints]:
        raise SkeletonError(f"holding the feet needs hips, knees and ankles; {skeleton.name!r} has no {missing[0]}")
    chain = [skeleton.joints.index(name) for name in names]
    foot = {f"{side}_{point}" for point in FOOT}
    for joint, name in enumerate(skeleton.joints):
        above = joint
        while above >= 0 and above != chain[2]:
            above = skeleton.parents[above]
        if joint not in chain and (above == chain[2] or name in foot):
            chain.append(joint)
    return chain


def _offsets(foot: np.ndarray, standing: np.ndarray, blend: int) -> np.ndarray:
    """By how much the foot (frames, joints, 3) is moved, (frames, 3): held in contacts, fading outside them."""
    offsets = np.zeros((len(foot), 3))
    contacts: list[tuple[int, int, np.ndarray]] = []
    for start, stop in runs(standing):
        held = _held(foot[start:stop])
        if held is not None:
            contacts.append((start, stop, held))
            offsets[start:stop] = held
    for number, (start, stop, held) in enumerate(contacts):
        # Between two contacts each fades out before the other begins.
        gap = start - (contacts[number - 1][1] if number else -blend - 1)
        ahead = np.arange(max(0, start - min(blend, gap)), start)
        offsets[ahead] += _fade(start - ahead, min(blend, gap))[:, None] * held[0]
        gap = (contacts[number + 1][0] if number + 1 < len(contacts) else len(foot) + blend + 1) - stop
        behind = np.arange(stop, min(len(foot), stop + min(blend, gap)))
        offsets[behind] += _fade(behind - stop + 1, min(blend, gap))[:, None] * held[-1]
    return offsets


def _held(foot: np.ndarray) -> np.ndarray | None:
    """What takes the slide out of a contact (frames, 3), its median 0; None if nothing of the foot is seen.

    From each frame to the next the foot slides as the joint of it that moves least over the ground.
    """
    steps = np.diff(foot[..., :2], axis=0)
    way = np.linalg.norm(steps, axis=-1)
    if not np.isfinite(foot[..., 0]).any():
        return None
    least = np.argmin(np.where(np.isfinite(way), way, np.inf), axis=1)
    slide = np.nan_to_num(np.take_along_axis(steps, least[:, None, None], axis=1)[:, 0])
    held = np.zeros((len(foot), 3))
    held[1:, :2] = -np.cumsum(slide, axis=0)
    return np.asarray(held - np.median(held, axis=0))


def _fade(distance: np.ndarray, length: int) -> np.ndarray:
    """From 1 beside a contact to 0 ``length`` frames away, level at both ends."""
    part = np.clip(1 - distance / (length + 1), 0, 1)
    return np.asarray(part * part * (3 - 2 * part))


def _drop(
    body: np.ndarray, legs: list[list[int]], offsets: list[np.ndarray], blend: int, max_drop: float
) -> np.ndarray:
    """By how much the body must sink for both legs to reach their places, (frames,) metres: a smooth upper bound."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    needed = np.zeros(len(body))
    for (hip, knee, ankle, *_), offset in zip(legs, offsets, strict=True):
        reach = STRETCH * (_length(body[:, knee] - body[:, hip]) + _length(body[:, ankle] - body[:, knee]))
        way = body[:, ankle] + offset - body[:, hip]
        # What a leg lacks before it is moved is its own affair.
        own = _length(body[:, ankle] - body[:, hip])
        reach = np.maximum(reach, own)
        high = np.sqrt(np.maximum(reach**2 - (way[:, :2] ** 2).sum(axis=1), 0))
        needed = np.fmax(needed, np.where(offset.any(axis=1), -way[:, 2] - high, 0))
    needed = np.clip(needed, 0, max_drop)
    if not blend:
        return needed
    size = 2 * blend + 1
    return np.asarray(uniform_filter1d(maximum_filter1d(needed, size), size, mode="nearest"))


def _bent(leg: np.ndarray, target: np.ndarray, hip: np.ndarray, body: np.ndarray, legs: list[list[int]]) -> np.ndarray:
    """Knee, ankle and foot (frames, joints, 3) with the ankle at ``target``, as far as the leg reaches.

    Args:
        leg: (frames, joints, 3) hip, knee, ankle and foot as they were.
        target: (frames, joints - 2, 3) where ankle and foot shall be.
        hip: (frames, 3) where the hip is now.
        body, legs: all joints and the legs among them, for the direction that the body faces.
    """
    thigh, shin = _length(leg[:, 1] - leg[:, 0]), _length(leg[:, 2] - leg[:, 1])
    own = _length(leg[:, 2] - leg[:, 0])
    way = target[:, 0] - hip
    distance = _length(way)
    longest = np.maximum(STRETCH * (thigh + shin), own)
    along = way / np.maximum(distance, 1e-9)[:, None]
    reached = np.clip(distance, np.abs(thigh - shin), longest)
    pole = _pole(leg, along, body, legs)
    # The law of cosines: how far along the way from hip to ankle the knee lies, and how far beside it.
    ahead = (thigh**2 - shin**2 + reached**2) / (2 * np.maximum(reached, 1e-9))
    beside = np.sqrt(np.maximum(thigh**2 - ahead**2, 0))
    knee = hip + ahead[:, None] * along + beside[:, None] * pole
    shortfall = (reached - distance)[:, None] * along
    return np.concatenate([knee[:, None], target + shortfall[:, None]], axis=1)


def _pole(leg: np.ndarray, along: np.ndarray, body: np.ndarray, legs: list[list[int]]) -> np.ndarray:
    """The direction (frames, 3) in which the knee bends, of length 1 and square to ``along``."""
    line = leg[:, 2] - leg[:, 0]
    line /= np.maximum(_length(line), 1e-9)[:, None]
    bend = leg[:, 1] - leg[:, 0]
    bend -= (bend * line).sum(axis=1, keepdims=True) * line
    clear = _length(bend) > STRAIGHT
    if clear.any():
        # Of a straight leg the bend of the frames about it says the way.
        known = np.flatnonzero(clear)
        bend = np.stack([np.interp(np.arange(len(bend)), known, axis[known]) for axis in bend.T], axis=1)
    else:
        left, right = (body[:, chain[0]] for chain in legs)
        bend = np.cross(left - right, [0.0, 0.0, 1.0])
    bend = bend - (bend * along).sum(axis=1, keepdims=True) * along
    return np.asarray(bend / np.maximum(_length(bend), 1e-9)[:, None])


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
