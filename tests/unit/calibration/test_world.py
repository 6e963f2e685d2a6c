"""Changes of the world: the cameras must see the same, and the axes must be those that were asked for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.calibration.parameters import POSE, Parameter, moved, rotations
from lift3d.calibration.world import (
    WorldChange,
    covariance_in_world,
    level_world,
    rig_in_world,
    world_from_board,
    world_from_points,
)
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.poses import Poses3D
from lift3d.skeletons import COCO17

K = np.array([[1000.0, 0, 960], [0, 1000, 540], [0, 0, 1]])


def camera_at(centre: list[float], target: list[float], name: str, roll: float = 0.0) -> Camera:
    z = np.subtract(target, centre)
    z = z / np.linalg.norm(z)
    x = np.cross(z, [0, 0, 1])
    x /= np.linalg.norm(x)
    R = rotations(np.array([0, 0, np.radians(roll)])) @ np.stack([x, np.cross(z, x), z])
    return Camera(K, R=R, t=-R @ np.array(centre, dtype=float), image_size=(1920, 1080), name=name)


def ring(count: int = 4, rolls: list[float] | None = None, height: float = 1.8) -> Rig:
    """Cameras around the origin that look at a point 1 m above it."""
    angles = 2 * np.pi * np.arange(count) / 5
    return Rig(
        tuple(
            camera_at(
                [4 * np.cos(a), 4 * np.sin(a), height], [0, 0, 1.0], f"cam{index}", (rolls or [0.0] * count)[index]
            )
            for index, a in enumerate(angles)
        )
    )


def walkers(frames: int = 200, lean: float = 15.0, seed: int = 0) -> Poses3D:
    """A person who leans forward and walks a figure of eight: feet on the floor in turn, with 1 cm noise."""
    random = np.random.default_rng(seed)
    phase = np.linspace(0, 4 * np.pi, frames)
    pelvis = np.stack([0.9 * np.sin(phase), 0.6 * np.sin(2 * phase), np.full(frames, 0.9)], axis=-1)
    ahead = np.gradient(pelvis[:, :2], axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    xyz = np.full((frames, 1, 17, 3), np.nan)
    tilt = np.radians(lean)
    for side, sign in (("left", 1), ("right", -1)):
        across = sign * np.stack([-ahead[:, 1], ahead[:, 0]], axis=-1)
        lift = 0.15 * np.maximum(0, sign * np.sin(12 * phase))
        foot = np.column_stack([pelvis[:, :2] + 0.1 * across, 0.08 + lift])
        chest = np.column_stack(
            [pelvis[:, :2] + 0.17 * across + 0.5 * np.sin(tilt) * ahead, 0.9 + 0.5 * np.full(frames, np.cos(tilt))]
        )
        xyz[:, 0, COCO17.index(f"{side}_ankle")] = foot
        xyz[:, 0, COCO17.index(f"{side}_hip")] = np.column_stack([pelvis[:, :2] + 0.1 * across, pelvis[:, 2]])
        xyz[:, 0, COCO17.index(f"{side}_shoulder")] = chest
    return Poses3D(xyz + random.normal(size=xyz.shape) * 0.01, skeleton=COCO17, fps=30)


def somewhere(seed: int = 3) -> WorldChange:
    """From the true world to another one."""
    random = np.random.default_rng(seed)
    return WorldChange(rotations(random.normal(size=3)), random.normal(size=3))


def elsewhere(rig: Rig, poses: Poses3D | None, seed: int = 3) -> tuple[Rig, Poses3D | None]:
    change = somewhere(seed)
    return rig_in_world(rig, change), None if poses is None else replace(poses, xyz=change.apply(poses.xyz))


def tilt_of(change: WorldChange, seed: int = 3) -> float:
    """Degrees between the new Z and the true one."""
    return float(np.degrees(np.arccos(np.clip((change.Q @ somewhere(seed).Q)[2, 2], -1, 1))))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.2, 5))
def test_the_cameras_see_the_same_in_a_new_world(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    change = WorldChange(rotations(random.normal(size=3)), random.normal(size=3) * 3, scale)
    points = random.normal(size=(20, 3)) * 0.5
    for before, after in zip(ring(), rig_in_world(ring(), change), strict=True):
        np.testing.assert_allclose(after.project(change.apply(points)), before.project(points), atol=1e-6)
        np.testing.assert_allclose(after.centre, change.apply(before.centre), atol=1e-9)


def test_covariance_in_a_new_world_is_that_of_moved_cameras() -> None:
    random = np.random.default_rng(1)
    rig = Rig((ring().cameras[0],))
    change = WorldChange(rotations(random.normal(size=3)), random.normal(size=3) * 3, 1.7)
    parameters = tuple(Parameter("cam0", name) for name in ("fx", *POSE))
    root = np.tril(random.normal(size=(7, 7))) * 1e-5
    covariance = covariance_in_world(rig, parameters, root @ root.T, change)
    # By finite differences: how the new parameters move with the old ones.
    before = rig_in_world(rig, change).cameras[0]
    moves = np.empty((7, 7))
    for column, name in enumerate(("fx", *POSE)):
        after = rig_in_world(Rig((moved(rig.cameras[0], (name,), (1e-6,)),)), change).cameras[0]
        turn = (after.R @ before.R.T - np.eye(3)) / 1e-6
        moves[:, column] = [
            (after.K - before.K)[0, 0] / 1e-6,
            turn[2, 1],
            turn[0, 2],
            turn[1, 0],
            *(after.t - before.t) / 1e-6,
        ]
    np.testing.assert_allclose(covariance, moves @ root @ root.T @ moves.T, rtol=1e-4, atol=1e-16)
    unknown = root @ root.T
    unknown[3, :] = unknown[:, 3] = 0
    unknown[3, 3] = np.inf
    assert np.isinf(np.diag(covariance_in_world(rig, parameters, unknown, change))[3])


@pytest.mark.parametrize("into_the_floor", [True, False])
def test_board_on_the_floor(into_the_floor: bool) -> None:
    z = -1.0 if into_the_floor else 1.0
    # The board as it lies in the true world: x along (0.6, 0.8), its z down or up.
    x = np.array([0.6, 0.8, 0.0])
    R = np.stack([x, np.cross([0, 0, z], x), [0, 0, z]], axis=-1)
    t = np.array([0.3, -0.2, 0.0])
    there = somewhere()
    change = world_from_board(there.Q @ R, there.apply(t), rig_in_world(ring(), there))
    assert not change.warnings
    rig = rig_in_world(rig_in_world(ring(), there), change)
    for camera in rig:
        assert camera.centre[2] == pytest.approx(1.8)
    np.testing.assert_allclose(change.apply(there.apply(t)), 0, atol=1e-12)
    np.testing.assert_allclose(change.apply(there.apply(t + 0.5 * x)), [0.5, 0, 0], atol=1e-12)


def test_board_that_is_not_on_the_floor() -> None:
    R = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    assert "below it" in world_from_board(R, np.zeros(3), ring()).warnings[0]
    with pytest.raises(CameraError, match="not found at the moment"):
        world_from_board(np.full((3, 3), np.nan), np.zeros(3), ring())


MEASURED = {"a": (0.0, 0.0, 0.0), "b": (2.0, 0.0, 0.0), "c": (2.0, 1.5, 0.0), "d": (0.0, 1.5, 0.4)}


def present(scale: float = 1.0, mirror: bool = False) -> dict[str, np.ndarray]:
    there = somewhere()
    return {
        name: there.apply(scale * np.array(place) * [1, 1, -1 if mirror else 1]) for name, place in MEASURED.items()
    }


def test_named_points() -> None:
    change = world_from_points(MEASURED, present() | {"unmeasured": np.ones(3)})
    for name, place in MEASURED.items():
        np.testing.assert_allclose(change.apply(present()[name]), place, atol=1e-12)
        assert change.residuals[name] < 1e-12
    assert not change.warnings


def test_named_points_that_do_not_fit() -> None:
    shifted = present()
    shifted["c"] = shifted["c"] + somewhere().Q @ [0, 0.2, 0]
    change = world_from_points(MEASURED, shifted)
    assert max(change.residuals, key=change.residuals.__getitem__) == "c"
    assert "point c" in change.warnings[0]
    assert any("0.001 times" in warning for warning in world_from_points(MEASURED, present(1000)).warnings)
    assert any("mirror" in warning for warning in world_from_points(MEASURED, present(mirror=True)).warnings)


def test_scale_from_named_points() -> None:
    change = world_from_points(MEASURED, present(2.5), scale=True)
    assert change.scale == pytest.approx(0.4)
    np.testing.assert_allclose(change.apply(present(2.5)["c"]), MEASURED["c"], atol=1e-12)


def test_named_points_that_are_too_few() -> None:
    with pytest.raises(CameraError, match=r"three points.*here are 2 \(a, b\)"):
        world_from_points(MEASURED, {name: present()[name] for name in "ab"})
    line = {"a": (0, 0, 0), "b": (1, 0, 0), "c": (2, 0, 0)}
    with pytest.raises(CameraError, match="one line"):
        world_from_points(line, line)


def test_level_cameras() -> None:
    rig, _ = elsewhere(ring(rolls=[1.0, -1.0, 0.5, 0.3]), None)
    change = level_world(rig)
    assert tilt_of(change) < 1.5
    levelled = rig_in_world(rig, change)
    # The first camera looks along y; what all look at is the origin.
    np.testing.assert_allclose(levelled.cameras[0].R[2, 0], 0, atol=1e-9)
    assert levelled.cameras[0].R[2, 1] > 0.9
    for camera in levelled:
        assert np.linalg.norm(camera.project(np.zeros(3)) - [960, 540]) < 1
    assert len(change.warnings) == 1
    assert "floor" in change.warnings[0]


@pytest.mark.parametrize("roll", [90.0, -90.0])
def test_cameras_on_their_side(roll: float) -> None:
    for height in (1.8, 3.0):
        rig, poses = elsewhere(ring(rolls=[roll] * 4, height=height), walkers())
        alone = level_world(rig)
        assert "on their side" in alone.warnings[0]
        assert tilt_of(alone) < 0.1
        assert tilt_of(level_world(rig, poses)) < 1.0


def test_one_camera_and_cameras_side_by_side() -> None:
    for count in (1, 2):
        cameras = [camera_at([0.3 * k, -4, 1.2], [0.3 * k, 0, 1.0], f"cam{k}") for k in range(count)]
        rig, _ = elsewhere(Rig(tuple(cameras)), None)
        change = level_world(rig)
        assert "same direction" in change.warnings[0]
        assert tilt_of(change) < 5


def test_cameras_held_anyhow() -> None:
    rig, poses = elsewhere(ring(rolls=[30.0, -20.0, 45.0, 10.0]), walkers())
    assert "not held level" in level_world(rig).warnings[0]
    change = level_world(rig, poses)
    assert not change.warnings
    assert tilt_of(change) < 1.0


def test_people_show_the_floor() -> None:
    # Cameras level to a degree, people who lean forward: the floor under their feet is better than both.
    rig, poses = elsewhere(ring(rolls=[2.0, 2.0, 2.0, 2.0]), walkers(lean=30))
    change = level_world(rig, poses)
    assert tilt_of(change) < 0.5
    truth = rig_in_world(rig, change)
    assert abs(truth.cameras[0].centre[2] - 1.8) < 0.03
    # The person walked around the true origin.
    assert np.linalg.norm(change.apply(somewhere().apply(np.zeros(3)))) < 0.2


def test_people_who_stand_still() -> None:
    # No floor plane in their feet: level cameras say what is up.
    poses = walkers(lean=20)
    still = replace(poses, xyz=poses.xyz - np.nanmean(poses.xyz, axis=2, keepdims=True) * [1, 1, 0])
    rig, still = elsewhere(ring(), still)
    assert tilt_of(level_world(rig, still)) < 0.1


def test_people_without_feet() -> None:
    poses = walkers()
    headless = replace(poses, xyz=np.where(np.arange(17)[:, None] > 12, np.nan, poses.xyz))
    with pytest.raises(CameraError, match="nobody is seen from the ankles"):
        level_world(ring(), headless)
    with pytest.raises(CameraError, match="one camera"):
        level_world(ring(), replace(poses, space="camera"))
