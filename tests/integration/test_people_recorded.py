"""The Pose2Sim demo: four cameras around a person who balances, their OpenPose keypoints, and scene points."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift3d.calibration.gauge import alignment_to
from lift3d.calibration.parameters import rotations
from lift3d.calibration.people import PeopleReport, refine_from_people
from lift3d.calibration.scene_points import cameras_from_points, read_scene_points
from lift3d.calibration.world import WorldChange, level_world, rig_in_world
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.geometry.triangulation import triangulate_points
from lift3d.io.keypoints import read_keypoints
from lift3d.io.rigs import read_rig
from lift3d.poses import Keypoints2D, Poses3D

SCENE_POINTS = Path(__file__).parents[2] / "experiments" / "calibration" / "pose2sim_scene_points.csv"
# Which of the people in each camera's file balances; the other one stands in the background.
PERSON = (1, 0, 0, 0)
# About the distance of the cameras from the person, metres.
REACH = 4.0


@pytest.fixture(scope="module")
def rig(shared_data: Path) -> Rig:
    found = read_rig(shared_data / "multiview" / "pose2sim_demo" / "calibration" / "Calib.qca.txt")
    return replace(found, cameras=tuple(replace(c, name=c.name.replace("_", "")) for c in found))


@pytest.fixture(scope="module")
def keypoints(shared_data: Path, rig: Rig) -> list[Keypoints2D]:
    folder = shared_data / "multiview" / "pose2sim_demo" / "single_balancing" / "pose"
    motions = []
    for camera, person in zip(rig, PERSON, strict=True):
        motion = read_keypoints(folder / f"{camera.name}_json", fps=60, image_size=camera.image_size)
        motions.append(replace(motion.select(people=[person]), track_ids=(0,)))
    return motions


@pytest.fixture(scope="module")
def refined(rig: Rig, keypoints: list[Keypoints2D]) -> tuple[Rig, PeopleReport]:
    return refine_from_people(rig, keypoints)


def bumped(camera: Camera, random: np.random.Generator) -> Camera:
    """Turned by 1 to 2 degrees and moved by 5 cm."""
    turn, shift = random.normal(size=(2, 3))
    R = rotations(np.radians(random.uniform(1, 2)) * turn / np.linalg.norm(turn)) @ camera.R
    return replace(camera, R=R, t=-R @ (camera.centre + 0.05 * shift / np.linalg.norm(shift)))


def differences(rig: Rig, other: Rig, scale: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(cameras,) degrees and (cameras,) metres between two rigs of one world, the whole aligned first."""
    change, _ = alignment_to(rig, other, scale, REACH)
    turns = [a.R @ b.R.T for a, b in zip(rig_in_world(rig, change), other, strict=True)]
    degrees = np.degrees([np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)) for turn in turns])
    centres = zip(rig_in_world(rig, change), other, strict=True)
    return degrees, np.array([np.linalg.norm(a.centre - b.centre) for a, b in centres])


def stacked(keypoints: Sequence[Keypoints2D]) -> np.ndarray:
    return np.stack([np.where(k.confidence[..., None] > 0.5, k.xy, np.nan) for k in keypoints]).astype(np.float64)


def reprojection_error(rig: Rig, xy: np.ndarray) -> float:
    """Median over all keypoints, pixels."""
    points = triangulate_points(rig.cameras, xy).points
    return float(np.nanmedian([np.linalg.norm(c.project(points) - p, axis=-1) for c, p in zip(rig, xy, strict=True)]))


def test_held_out_frames_agree_better(refined: tuple[Rig, PeopleReport]) -> None:
    _, report = refined
    # 13.0 px with the file's cameras, 7.5 px with the refined ones.
    assert report.error_after.mean() < 0.65 * report.error_before.mean()
    assert any("known length" in warning for warning in report.warnings)


@pytest.mark.parametrize("seed", [0, 1])
def test_bumped_cameras_come_back(
    rig: Rig, keypoints: list[Keypoints2D], refined: tuple[Rig, PeopleReport], seed: int
) -> None:
    random = np.random.default_rng(seed)
    moved = Rig(tuple(bumped(camera, random) for camera in rig))
    assert differences(moved, refined[0])[0].max() > 1.5
    again, report = refine_from_people(moved, keypoints)
    degrees, metres = differences(again, refined[0])
    assert degrees.max() < 0.1
    assert metres.max() < 0.005
    assert report.error_after.mean() < 1.02 * refined[1].error_after.mean()


def test_scale_from_the_height_is_near_that_of_the_file(rig: Rig, keypoints: list[Keypoints2D]) -> None:
    # The participant's stature is 1.72 m in the demo's configuration.
    _, report = refine_from_people(rig, keypoints, height=1.72)
    assert report.scale == pytest.approx(1, abs=0.03)


def test_scene_points_give_a_rig(rig: Rig, keypoints: list[Keypoints2D]) -> None:
    unplaced = [replace(camera, R=np.eye(3), t=np.zeros(3)) for camera in rig]
    solution = cameras_from_points(unplaced, read_scene_points(SCENE_POINTS))
    assert solution.used.sum() == 27
    assert solution.rmse < 3
    assert not solution.warnings
    degrees, metres = differences(solution.rig, rig, scale=1.0)
    assert degrees.max() < 2.5
    assert metres.max() < 0.15
    # The people, whom the points do not know, agree better with these cameras than with those of the file.
    xy = stacked(keypoints)
    assert reprojection_error(solution.rig, xy) < 0.8 * reprojection_error(rig, xy)


def test_levelling_finds_the_upright_of_the_file(rig: Rig, keypoints: list[Keypoints2D]) -> None:
    points = triangulate_points(rig.cameras, stacked(keypoints)).points
    away = WorldChange(rotations(np.array([1.0, -0.5, 2.0])), np.array([1.0, 2, 3]))
    poses = Poses3D(away.apply(points), skeleton=keypoints[0].skeleton, fps=60)

    def off(change: WorldChange) -> float:
        return float(np.degrees(np.arccos((change.Q @ away.Q)[2, 2])))

    # These cameras were not held level, which shows; the person stands on one leg and leans, and is right to 3 degrees.
    alone = level_world(rig_in_world(rig, away))
    assert "not held level" in alone.warnings[0]
    assert off(alone) < 15
    change = level_world(rig_in_world(rig, away), poses)
    assert not change.warnings
    assert off(change) < 4
