"""Cameras placed by scene points: known truth, wrong clicks, two-sided planes, and files that are wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lift3d.calibration.parameters import rotations
from lift3d.calibration.scene_points import PointsSolution, ScenePoints, cameras_from_points, read_scene_points
from lift3d.errors import CameraError, FileFormatError, ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig


def true_camera(random: np.random.Generator, name: str = "a", fisheye: bool = False) -> Camera:
    angle = random.uniform(0, 2 * np.pi)
    centre = np.array([3 * np.cos(angle), 3 * np.sin(angle), random.uniform(1, 3)])
    z = np.array([0, 0, 0.8]) - centre
    z /= np.linalg.norm(z)
    x = np.cross(z, [0, 0, 1])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    K = [[1500, 0, 980], [0, 1490, 530], [0, 0, 1]]
    distortion = [0.03, -0.01, 0.002, 0.0] if fisheye else [-0.1, 0.05, 1e-3, -5e-4, 0.0]
    return Camera(K, distortion, R, -R @ centre, (1920, 1080), name, fisheye)


def unplaced(camera: Camera) -> Camera:
    return replace(camera, R=np.eye(3), t=np.zeros(3))


def scene(
    seed: int, count: int, noise: float = 1.0, flat: bool = False, fisheye: bool = False
) -> tuple[Camera, ScenePoints]:
    random = np.random.default_rng(seed)
    camera = true_camera(random, fisheye=fisheye)
    xyz = random.uniform([-1, -1, 0], [1, 1, 0 if flat else 2], (count, 3))
    pixels = camera.project(xyz) + random.normal(size=(count, 2)) * noise
    return camera, ScenePoints(tuple(f"p{index}" for index in range(count)), xyz, {"a": pixels})


def deviation(solution: PointsSolution, truth: Camera) -> np.ndarray:
    """(rx, ry, rz, tx, ty, tz) from the solution to the truth."""
    found = solution.rig[truth.name]
    turn = truth.R @ found.R.T
    return np.array([turn[2, 1], turn[0, 2], turn[1, 0], *(truth.t - found.t)])


@pytest.mark.parametrize("count", [4, 6, 30])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("fisheye", [False, True])
def test_exact_clicks_give_the_exact_camera(count: int, flat: bool, fisheye: bool) -> None:
    for seed in range(3):
        camera, points = scene(seed, count, 0.0, flat, fisheye)
        solution = cameras_from_points([unplaced(camera)], points)
        assert np.abs(deviation(solution, camera)).max() < 1e-6
        assert solution.rmse < 1e-5
        assert not solution.warnings


def test_covariance_is_that_of_the_errors() -> None:
    whitened = []
    for seed in range(40):
        camera, points = scene(seed, 15)
        solution = cameras_from_points([unplaced(camera)], points)
        error = deviation(solution, camera)
        whitened.append(error @ np.linalg.solve(solution.covariance, error) / 6)
    assert 0.75 < np.mean(whitened) < 1.25


def test_a_wrong_click_is_found() -> None:
    camera, points = scene(1, 8)
    wrong = points.pixels["a"].copy()
    wrong[[2, 5]] = wrong[[5, 2]]
    solution = cameras_from_points([unplaced(camera)], replace(points, pixels={"a": wrong}))
    assert np.flatnonzero(~solution.used[0]).tolist() == [2, 5]
    assert "'p2' is off by" in solution.warnings[0]
    assert np.linalg.norm(solution.rig["a"].centre - camera.centre) < 0.05


def test_a_small_plane_seen_from_afar_has_two_poses() -> None:
    camera, _ = scene(0, 4)
    grid = np.stack(np.meshgrid([-0.1, 0.1], [-0.1, 0.1]), axis=-1).reshape(-1, 2)
    xyz = np.column_stack([grid, np.zeros(4)])
    camera = replace(camera, R=np.diag([1.0, -1, -1]), t=np.array([0, 0, 6.0]))
    turned = replace(camera, R=camera.R @ rotations(np.array([0.35, 0, 0])))
    pixels = turned.project(xyz) + np.random.default_rng(0).normal(size=(4, 2)) * 0.5
    solution = cameras_from_points([camera], ScenePoints(tuple("abcd"), xyz, {"a": pixels}))
    assert any("second pose" in warning for warning in solution.warnings)


def test_focal_length_from_scene_points() -> None:
    camera, points = scene(4, 12, noise=0.5)
    for factor in (0.6, 1.7):
        guess = replace(unplaced(camera), K=camera.K * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]]))
        solution = cameras_from_points([guess], points, free=("fx", "fy"))
        found = solution.rig["a"].K
        error = np.sqrt(np.diag(solution.covariance)[:2])
        assert (np.abs(np.diag(found - camera.K)[:2]) < 3.5 * error).all()
        assert (error < 0.02 * camera.K[0, 0]).all()


def test_all_intrinsics_of_a_plane_are_not_determined() -> None:
    # A plane parallel to the image: the camera may be near with a short lens or far with a long one.
    camera = Camera([[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], R=np.diag([1.0, -1, -1]), t=[0, 0, 4], name="a")
    xyz = np.column_stack([np.random.default_rng(0).uniform(-1, 1, (10, 2)), np.zeros(10)])
    points = ScenePoints(tuple("abcdefghij"), xyz, {"a": camera.project(xyz)})
    with pytest.raises(CameraError, match="do not determine fx, fy"):
        cameras_from_points([camera], points, free=("fx", "fy"))


def test_several_cameras_with_points_that_some_do_not_see() -> None:
    random = np.random.default_rng(7)
    cameras = [true_camera(random, name) for name in ("cam10", "cam2", "cam1")]
    xyz = random.uniform([-1, -1, 0], [1, 1, 2], (9, 3))
    pixels = {camera.name: camera.project(xyz) for camera in cameras}
    pixels["cam2"][[0, 4]] = np.nan
    ticks: list[tuple[int, int]] = []
    solution = cameras_from_points(
        Rig(tuple(unplaced(camera) for camera in cameras)),
        ScenePoints(tuple("abcdefghi"), xyz, pixels),
        progress=lambda done, most: ticks.append((done, most)),
    )
    assert solution.rig.names == ("cam1", "cam2", "cam10")
    assert ticks == [(0, 3), (1, 3), (2, 3)]
    assert np.isnan(solution.residuals[1, [0, 4]]).all()
    assert not solution.used[1, [0, 4]].any()
    for camera in cameras:
        assert np.abs(deviation(solution, camera)).max() < 1e-6
    assert solution.covariance.shape == (18, 18)
    assert not solution.covariance[:6, 6:].any()


def test_points_that_cannot_be_used() -> None:
    camera, points = scene(0, 6)
    few = points.pixels["a"].copy()
    few[3:] = np.nan
    with pytest.raises(CameraError, match="'a' sees 3 scene points; its 6 unknowns need 4"):
        cameras_from_points([camera], replace(points, pixels={"a": few}))
    with pytest.raises(CameraError, match="its 11 unknowns need 6"):
        cameras_from_points([camera], scene(0, 5)[1], free=("fx", "fy", "cx", "cy", "k1"))
    line = np.outer(np.arange(6), [1.0, 0.5, 0]) * 0.1
    with pytest.raises(CameraError, match="lie on one line"):
        cameras_from_points([camera], ScenePoints(points.names, line, {"a": camera.project(line)}))
    with pytest.raises(CameraError, match="name cameras b, which are not among a"):
        cameras_from_points([camera], replace(points, pixels={"b": points.pixels["a"]}))
    with pytest.raises(CameraError, match="cameras c see none"):
        cameras_from_points([camera, replace(camera, name="c")], points)
    nonsense = np.random.default_rng(0).uniform(0, 1000, (6, 2))
    with pytest.raises(CameraError, match="no pose suits"):
        cameras_from_points([camera], replace(points, pixels={"a": nonsense}))
    with pytest.raises(ShapeError, match="same name"):
        replace(points, names=("a",) * 6)
    with pytest.raises(ShapeError, match="pixels of camera 'a'"):
        replace(points, pixels={"a": few[:3]})


TABLE = "camera,point,u,v,x,y,z\ncam1,a,10.5,20,0,0,0\ncam1, b ,30,40,1,0,0\ncam2,b,,,1,0,0\ncam2,c,5,6,1,1,0\n"


def test_read_a_table(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("\ufeff" + TABLE, encoding="utf-8")
    points = read_scene_points(path)
    assert points.names == ("a", "b", "c")
    np.testing.assert_array_equal(points.xyz, [[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    np.testing.assert_array_equal(points.pixels["cam1"], [[10.5, 20], [30, 40], [np.nan, np.nan]])
    np.testing.assert_array_equal(points.pixels["cam2"], [[np.nan, np.nan], [np.nan, np.nan], [5, 6]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cam1,a,10.5", "cam1,a,x", "line 2, column u: expected a number, found 'x'"),
        ("cam1,a,10.5", "cam1,a,", "line 2, column u: expected a number, found ''"),
        ("cam1,a,10.5", "cam1,a,inf", "line 2, column u: expected a finite number"),
        ("cam1,a", ",a", "line 2, column camera: the name is missing"),
        ("1,1,0\n", "1,1,2500\n", "line 5, column z: 2500 m is too far"),
        ("1,1,0\n", "1,1\n", "line 5: expected 7 values, found 6"),
        ("cam2,b,,,1,0,0", "cam2,b,1,2,1,0,0.1", "line 4: the point 'b' has other coordinates"),
        ("cam2,c,5,6,1,1,0", "cam2,b,5,6,1,0,0", "line 5: camera 'cam2' sees the point 'b' twice"),
        ("camera,point,u", "camera,name,u", "line 1: the columns must be camera,point,u,v,x,y,z"),
        (TABLE, "", "line 1: the columns must be"),
        (TABLE[23:], "", "the table has no rows"),
        ("cam1,a,", 'cam1,"a', "line"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "points.csv"
    assert old in TABLE
    path.write_text(TABLE.replace(old, new), encoding="utf-8")
    with pytest.raises(FileFormatError) as error:
        read_scene_points(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("binary.csv", "missing.csv"):
        with pytest.raises(FileFormatError, match=name):
            read_scene_points(tmp_path / name)
