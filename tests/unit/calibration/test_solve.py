"""Whole rigs from synthetic boards with known truth: every lens, honest errors, and the words for impossible input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_scenes import Scene, synthetic_scene
from scipy.spatial.transform import Rotation

from lift3d.calibration.boards import Board
from lift3d.calibration.observations import Observations
from lift3d.calibration.parameters import moved, rotations
from lift3d.calibration.solution import Solution
from lift3d.calibration.solve import solve
from lift3d.calibration.world import WorldChange
from lift3d.errors import CameraError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig


def observed(scene: Scene, xy: np.ndarray | None = None) -> Observations:
    xy = scene.xy if xy is None else xy
    columns, rows = scene.corners
    return Observations(
        board=Board("chessboard", (columns + 1, rows + 1), scene.square),
        cameras=scene.rig.names,
        image_sizes=tuple(camera.image_size for camera in scene.rig),
        xy=xy,
        frames=tuple(map(str, range(xy.shape[1]))),
        images=(xy.shape[1],) * len(xy),
    )


def parameter_errors(solution: Solution, truth: Rig) -> np.ndarray:
    """Of each parameter of the solution what is true less what was found, in the space of the reference camera."""
    reference = truth[solution.metadata["reference"]]
    values = {}
    for true in truth:
        found = solution.rig[true.name]
        R = true.R @ reference.R.T
        turn = Rotation.from_matrix(R @ found.R.T).as_rotvec()
        shift = true.t - R @ reference.t - found.t
        K = true.K - found.K
        names = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "rx", "ry", "rz", "tx", "ty", "tz")
        numbers = (K[0, 0], K[1, 1], K[0, 2], K[1, 2], *(true.distortion - found.distortion)[:5], *turn, *shift)
        values |= {(true.name, name): number for name, number in zip(names, numbers, strict=True)}
    return np.array([values[parameter] for parameter in solution.parameters])


def test_errors_are_as_large_as_the_covariance_says():
    """Over several rigs the whitened errors of all parameters have a mean square of 1."""
    squares, count = 0.0, 0
    for seed in range(6):
        scene = synthetic_scene(seed, cameras=2 + seed % 3, moments=24)
        solution = solve(observed(scene))
        errors = parameter_errors(solution, scene.rig)
        squares += errors @ np.linalg.solve(solution.covariance, errors)
        count += len(errors)
        assert solution.rmse == pytest.approx(0.3 * np.sqrt(2), rel=0.05)
        assert np.abs(errors[[p.name == "fx" for p in solution.parameters]]).max() < 5
    assert count > 200
    assert 0.8 < squares / count < 1.25


@pytest.mark.parametrize(
    ("lens", "focal", "distortion", "nearest"),
    [
        ("standard", 3.0, [0.1, 0, 0, 0, 0], 2.5),
        ("standard", 0.42, [-0.28, 0.08, 0.0005, 0.0005, -0.008], 0.35),
        ("rational", 0.42, [0.2, 0.05, 0.0004, 0.0002, 0.01, 0.55, 0.12, 0.02], 0.35),
        ("fisheye", 0.25, [-0.02, 0.005, -0.002, 0.0005], 0.35),
    ],
)
def test_every_lens_is_found(lens, focal, distortion, nearest):
    scene = synthetic_scene(1, cameras=2, moments=30, noise=0, outliers=0, nearest=nearest)
    K = np.array([[focal * 1920, 0, 950], [0, focal * 1920, 550], [0, 0, 1]])
    cameras = tuple(
        Camera(K, distortion, true.R, true.t, true.image_size, true.name, lens == "fisheye") for true in scene.rig
    )
    world = scene.board_poses.world()
    xy = np.stack([camera.project(world) for camera in cameras])
    inside = ((xy > 0) & (xy < [1919, 1079])).all(axis=-1)
    solution = solve(observed(scene, np.where(inside[..., None], xy, np.nan)), lens=lens)
    for found, true in zip(solution.rig, cameras, strict=True):
        shown = inside[solution.rig.names.index(true.name)]
        assert shown.any()
        np.testing.assert_allclose(np.diag(found.K), np.diag(true.K), rtol=1e-4)
        np.testing.assert_allclose(found.K[:2, 2], true.K[:2, 2], atol=0.1)
    assert solution.rmse < 0.02
    assert np.linalg.norm(np.subtract(*[c.centre for c in solution.rig])) == pytest.approx(
        np.linalg.norm(np.subtract(*[c.centre for c in cameras])), rel=1e-4
    )


def test_given_intrinsics_are_held_or_improved():
    scene = synthetic_scene(2, cameras=2, moments=20)
    wrong = Rig(tuple(moved(camera, ("fx", "fy"), (4.0, 4.0)) for camera in scene.rig))
    held = solve(observed(scene), intrinsics=wrong, hold_intrinsics=True)
    free = solve(observed(scene), intrinsics=wrong)
    for camera in wrong:
        np.testing.assert_array_equal(held.rig[camera.name].K, camera.K)
        assert abs(free.rig[camera.name].K[0, 0] - scene.rig[camera.name].K[0, 0]) < 3
    assert {name for _, name in held.parameters} == {"rx", "ry", "rz", "tx", "ty", "tz"}
    assert held.rmse > free.rmse


def test_cameras_apart_need_no_shared_moments():
    scene = synthetic_scene(4, cameras=2, moments=24)
    owner = np.arange(24) % 2
    alone = np.where((owner == np.arange(2)[:, None])[..., None, None], scene.xy, np.nan)
    solution = solve(observed(scene, alone), extrinsics=False)
    assert all(np.array_equal(camera.R, np.eye(3)) and not camera.t.any() for camera in solution.rig)
    for found, true in zip(solution.rig, scene.rig, strict=True):
        assert found.K[0, 0] == pytest.approx(true.K[0, 0], rel=0.01)
    with pytest.raises(CameraError, match="saw the board at one moment"):
        solve(observed(scene), extrinsics=False)


def test_cameras_that_never_met_are_named():
    scene = synthetic_scene(4, cameras=4, moments=40)
    xy = scene.xy.copy()
    early = np.arange(40) < 20
    xy[:2, ~early], xy[2:, early] = np.nan, np.nan
    with pytest.raises(CameraError, match=r"2 groups .*cam1, cam2; cam3, cam4.* cam1 with cam3, cam1 with cam4"):
        solve(observed(scene, xy))


def test_too_few_views_are_counted():
    scene = synthetic_scene(4, cameras=2, moments=10)
    xy = scene.xy.copy()
    xy[1, np.flatnonzero(np.isfinite(xy[1]).all(axis=(1, 2)))[1:]] = np.nan
    xy[1, :, 5:] = np.nan
    with pytest.raises(CameraError, match=r"camera 'cam2': 0 of its 10 images .* at least 2 are needed"):
        solve(observed(scene, xy))
    with pytest.raises(CameraError, match=r"0 of its 10 images .* at least 1 is needed"):
        solve(observed(scene, xy), intrinsics=scene.rig, hold_intrinsics=True)


def test_another_resolution_than_the_given_intrinsics():
    scene = synthetic_scene(4, cameras=2, moments=10)
    other = Rig(tuple(replace(camera, K=camera.K * [[2], [2], [1]], image_size=(3840, 2160)) for camera in scene.rig))
    with pytest.raises(
        CameraError, match="'cam1': its images have 1920x1080 pixels, its given intrinsics are for 3840x2160"
    ):
        solve(observed(scene), intrinsics=other)
    with pytest.raises(CameraError, match="the lens must be one of"):
        solve(observed(scene), lens="wide")


def test_boards_parallel_to_the_image_leave_the_focal_length_open():
    tilted, flat = (solve(observed(synthetic_scene(9, cameras=1, moments=16, tilt=tilt))) for tilt in (45, 0))
    assert flat.standard_errors("cam1")["fx"] > 4 * tilted.standard_errors("cam1")["fx"]


def test_another_world_changes_nothing_but_the_axes():
    scene = synthetic_scene(3, cameras=3, moments=20)
    solution = solve(observed(scene))
    Q, q = rotations(np.array([0.4, -1.0, 2.0])), np.array([1.0, -2.0, 0.5])
    turned = solution.in_world(WorldChange(Q, q))
    points = solution.board_poses.world()[np.isfinite(solution.board_poses.t).all(axis=1)]
    for before, after in zip(solution.rig, turned.rig, strict=True):
        np.testing.assert_allclose(after.project(points @ Q.T + q), before.project(points), atol=1e-6)
    back = turned.in_world(WorldChange(Q.T, -Q.T @ q))
    scale = np.sqrt(np.diag(solution.covariance))
    np.testing.assert_allclose((back.covariance - solution.covariance) / np.outer(scale, scale), 0, atol=1e-6)

    # Draws of the parameters, carried over one by one, spread as the carried covariance says.
    draws = np.random.default_rng(0).multivariate_normal(np.zeros(len(scale)), solution.covariance, 4000)
    camera = next(c for c in solution.rig if c.name != solution.metadata["reference"])
    mine = [index for index, parameter in enumerate(solution.parameters) if parameter.camera == camera.name]
    names = [solution.parameters[index].name for index in mine]
    shifts = []
    for draw in draws[:, mine]:
        drawn = moved(camera, names, draw)
        shifts.append(drawn.t - drawn.R @ Q.T @ q - turned.rig[camera.name].t)
    translations = [mine[names.index(name)] for name in ("tx", "ty", "tz")]
    expected = turned.covariance[np.ix_(translations, translations)]
    np.testing.assert_allclose(
        np.cov(np.array(shifts).T) / np.trace(expected), expected / np.trace(expected), atol=0.05
    )


def test_cameras_that_did_not_film_together_do_not_bend_their_intrinsics():
    """A camera that lags by a tenth of a second contradicts the others; that is not the fault of its lens."""
    squares = []
    for seed in (1, 2, 4):
        together, late = (synthetic_scene(seed, cameras=3, moments=60, lags=lags) for lags in ((), (0, 0.1, 0)))
        fit, doubt = solve(observed(together)), solve(observed(late))
        assert fit.metadata["cameras_agree"]
        assert not doubt.metadata["cameras_agree"]
        whitened = parameter_errors(doubt, late.rig) / np.sqrt(np.diag(doubt.covariance))
        squares.append(np.square(whitened))
        assert {name for _, name in doubt.parameters} == {name for _, name in fit.parameters}
    # Of a plain covariance it is 10 to 1000.
    assert 0.4 < np.mean(squares) < 4


def test_few_views_free_few_intrinsics():
    scene = synthetic_scene(2, cameras=1, moments=30)
    counts = {}
    for views in (3, 8, 30):
        names = [name for _, name in solve(observed(scene).select(slice(views))).parameters]
        counts[views] = names
    assert counts[3] == ["fx", "fy"]
    assert "k2" in counts[8]
    assert "k3" not in counts[8]
    assert "k3" in counts[30]
