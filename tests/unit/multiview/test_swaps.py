"""Exchanged sides found and undone: a walker of closed form seen by two cameras and more, and motion capture."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from rig_scenes import ring, see, strike

from lift3d.geometry.cameras import Camera
from lift3d.geometry.robust_triangulation import estimate_noise
from lift3d.multiview.swaps import body_parts, exchange, find_swaps
from lift3d.skeletons import BLAZEPOSE33, BODY25B, CMU25, COCO17, H36M17, MPI28, Skeleton

Swaps = dict[str, np.ndarray]


def walker(frames: int, fps: float = 50.0) -> np.ndarray:
    """(frames, 17, 3) somebody who walks in a circle, Human3.6M joints."""
    t = np.arange(frames) / fps
    heading = 0.5 * t
    forward = np.stack([-np.sin(heading), np.cos(heading), 0 * t], -1)
    left = np.stack([-np.cos(heading), -np.sin(heading), 0 * t], -1)
    up = np.array([0, 0, 1.0])
    middle = np.stack([np.cos(heading), np.sin(heading), 0 * t], -1)
    swing = np.sin(2 * np.pi * 0.9 * t)[:, None]
    joints = {"pelvis": (0, 0, 0.95), "spine": (0, 0, 1.2), "thorax": (0, 0, 1.45), "nose": (0.1, 0, 1.6)}
    joints |= {"head_top": (0.05, 0, 1.75)}
    place = {name: middle + a * forward + b * left + c * up for name, (a, b, c) in joints.items()}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, (reach, out, height) in {
            "hip": (0.0, 0.13, 0.93), "knee": (0.18, 0.12, 0.5), "ankle": (0.32, 0.1, 0.1),
            "shoulder": (-0.05, 0.2, 1.42), "elbow": (-0.15, 0.25, 1.15), "wrist": (-0.25, 0.24, 0.92),
        }.items():  # fmt: skip
            place[f"{side}_{name}"] = middle + sign * (reach * swing * forward + out * left) + height * up
    return np.stack([place[joint] for joint in H36M17.joints], axis=1)


def swaps_at(cameras: int, frames: int, skeleton: Skeleton, rate: float, longest: int, seed: int = 0) -> Swaps:
    """Stretches of exchanged sides, in every camera and part of the body for itself."""
    rng = np.random.default_rng(seed)
    swaps = {part: np.zeros((cameras, frames), dtype=bool) for part in body_parts(skeleton)}
    for found in swaps.values():
        for camera in range(cameras):
            frame = int(rng.integers(5, 30))
            while frame < frames - longest - 5:
                if rng.random() < rate:
                    length = int(rng.integers(1, longest + 1))
                    found[camera, frame : frame + length] = True
                    frame += length + 5
                frame += 1
    return swaps


def detected(cameras: list[Camera], points: np.ndarray, noise: float = 3.0) -> np.ndarray:
    """Noisy pixels with 2 % gross errors and 3 % missing, float32."""
    xy = see(cameras, points, noise)
    strike(xy, 0.02)
    xy[np.random.default_rng(7).random(xy.shape[:3]) < 0.03] = np.nan
    return xy.astype(np.float32)


def search(cameras: list[Camera], xy: np.ndarray, skeleton: Skeleton) -> Swaps:
    weights = np.isfinite(xy[..., 0]).astype(np.float32)
    return find_swaps(cameras, xy, weights, skeleton, estimate_noise(cameras, xy, weights))


def apart(cameras: list[Camera], points: np.ndarray, skeleton: Skeleton, part: str) -> np.ndarray:
    """(C, frames) pixels between left and right, of the pair that is the furthest apart."""
    left, right = np.array(body_parts(skeleton)[part]).T
    return np.stack(
        [np.linalg.norm(c.project(points[:, left]) - c.project(points[:, right]), axis=-1).max(-1) for c in cameras]
    )


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_all_swaps_of_a_walker_are_found_and_none_invented(count: int) -> None:
    cameras, points = ring(count), walker(400)
    if count == 2:
        cameras = ring(5)[:2]
    clean = detected(cameras, points)
    truth = swaps_at(count, 400, H36M17, rate=0.02, longest=12)
    assert min(found.sum() for found in truth.values()) > 50
    found = search(cameras, exchange(clean, truth, H36M17), H36M17)
    for part, expected in truth.items():
        # Where left and right cover each other in an image, nobody can tell and nothing is lost.
        visible = apart(cameras, points, H36M17, part) > 15
        assert (found[part] == expected)[visible].mean() > (0.98 if count == 2 else 0.9999)
    nothing = search(cameras, clean, H36M17)
    assert not any((nothing[part] & (apart(cameras, points, H36M17, part) > 15)).any() for part in truth)


def test_sides_that_one_camera_exchanged_throughout_are_found_by_the_others() -> None:
    cameras, points = ring(5), walker(200)
    truth = {part: np.zeros((5, 200), dtype=bool) for part in body_parts(H36M17)}
    truth["legs"][2] = True
    truth["arms"][2] = truth["arms"][0, 50:110] = True
    found = search(cameras, exchange(detected(cameras, points), truth, H36M17), H36M17)
    for part, expected in truth.items():
        visible = apart(cameras, points, H36M17, part) > 15
        assert (found[part] == expected)[visible].all()


def test_single_frames_have_no_time() -> None:
    cameras, points = ring(4), walker(60)
    truth = {part: np.zeros((4, 1), dtype=bool) for part in body_parts(H36M17)}
    truth["legs"][1] = True
    xy = exchange(see(cameras, points[:1], 1.0).astype(np.float32), truth, H36M17)
    found = find_swaps(cameras, xy, np.ones(xy.shape[:3], np.float32), H36M17, np.full(17, 1.0))
    assert all((found[part] == truth[part]).all() for part in truth)


def test_exchanging_twice_changes_nothing() -> None:
    xy = np.random.default_rng(0).normal(size=(3, 50, 17, 2))
    swaps = swaps_at(3, 50, COCO17, 0.1, 5)
    once = exchange(xy, swaps, COCO17)
    assert (once != xy).any()
    np.testing.assert_array_equal(exchange(once, swaps, COCO17), xy)
    left, right = COCO17.index("left_knee"), COCO17.index("right_knee")
    camera, frame = np.argwhere(swaps["legs"])[0]
    np.testing.assert_array_equal(once[camera, frame, left], xy[camera, frame, right])


@pytest.mark.parametrize("skeleton", [COCO17, BODY25B, BLAZEPOSE33, H36M17, MPI28, CMU25])
def test_every_pair_belongs_to_one_part(skeleton: Skeleton) -> None:
    parts = body_parts(skeleton)
    assert sorted(pair for pairs in parts.values() for pair in pairs) == sorted(skeleton.pairs)
    names = {part: {skeleton.joints[left].removeprefix("left_") for left, _ in pairs} for part, pairs in parts.items()}
    assert {"hip", "knee", "ankle"} <= names["legs"]
    assert {"shoulder", "elbow", "wrist"} <= names["arms"]
    assert not names.get("head", set()) & {"shoulder", "hip"}


@pytest.mark.parametrize("clip", ["05_01", "05_02"])
@pytest.mark.parametrize("count", [3, 4])
def test_motion_capture(shared_data: Path, clip: str, count: int) -> None:
    """Modern dance: turns, crossed legs, arms that swing past each other."""
    with h5py.File(shared_data / "mocap" / "cmu.h5") as file:
        names = [joint.decode() for joint in file[clip].attrs["joints"]]
        positions = file[clip]["positions"][:]
    own = {"root": "pelvis", "skull": "head", "head_end": "head_top"}
    order = [names.index(own.get(j, j.replace("left_", "l_").replace("right_", "r_"))) for j in CMU25.joints]
    points = positions[:, order] - positions.mean((0, 1)) * [1, 1, 0]
    cameras = ring(count, radius=2.5 + 1.5 * float(np.abs(points[..., :2]).max()))
    truth = swaps_at(count, len(points), CMU25, 0.02, 15)
    clean = detected(cameras, points)
    found = search(cameras, exchange(clean, truth, CMU25), CMU25)
    nothing = search(cameras, clean, CMU25)
    for part, expected in truth.items():
        visible = apart(cameras, points, CMU25, part) > 15
        assert (found[part] == expected)[visible].all()
        assert not nothing[part][visible].any()
