"""Compiled loops of synthesis against the same in plain numpy and torch."""

import math

import numpy as np
import pytest
import torch
from synthesis_bank import place

from lift3d.skeletons import LIFTER23
from lift3d.training.bodies import PosedBodies, rotation_about
from lift3d.training.body_kernels import pose, read_motion
from lift3d.training.body_rig import BONES, LIMBS, UPPER_BONES, VECTORS, Joints, V
from lift3d.training.compiled import over_windows
from lift3d.training.detector_kernels import Errors, detect_windows
from lift3d.training.detector_noise import ADMITTED, GAP, GROSS, LOSS, OUTLIER, SWAP, SWAPPED
from lift3d.training.draws import CELL_NUMBERS, Runs, knot_count, knots, place_knots
from lift3d.training.synthesis import view_target

WINDOWS, FRAMES = 9, 37


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def unit(vectors: np.ndarray, axis: int) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=axis, keepdims=True)


def random_bones(rng: np.random.Generator) -> np.ndarray:
    """(windows, 17, 3, frames) as ``read_motion`` gives them."""
    recorded = rng.standard_normal((WINDOWS, len(BONES) + 1, 3, FRAMES), np.float32)
    recorded[:, :-1] = unit(recorded[:, :-1], 2)
    return recorded


def posed(
    recorded: np.ndarray, source: np.ndarray, axes: np.ndarray, angles: np.ndarray, view: np.ndarray
) -> dict[str, np.ndarray]:
    """VECTORS by name, each (windows, 3, frames), of heads that look straight ahead."""
    vectors = np.empty((WINDOWS, len(VECTORS), 3, FRAMES), np.float32)
    straight = np.zeros((WINDOWS, FRAMES), np.float32)
    over_windows(pose, WINDOWS, recorded, source, axes, angles, view, straight + 1, straight, vectors)
    return {name: vectors[:, k] for name, k in V.items()}


def unvaried() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    source = np.arange(WINDOWS)[:, None].repeat(1 + len(LIMBS), 1)
    axes = np.zeros((WINDOWS, len(LIMBS) + 1, 3), np.float32)
    return source, axes, axes[..., 0].copy(), np.eye(3, dtype=np.float32)[None].repeat(WINDOWS, 0)


def test_recordings_are_read_between_their_frames(rng: np.random.Generator) -> None:
    """Windows that reach beyond both ends of their clip, and clips of one frame and of two."""
    lengths = np.array([1, 2, 5, 30, 200, 200, 200, 200, 200])
    bank = rng.standard_normal((lengths.sum() + 1, len(BONES) + 1, 3), np.float32)
    row = lengths.cumsum() - lengths
    end = (lengths - 1).astype(np.float32)
    hold, speed, start = (rng.uniform(*limits, WINDOWS).astype(np.float32) for limits in ((5, 20), (0.5, 3), (0, 60)))
    recorded = np.empty((WINDOWS, len(BONES) + 1, 3, FRAMES), np.float32)
    thigh = np.empty(WINDOWS, np.float32)
    over_windows(read_motion, WINDOWS, bank, row, end, hold, start, speed, recorded, thigh)
    for w in range(WINDOWS):
        whole = float(end[w] + 2 * hold[w])
        time = (float(start[w]) + float(speed[w]) * np.arange(FRAMES)) % (2 * whole)
        time = np.clip(np.where(time > whole, 2 * whole - time, time) - hold[w], 0, end[w])
        clip = bank[row[w] : row[w] + lengths[w]].reshape(lengths[w], -1)
        motion = np.stack([np.interp(time, np.arange(lengths[w]), number) for number in clip.T]).reshape(-1, 3, FRAMES)
        np.testing.assert_allclose(recorded[w, :-1], unit(motion[:-1], 1), atol=2e-3)
        np.testing.assert_allclose(recorded[w, -1], motion[-1], atol=1e-3)
        np.testing.assert_allclose(thigh[w], np.linalg.norm(motion[V["left_thigh"]], axis=0).mean(), rtol=1e-4)


def test_limbs_are_turned_and_then_the_whole_body(rng: np.random.Generator) -> None:
    recorded, (source, *_) = random_bones(rng), unvaried()
    axes = unit(rng.standard_normal((WINDOWS, len(LIMBS) + 1, 3), np.float32), 2)
    angles = rng.uniform(-3, 3, (WINDOWS, len(LIMBS) + 1)).astype(np.float32)
    view = rotation_about(*(torch.from_numpy(x[:, 0].copy()) for x in (axes[:, ::-1], angles))).numpy()
    vectors = posed(recorded, source, axes, angles, view)
    turn = rotation_about(torch.from_numpy(axes), torch.from_numpy(angles)).numpy()
    whole = view @ turn[:, -1]
    for bone, name in enumerate((*BONES, "pelvis")):
        limb = next((k for k, limb in enumerate(LIMBS) if name in limb), None)
        expected = (whole if limb is None else turn[:, limb] @ whole) @ recorded[:, bone]
        if name == "pelvis":
            expected -= expected[..., FRAMES // 2, None]
        np.testing.assert_allclose(vectors[name], expected, atol=1e-5)


def axes_of(lateral: np.ndarray, spine: np.ndarray) -> np.ndarray:
    """Rotations (frames, 3, 3) whose columns point to the left, up and forward."""
    up = unit(spine - (spine * lateral).sum(0) * lateral, 0)
    return np.stack([lateral, up, np.cross(lateral, up, axis=0)], axis=1).transpose(2, 0, 1)


def test_upper_bodies_and_limbs_of_other_windows_keep_their_place_about_hips_and_chest(
    rng: np.random.Generator,
) -> None:
    recorded, (_, *still) = random_bones(rng), unvaried()
    source = rng.integers(0, WINDOWS, (WINDOWS, 1 + len(LIMBS)))
    vectors = posed(recorded, source, *still)

    def hips(bones: np.ndarray) -> np.ndarray:
        return axes_of(bones[V["hips"]], bones[V["spine"]])

    def chest(bones: np.ndarray) -> np.ndarray:
        return axes_of(unit(bones[V["left_shoulder"]] - bones[V["right_shoulder"]], 0), bones[V["neck"]])

    for w in range(WINDOWS):
        body = recorded[w].copy()
        for part, bones in enumerate((UPPER_BONES, *LIMBS)):
            if source[w, part] == w:
                continue
            other, axes = recorded[source[w, part]], chest if part in (1, 2) else hips
            turn = axes(body) @ axes(other).transpose(0, 2, 1)
            for bone in bones:
                body[V[bone]] = np.einsum("fij,jf->if", turn, other[V[bone]])
        for bone in BONES:
            np.testing.assert_allclose(vectors[bone][w], body[V[bone]], atol=2e-3)


def test_derived_vectors_stand_across_bones(rng: np.random.Generator) -> None:
    vectors = posed(random_bones(rng), *unvaried())
    trunk = unit(0.48 * vectors["spine"] + 0.52 * vectors["neck"], 1)
    chest = unit(vectors["left_shoulder"] - vectors["right_shoulder"], 1)
    across = lambda up, lateral: unit(up - (up * lateral).sum(1, keepdims=True) * lateral, 1)  # noqa: E731
    expected = {
        "trunk": trunk,
        "chest_lateral": chest,
        "left_sole": across(vectors["left_foot"], vectors["left_shin"]),
        "right_sole": across(vectors["right_foot"], vectors["right_shin"]),
        "hips_up": across(trunk, vectors["hips"]),
        "chest_up": across(across(trunk, vectors["hips"]), chest),
        "head_up": across(vectors["head"], chest),
        "hips_forward": np.cross(vectors["hips"], across(trunk, vectors["hips"]), axis=1),
        "head_forward": np.cross(chest, across(vectors["head"], chest), axis=1),
        "gaze_forward": np.cross(chest, across(vectors["head"], chest), axis=1),
        "gaze_lateral": chest,
    }
    for name, direction in expected.items():
        np.testing.assert_allclose(vectors[name], direction, atol=2e-3, err_msg=name)


def test_targets_start_at_the_pelvis_in_the_view(rng: np.random.Generator) -> None:
    vectors = rng.standard_normal((WINDOWS, len(VECTORS), 3, FRAMES), np.float32)
    weights = rng.standard_normal((WINDOWS, 17, len(VECTORS)), np.float32)
    weights[rng.random(weights.shape) < 0.7] = 0
    rotation = torch.from_numpy(rng.standard_normal((WINDOWS, 8, 3, 3), np.float32))
    bodies = PosedBodies(vectors, Joints(weights, weights), np.arange(WINDOWS))
    joints = place(weights, vectors)[:, 20:28]
    expected = (joints - joints[:, :, :1]) @ rotation.mT
    torch.testing.assert_close(view_target(bodies, 20, rotation), expected, atol=1e-4, rtol=1e-4)


def test_detections_are_true_joints_with_errors_and_what_happens_to_them(rng: np.random.Generator) -> None:
    joints, count = len(LIFTER23), 40
    table = rng.standard_normal(1 << 16, np.float32)
    plane = rng.standard_normal((WINDOWS, joints, 2, FRAMES), np.float32)
    depth = rng.uniform(2, 6, (WINDOWS, FRAMES)).astype(np.float32)
    jitter, drift, usual, shown = rng.random((4, WINDOWS, joints), np.float32)
    shown = (shown < 0.8).astype(np.float32)
    least = np.where(np.arange(WINDOWS) % 2 == 0, 1, 0.1).astype(np.float32)
    phase = rng.random(WINDOWS, np.float32)
    number = knot_count(FRAMES, 9.0)
    places = rng.integers(0, 50_000, (3, WINDOWS))
    knot, share = place_knots(FRAMES, 9.0, phase[:, None])
    errors = Errors(jitter, drift, places[0], places[1], number, knot, share, usual, places[2], least, shown)
    window = np.sort(rng.integers(0, WINDOWS, count))
    # The first ones happen in the same window and frames: they add up, but sides that changed twice are changed.
    window[:4] = 0
    kind, begin, length = (rng.integers(*limits, count) for limits in ((0, SWAP + 2), (-9, FRAMES), (1, 10)))
    kind[:4], begin[:4], length[:4] = [OUTLIER, OUTLIER, SWAP, SWAP], 3, 5
    own, place_of = rng.random(count), rng.integers(0, 60_000, count)
    own[1] = own[0]
    runs = Runs(np.searchsorted(window, np.arange(WINDOWS + 1)), kind, begin, length, own, place_of)
    found, confidence = np.empty_like(plane), np.empty((WINDOWS, joints, FRAMES), np.float32)
    over_windows(detect_windows, WINDOWS, plane, depth, errors, runs, table, found, confidence)

    for w in range(WINDOWS):
        weights = knots(FRAMES, 9.0, torch.from_numpy(phase))[w].numpy()
        slow = table[places[1, w] :][: 2 * joints * number].reshape(joints, 2, number) @ weights
        fast = table[places[0, w] :][: 2 * joints * FRAMES].reshape(joints, 2, FRAMES)
        error = (jitter[w, :, None, None] * fast + drift[w, :, None, None] * slow) / depth[w]
        wavering = table[places[2, w] :][: joints * FRAMES].reshape(joints, FRAMES)
        trust = np.clip(usual[w, :, None] + 0.05 * wavering, least[w], 1) * shown[w, :, None]
        expected = plane[w] + error
        swapped = np.zeros((2, FRAMES), bool)
        for run in np.flatnonzero(window == w):
            joint = int(own[run] * joints)
            for step in range(length[run]):
                frame = begin[run] + step
                if not 0 <= frame < FRAMES:
                    continue
                if kind[run] == OUTLIER:
                    gross = table[place_of[run] + CELL_NUMBERS * step :][:CELL_NUMBERS]
                    expected[joint, :, frame] += GROSS / depth[w, frame] * gross[:2]
                    chance = 0.5 * (1 + math.erf(gross[2] / math.sqrt(2)))
                    if chance < ADMITTED and least[w] < 1:
                        trust[joint, frame] *= 0.4 * chance / ADMITTED
                elif kind[run] == GAP:
                    trust[joint, frame] = 0
                elif kind[run] == LOSS:
                    trust[:, frame] = 0
                else:
                    swapped[kind[run] - SWAP, frame] = True
        for part, pairs in enumerate(SWAPPED):
            for left, right in pairs:
                frames = swapped[part]
                expected[left][:, frames], expected[right][:, frames] = (
                    expected[right][:, frames],
                    expected[left][:, frames],
                )
        np.testing.assert_allclose(found[w], expected, atol=1e-4)
        np.testing.assert_allclose(confidence[w], trust, atol=1e-4)
