"""Each defect of a recording is found, named and explained; a recording without it is not blamed."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from calibration_scenes import observations, synthetic_scene

from lift3d.calibration.findings import LIMITS, Severity
from lift3d.calibration.held_out import held_out_rmse
from lift3d.calibration.measures import empty_corners, fit_alone, strongest_links
from lift3d.calibration.mirrored import mirrored_cameras
from lift3d.calibration.parameters import moved
from lift3d.calibration.quality import assess, expected_in_volume, find, grouped
from lift3d.calibration.solve import solve
from lift3d.calibration.volume import sees
from lift3d.errors import CameraError
from lift3d.geometry.alignment import align
from lift3d.geometry.cameras import Camera
from lift3d.geometry.triangulation import triangulate_points


def judged(scene, **options):
    """The findings about a scene, without those of cross-validation, which takes most of the time."""
    return judged_solution(solve(observations(scene), **options))


def judged_solution(solution):
    return find(solution, expected_in_volume(solution))


def kinds(findings, camera=None, worst=Severity.NOTE):
    return {
        finding.kind
        for finding in findings
        if finding.severity >= worst and (camera is None or camera in finding.cameras)
    }


def only(findings, kind):
    return [finding for finding in findings if finding.kind == kind]


def numbers(findings):
    return {int(number) for finding in findings for number in re.findall("[0-9]+", finding.problem)}


def changed(scene, camera, change):
    xy = scene.xy.copy()
    xy[camera] = change(xy[camera])
    return replace(scene, xy=xy)


@pytest.fixture(scope="module")
def good_scene():
    return synthetic_scene(3, cameras=4, moments=40)


@pytest.fixture(scope="module")
def good_solution(good_scene):
    return solve(observations(good_scene))


@pytest.fixture(scope="module")
def good(good_solution):
    return judged_solution(good_solution)


@pytest.fixture(scope="module")
def quality(good_solution):
    return assess(good_solution)


def test_a_good_recording_is_good(quality):
    assert quality.verdict == "good"
    assert quality.words.startswith("Good")
    assert kinds(quality.findings, worst=Severity.DOUBTFUL) == set()
    assert set(quality.camera_verdicts.values()) == {"good"}
    # Two coordinates of 0.3 px noise.
    assert quality.rmse == pytest.approx(0.3 * np.sqrt(2), rel=0.05)
    assert 1 <= quality.held_out.rmse / quality.held_out.fitted_rmse < 1.1
    assert 0 < quality.expected_mm()["median"] < quality.expected_mm()["p95"] < 5


@pytest.mark.parametrize("cameras", [2, 6])
def test_other_good_rigs_are_not_blamed(cameras):
    assert kinds(judged(synthetic_scene(5, cameras, moments=20 * cameras)), worst=Severity.DOUBTFUL) == set()


def test_the_expected_error_is_the_true_one(good_scene, good_solution, quality):
    """Points triangulated with the solved cameras from what the true cameras see, after the best rigid motion."""
    reference = good_scene.rig[good_solution.metadata["reference"]]
    volume = quality.expected.points
    world = (volume - reference.t) @ reference.R
    seen = [np.where(sees(camera, world)[:, None], camera.project(world), np.nan) for camera in good_scene.rig]
    found = triangulate_points(good_solution.rig.cameras, np.stack(seen)).points
    off = align(found, volume, scale=False).apply(found) - volume
    true = 1000 * np.sqrt(np.nanmean(np.square(off).sum(axis=-1)))
    said = np.sqrt(np.square(quality.expected.shape_mm()).mean())
    # The cameras' errors are one draw: their size is that which is said.
    assert said / 2.5 < true < 2.5 * said


def test_a_board_parallel_to_the_image_is_told_by_its_tilt():
    solutions = [solve(observations(synthetic_scene(0, 2, 30, spread=4, tilt=tilt))) for tilt in (0, 45)]
    parallel, tilted = map(judged_solution, solutions)
    found = only(parallel, "variety")
    assert {finding.cameras for finding in found} == {("cam1",), ("cam2",)}
    assert "parallel" in found[0].problem
    assert "30 to 45 degrees" in found[0].advice
    assert min(finding.severity for finding in found) >= Severity.DOUBTFUL
    assert "variety" not in kinds(tilted)
    errors = [np.median(expected_in_volume(solution).shape_mm()) for solution in solutions]
    assert errors[0] > 2 * errors[1]


def test_a_board_that_stays_in_the_middle_leaves_the_ends_of_the_image_open(good):
    middle = judged(synthetic_scene(0, cameras=3, moments=30, reach=0.2, nearest=2.0))
    assert {"coverage", "empty_corners"} <= kinds(middle, worst=Severity.DOUBTFUL)
    assert "top left" in only(middle, "empty_corners")[0].problem
    assert "coverage" not in kinds(good)


def test_few_images_are_counted(good):
    few = judged(synthetic_scene(3, cameras=2, moments=7))
    assert "only 6 images" in only(few, "images")[0].problem
    assert "images" not in kinds(good)


def test_a_weak_link_names_the_pair(good_scene, good):
    xy = good_scene.xy.copy()
    seen = np.isfinite(xy).all(axis=-1).sum(axis=-1) >= 4
    shared = np.flatnonzero(seen[3] & seen[:3].any(axis=0))
    # Of the moments that camera 4 shares with others two stay; the rest it has alone, or they have.
    xy[3, shared[2::2]] = np.nan
    xy[:3, shared[3::2]] = np.nan
    weak = judged(replace(good_scene, xy=xy))
    (link,) = only(weak, "link")
    assert link.cameras == ("cam3", "cam4")
    assert "2 moments" in link.problem
    assert "link" not in kinds(good)


@pytest.mark.parametrize("lag", [0.02, 0.1])
def test_an_unsynchronised_camera_is_told_from_a_bad_one(good, lag):
    late = judged(synthetic_scene(3, cameras=4, moments=40, lags=(0, lag)))
    (found,) = only(late, "disagreement")
    assert found.cameras == ("cam2",)
    assert "synchronous" in found.problem
    assert "disagreement" not in kinds(good)


def test_badly_found_corners_are_no_contradiction():
    blurred = judged(synthetic_scene(3, cameras=3, moments=30, noise=2.0))
    assert "disagreement" not in kinds(blurred)
    assert "reprojection" in kinds(blurred, worst=Severity.DOUBTFUL)


def test_a_camera_that_was_knocked_says_when(good_scene, good):
    camera = good_scene.rig.cameras[1]
    knocked = moved(camera, ["ry"], [0.03])
    world = good_scene.board_poses.world()

    def after(xy):
        later = np.arange(len(xy))[:, None, None] >= 24
        return np.where(later, xy + knocked.project(world) - camera.project(world), xy)

    (found,) = only(judged(changed(good_scene, 1, after)), "moved")
    assert found.cameras == ("cam2",)
    before, then, degrees = (float(number) for number in re.findall("[0-9.]+", found.problem)[:3])
    assert before < 24 <= then
    assert then - before < 5
    assert degrees == pytest.approx(np.degrees(0.03), rel=0.3)
    assert "moved" not in kinds(good)


def mirrored_view(xy):
    """What a mirrored image shows of a 9x6 chessboard: rows in opposite order keep the colours."""
    xy = xy.copy()
    xy[..., 0] = 1919 - xy[..., 0]
    return xy.reshape(-1, 6, 9, 2)[:, ::-1].reshape(xy.shape)


def test_mirrored_images_are_found_where_they_contradict(good_scene, good_solution):
    assert mirrored_cameras(fit_alone(good_solution).poses) == ()
    with pytest.raises(CameraError, match="cam2 seem to be mirrored"):
        solve(observations(changed(good_scene, 1, mirrored_view)))
    # Of two cameras nobody can say which one it is; that two are mirrored nobody can see.
    pair = synthetic_scene(3, cameras=2, moments=30)
    with pytest.raises(CameraError, match="cam1, cam2 seem to be mirrored"):
        solve(observations(changed(pair, 1, mirrored_view)))
    assert judged(changed(changed(pair, 0, mirrored_view), 1, mirrored_view)) is not None


def test_half_turned_boards_are_listed(good_scene, good):
    turned = []

    def turn(xy):
        xy = xy.copy()
        turned[:] = np.flatnonzero(np.isfinite(xy).all(axis=(1, 2)))[-4:].tolist()
        xy[turned] = xy[turned, ::-1]
        return xy

    findings = judged(changed(good_scene, 1, turn))
    assert turned
    assert set(turned) <= numbers(only(findings, "dropped_images"))
    assert not set(turned) & numbers(only(good, "dropped_images"))


def test_impossible_parameters_are_pointed_out(good_solution):
    camera = good_solution.rig.cameras[0]
    K = camera.K * np.array([[1.05, 1, 1.4], [1, 1, 1], [1, 1, 1]])
    strange = Camera(K, [-0.5, 0, 0, 0, 0], camera.R, camera.t, camera.image_size, camera.name)
    rig = replace(good_solution.rig, cameras=(strange, *good_solution.rig.cameras[1:]))
    findings = judged_solution(replace(good_solution, rig=rig))
    assert {"aspect", "off_centre", "blind"} <= kinds(findings, "cam1")
    assert not {"aspect", "off_centre", "blind"} & kinds(findings, "cam2")


def test_what_the_images_do_not_determine_is_to_be_redone(good_solution):
    covariance = good_solution.covariance.copy()
    index = good_solution.parameters.index(("cam3", "fx"))
    covariance[index] = covariance[:, index] = 0
    covariance[index, index] = np.inf
    quality = assess(replace(good_solution, covariance=covariance))
    assert {"focal"} <= kinds(quality.findings, "cam3", Severity.REDO)
    assert quality.verdict == "redo"
    text = json.dumps(quality.to_dict(), allow_nan=False)
    assert json.loads(text)["verdict"] == "redo"


def test_cameras_that_make_no_rig_are_judged_one_by_one():
    scene = synthetic_scene(0, cameras=2, moments=40)
    alone = np.arange(40) % 2 == np.arange(2)[:, None]
    scene = replace(scene, xy=np.where(alone[..., None, None], scene.xy, np.nan))
    quality = assess(solve(observations(scene), extrinsics=False))
    assert quality.expected is None
    assert quality.expected_mm() == {}
    assert quality.to_dict()["expected_error_mm"] is None
    assert not {"link", "volume", "position"} & kinds(quality.findings)


def test_held_out_errors_show_a_model_that_follows_its_images(good_solution):
    held_out = held_out_rmse(good_solution)
    assert held_out.folds_skipped == 0
    np.testing.assert_allclose(held_out.ratios(), 1, atol=0.1)
    np.testing.assert_allclose(held_out.fitted_rmse, good_solution.rmse, rtol=1e-6)
    few = held_out_rmse(solve(observations(synthetic_scene(3, cameras=2, moments=7))))
    assert np.nanmax(few.ratios()) > 2


def test_the_dictionary_is_json_and_the_text_names_everything(quality):
    values = json.loads(json.dumps(quality.to_dict(), allow_nan=False))
    assert values["verdict"] == "good"
    assert set(values["camera_rmse_pixels"]) == {"cam1", "cam2", "cam3", "cam4"}
    assert values["expected_error_mm"]["median"] == quality.expected_mm()["median"]
    assert len(values["findings"]) == len(quality.findings)
    text = quality.describe()
    assert text.splitlines()[0] == quality.words
    for finding in quality.findings:
        assert finding.problem in text
        assert finding.advice in text
    assert sum(map(len, grouped(quality.findings))) == len(quality.findings)


def test_limits_are_ordered_and_explained():
    for limit in LIMITS.values():
        assert limit.why
        sign = -1 if limit.least else 1
        assert sign * limit.doubtful < sign * limit.redo
        assert limit.severity(limit.doubtful) is None
        assert limit.severity(float("nan")) is None
        assert limit.severity(limit.redo) is Severity.DOUBTFUL
        assert limit.severity(sign * float("inf")) is not None


def test_measures_in_closed_form():
    shared = np.array([[9, 5, 1], [5, 9, 3], [1, 3, 9]])
    assert strongest_links(shared) in ([(1, 2, 3), (0, 1, 5)], [(2, 1, 3), (1, 0, 5)], [(1, 2, 3), (1, 0, 5)])
    camera = Camera.assumed((100, 100))
    assert empty_corners(camera, np.array([[5.0, 5], [95, 5], [50, 50]])) == ["bottom left", "bottom right"]
