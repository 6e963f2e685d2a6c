"""Rigs that moved a little, refined from people whose true motion, cameras and lengths are known."""

from dataclasses import replace

import numpy as np
import pytest
from calibration_scenes import synthetic_scene

from lift3d.calibration.body_lengths import SHARES, known_scale, stature
from lift3d.calibration.gauge import alignment_to, without_gauge
from lift3d.calibration.parameters import POSE, rotations
from lift3d.calibration.people import PeopleReport, refine_from_people
from lift3d.calibration.world import WorldChange, rig_in_world
from lift3d.errors import CameraError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.poses import Keypoints2D
from lift3d.skeletons import BODY25B

HEIGHT = 1.75


def person(frames: int = 250, seed: int = 0, walk: float = 1.0) -> np.ndarray:
    """(frames, 1, 25, 3) somebody of HEIGHT who walks about, turns, swings arms and legs and bends."""
    random = np.random.default_rng(seed)
    time = np.linspace(0, 10, frames)

    def swing(size: float) -> np.ndarray:
        return size * np.sin(random.uniform(1, 4) * time + random.uniform(0, 2 * np.pi))

    xyz = np.full((frames, 25, 3), np.nan)
    heading = swing(3.0)
    forward = np.stack([np.cos(heading), np.sin(heading), 0 * time], axis=-1)
    left = np.stack([-np.sin(heading), np.cos(heading), 0 * time], axis=-1)
    up = np.array([0.0, 0, 1])

    def limb(angle: np.ndarray, length: float, down: float = -1.0) -> np.ndarray:
        return length * HEIGHT * (np.sin(angle)[:, None] * forward + down * np.cos(angle)[:, None] * up)

    pelvis = np.stack([swing(0.8 * walk), swing(0.8 * walk), 0.95 + swing(0.05)], axis=-1)
    bend = swing(0.5)
    chest = pelvis + limb(bend, SHARES["trunk"], 1.0)
    xyz[:, BODY25B.index("head_top")] = chest + limb(bend, SHARES["head"], 1.0)
    xyz[:, BODY25B.index("nose")] = chest + limb(bend, 0.09, 1.0) + 0.1 * forward
    for side, sign in (("left", 1), ("right", -1)):
        hip, shoulder = pelvis + sign * 0.1 * left, chest + sign * 0.18 * left
        knee = hip + limb(swing(0.6), SHARES["thigh"])
        elbow = shoulder + limb(swing(1.5), 0.16)
        joints = {"hip": hip, "knee": knee, "ankle": knee + limb(swing(0.6), SHARES["shin"])}
        joints |= {"shoulder": shoulder, "elbow": elbow, "wrist": elbow + limb(swing(1.5), 0.15)}
        for joint, place in joints.items():
            xyz[:, BODY25B.index(f"{side}_{joint}")] = place
    return xyz[:, None]


def filmed(rig: Rig, xyz: np.ndarray, noise: float = 2.0, seed: int = 1) -> list[Keypoints2D]:
    """Keypoints with noise, 2 % gross errors, and nothing outside the images."""
    random = np.random.default_rng(seed)
    result = []
    for camera in rig:
        xy = camera.project(xyz)
        xy += random.normal(size=xy.shape) * noise
        xy[random.random(xy.shape[:3]) < 0.02] += random.normal(size=2) * 60
        assert camera.image_size is not None
        with np.errstate(invalid="ignore"):
            xy[((xy < 0) | (xy > camera.image_size)).any(axis=-1)] = np.nan
        result.append(Keypoints2D(xy, skeleton=BODY25B, fps=25, image_size=camera.image_size))
    return result


def bumped(camera: Camera, seed: int, degrees: float = 2.0, metres: float = 0.05) -> Camera:
    turn, shift = np.random.default_rng(seed).normal(size=(2, 3))
    R = rotations(np.radians(degrees) * turn / np.linalg.norm(turn)) @ camera.R
    return replace(camera, R=R, t=-R @ (camera.centre + metres * shift / np.linalg.norm(shift)))


@pytest.fixture(scope="module")
def truth() -> Rig:
    return synthetic_scene(3, cameras=4, moments=1, spread=90).rig


@pytest.fixture(scope="module")
def keypoints(truth: Rig) -> list[Keypoints2D]:
    return filmed(truth, person())


def differences(found: Rig, truth: Rig) -> tuple[np.ndarray, np.ndarray]:
    """(cameras,) degrees and (cameras,) metres."""
    turns = [a.R @ b.R.T for a, b in zip(found, truth, strict=True)]
    degrees = np.degrees([np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)) for turn in turns])
    return degrees, np.array([np.linalg.norm(a.centre - b.centre) for a, b in zip(found, truth, strict=True)])


def whitened(found: Rig, report: PeopleReport, truth: Rig) -> float:
    """Mean square error of the rig's shape in its standard errors."""
    change, _ = alignment_to(found, truth, None, 3.0)
    errors = []
    for a, b in zip(truth, rig_in_world(found, change), strict=True):
        turn = a.R @ b.R.T
        errors += [turn[2, 1], turn[0, 2], turn[1, 0], *(a.t - b.t)]
    same = np.ones(len(truth))
    shape = without_gauge(truth, report.parameters, report.covariance, same, 3.0)
    values, vectors = np.linalg.eigh(shape)
    known = values > 1e-9 * values.max()
    assert known.sum() == 6 * len(truth) - 7
    return float((np.square(vectors[:, known].T @ errors) / values[known]).mean())


def test_bumped_cameras_come_back(truth: Rig, keypoints: list[Keypoints2D]) -> None:
    rig = Rig(tuple(bumped(camera, i) if i in (1, 2) else camera for i, camera in enumerate(truth)))
    result, report = refine_from_people(rig, keypoints, height=HEIGHT)
    degrees, metres = differences(result, truth)
    assert degrees.max() < 0.1
    assert metres.max() < 0.005
    np.testing.assert_allclose(report.turned, [0, 2, 2, 0], atol=0.1)
    np.testing.assert_allclose(report.shifted, [0, 0.05, 0.05, 0], atol=0.005)
    assert report.scale == pytest.approx(1, abs=0.003)
    assert (report.error_after < report.error_before).all()
    assert report.noise == pytest.approx(2, rel=0.1)
    assert 0.4 < whitened(result, report, truth) < 2
    assert not report.warnings
    assert not report.left_out


def test_all_cameras_bumped(truth: Rig, keypoints: list[Keypoints2D]) -> None:
    rig = Rig(tuple(bumped(camera, i) for i, camera in enumerate(truth)))
    result, report = refine_from_people(rig, keypoints, height=HEIGHT)
    # No camera says where the world was; against each other they are right.
    change, _ = alignment_to(result, truth, 1.0, 3.0)
    degrees, metres = differences(rig_in_world(result, change), truth)
    assert degrees.max() < 0.1
    assert metres.max() < 0.006
    assert whitened(result, report, truth) < 2.5


@pytest.mark.parametrize(
    "known", [{"height": HEIGHT}, {"distance": ("left_knee", "left_ankle", SHARES["shin"] * HEIGHT)}]
)
def test_scale_from_a_known_length(truth: Rig, keypoints: list[Keypoints2D], known: dict[str, float]) -> None:
    # A board measured in wrong squares makes a rig 30 % too large.
    rig = rig_in_world(truth, WorldChange(np.eye(3), np.zeros(3), 1.3))
    rig = Rig((bumped(rig.cameras[0], 0), *rig.cameras[1:]))
    result, report = refine_from_people(rig, keypoints, **known)  # type: ignore[arg-type]
    assert report.scale == pytest.approx(1 / 1.3, rel=0.005)
    baseline, true = (
        np.linalg.norm(cameras.cameras[1].centre - cameras.cameras[3].centre) for cameras in (result, truth)
    )
    assert baseline == pytest.approx(true, rel=0.005)


def test_without_a_known_length_the_scale_stays(truth: Rig, keypoints: list[Keypoints2D]) -> None:
    rig = Rig((bumped(truth.cameras[0], 0), *truth.cameras[1:]))
    result, report = refine_from_people(rig, keypoints)
    assert differences(result, truth)[1].max() < 0.006
    assert any("known length" in warning for warning in report.warnings)


def test_focal_length(truth: Rig, keypoints: list[Keypoints2D]) -> None:
    camera = truth.cameras[2]
    wrong = replace(camera, K=camera.K * np.array([[1.03, 1, 1], [1, 1.03, 1], [1, 1, 1]]))
    rig = Rig((*truth.cameras[:2], wrong, truth.cameras[3]))
    result, _ = refine_from_people(rig, keypoints, height=HEIGHT, free=("fx", "fy"))
    np.testing.assert_allclose(np.diag(result.cameras[2].K)[:2], np.diag(camera.K)[:2], rtol=0.005)


def test_a_good_rig_is_kept(truth: Rig, keypoints: list[Keypoints2D]) -> None:
    with pytest.raises(CameraError, match="do not improve the rig"):
        refine_from_people(truth, keypoints, height=HEIGHT)


def test_joints_that_are_seen_elsewhere_in_every_view(truth: Rig) -> None:
    keypoints = []
    for index, motion in enumerate(filmed(truth, person())):
        xy = motion.xy.copy()
        xy[:, :, BODY25B.index("nose")] += 40 * np.array([np.cos(2 * index), np.sin(2 * index)])
        keypoints.append(replace(motion, xy=xy))
    rig = Rig((bumped(truth.cameras[0], 0), *truth.cameras[1:]))
    result, report = refine_from_people(rig, keypoints, height=HEIGHT)
    assert report.left_out == ("nose",)
    assert differences(result, truth)[0].max() < 0.1


def test_too_little_is_noticed(truth: Rig) -> None:
    still = filmed(truth, person(walk=0.02))
    corner = np.where((still[1].xy < [1000, 600]).all(axis=-1, keepdims=True), still[1].xy, np.nan)
    still[1] = replace(still[1], xy=corner)
    rig = Rig((bumped(truth.cameras[0], 0), *truth.cameras[1:]))
    _, report = refine_from_people(rig, still, height=HEIGHT)
    assert any("hardly moved" in warning for warning in report.warnings)
    assert any("% of its image" in warning for warning in report.warnings)
    pair = Rig((bumped(truth.cameras[0], 0), truth.cameras[1]))
    _, report = refine_from_people(pair, filmed(truth, person())[:2], height=HEIGHT)
    assert "two cameras" in report.warnings[0]


def test_people_are_matched_by_their_track_ids(truth: Rig) -> None:
    first, second = person(seed=0), person(seed=5)
    keypoints = []
    for index, motion in enumerate(filmed(truth, np.concatenate([first, second], axis=1))):
        swapped = index == 2
        order = [1, 0] if swapped else [0, 1]
        keypoints.append(replace(motion.select(people=order), track_ids=(7, 3) if swapped else (3, 7)))
    rig = Rig((bumped(truth.cameras[0], 0), *truth.cameras[1:]))
    result, _ = refine_from_people(rig, keypoints)
    assert differences(result, truth)[0].max() < 0.1
    with pytest.raises(ShapeError, match="height is of one person"):
        refine_from_people(rig, keypoints, height=HEIGHT)


def test_what_does_not_fit(truth: Rig, keypoints: list[Keypoints2D]) -> None:
    with pytest.raises(ShapeError, match=r"4 cameras .* keypoints come of 3"):
        refine_from_people(truth, keypoints[:3])
    with pytest.raises(ShapeError, match="frames"):
        refine_from_people(truth, [*keypoints[:3], keypoints[3].select(slice(10))])
    with pytest.raises(ShapeError, match="joints of coco17"):
        refine_from_people(truth, [*keypoints[:3], keypoints[3].convert("coco17")[0]])
    with pytest.raises(CameraError, match="one camera alone"):
        refine_from_people(Rig(truth.cameras[:1]), keypoints[:1])
    with pytest.raises(CameraError, match="too few to refine"):
        refine_from_people(truth, [motion.select(slice(5)) for motion in keypoints])
    with pytest.raises(ShapeError, match="stature in metres"):
        refine_from_people(truth, keypoints, height=175)
    with pytest.raises(ShapeError, match="instead of a distance"):
        refine_from_people(truth, keypoints, height=1.75, distance=("left_hip", "left_knee", 0.4))


def test_stature_and_distances() -> None:
    xyz = person()
    assert stature(BODY25B, xyz) == pytest.approx(HEIGHT)
    headless = xyz.copy()
    headless[:, :, BODY25B.index("head_top")] = np.nan
    assert stature(BODY25B, headless) == pytest.approx(HEIGHT)
    assert known_scale(BODY25B, xyz / 2, HEIGHT, None) == pytest.approx(2)
    assert known_scale(BODY25B, xyz, None, ("left_hip", "right_hip", 0.3)) == pytest.approx(1.5)
    assert known_scale(BODY25B, xyz, None, None) is None
    with pytest.raises(ShapeError, match="between two joints"):
        known_scale(BODY25B, xyz, None, ("left_hip", "left_hip", 0.3))
    with pytest.raises(SkeletonError, match="no joint 'tail'"):
        known_scale(BODY25B, xyz, None, ("left_hip", "tail", 0.3))
    with pytest.raises(CameraError, match="never seen together"):
        known_scale(BODY25B, headless, None, ("left_hip", "head_top", 0.3))
    with pytest.raises(CameraError, match="neither legs nor trunk"):
        stature(BODY25B, np.where(np.arange(25)[:, None] > 10, np.nan, xyz))


def test_alignment_follows_the_cameras_that_stood_still(truth: Rig) -> None:
    rig = Rig(tuple(bumped(camera, i) if i != 1 and i != 3 else camera for i, camera in enumerate(truth)))
    away = WorldChange(rotations(np.array([0.3, -0.2, 1.0])), np.array([1.0, 2, 3]), 0.5)
    for scale in (2.0, None):
        change, weights = alignment_to(rig_in_world(rig, away), truth, scale, 3.0)
        degrees, metres = differences(rig_in_world(rig_in_world(rig, away), change), rig)
        assert degrees.max() < 0.01
        assert metres.max() < 1e-3
        assert change.scale == pytest.approx(2, abs=1e-3)
        assert (weights > 0.5).tolist() == [False, True, False, True]


def test_without_gauge_nothing_of_the_whole_is_left(truth: Rig) -> None:
    from lift3d.calibration.parameters import Parameter

    parameters = [Parameter(camera.name, name) for camera in truth for name in POSE]
    same = np.ones(4)
    keep = without_gauge(truth, parameters, np.eye(24), same, 3.0)
    assert np.linalg.matrix_rank(keep, tol=1e-9) == 17
    # A turn, shift and growth of the whole rig has no variance left.
    small = 1e-6
    for change in (
        WorldChange(rotations(np.array([small, 2 * small, 0])), np.zeros(3)),
        WorldChange(np.eye(3), np.array([small, 0, -small])),
        WorldChange(np.eye(3), np.zeros(3), 1 + small),
    ):
        moved = []
        for before, after in zip(truth, rig_in_world(truth, change), strict=True):
            turn = after.R @ before.R.T
            moved += [turn[2, 1], turn[0, 2], turn[1, 0], *(after.t - before.t)]
        unit = np.array(moved) / np.linalg.norm(moved)
        whole = without_gauge(truth, parameters, np.outer(unit, unit), same, 3.0)
        assert np.abs(whole).max() < 1e-8
