"""The parts of synchronisation: smooth paths, two views, the graph of cameras, clocks, resampling."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import synchronise_scenes as scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.errors import Lift3DError
from lift3d.multiview.camera_graph import peaks, place_cameras
from lift3d.multiview.clocks import CameraClock, Synchronisation
from lift3d.multiview.image_motion import image_motions
from lift3d.multiview.path_smoothing import median_of_seen, smooth_path
from lift3d.multiview.resampling import LONGEST_GAP, apply, interpolate
from lift3d.multiview.speed_correlation import speed_correlation
from lift3d.multiview.two_views import fit_fundamental, fundamental_matrix, sampson_distances
from lift3d.poses import Keypoints2D
from lift3d.skeletons import COCO17

# Smooth paths


def test_a_parabola_is_followed_exactly_through_gaps() -> None:
    time = np.arange(40) / 30
    path = np.stack([2 + 3 * time - time**2, 1 - time + 0.5 * time**2], axis=-1)[:, None]
    seen = path.copy()
    seen[[7, 8, 20]] = np.nan
    position, velocity, _ = smooth_path(seen, np.ones(seen.shape[:2]), 30)
    known = np.isfinite(position[..., 0])
    assert known[3:-3].all()
    np.testing.assert_allclose(position[known], path[known], atol=1e-9)
    slope = np.stack([3 - 2 * time, -1 + time], axis=-1)[:, None]
    np.testing.assert_allclose(velocity[known], slope[known], atol=1e-8)


def test_slips_and_long_gaps_are_left_out() -> None:
    time = np.arange(60) / 30
    path = np.stack([np.sin(time), np.cos(time)], axis=-1)[:, None]
    seen = path + 0.001 * np.random.default_rng(0).normal(size=path.shape)
    seen[[10, 30]] += 5
    seen[40:52] = np.nan
    position, _, pace = smooth_path(seen, np.ones(seen.shape[:2]), 30)
    assert np.nanmax(np.abs(position - path)) < 0.01
    assert np.isnan(position[44:48]).all()
    assert (np.isnan(pace) == np.isnan(position)).all()


@given(st.lists(st.lists(st.floats(-9, 9) | st.just(np.nan), min_size=3, max_size=3), min_size=1, max_size=8))
def test_medians_are_those_of_numpy(rows: list[list[float]]) -> None:
    values = np.array(rows)
    for column, median in zip(values.T, median_of_seen(values), strict=True):
        known = column[np.isfinite(column)]
        assert np.isnan(median) if len(known) == 0 else median == pytest.approx(np.median(known))


# Two views


def _pair(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rig = scenes.ring(4)
    a, b = rig.cameras[0], rig.cameras[1]
    points = np.random.default_rng(0).normal(size=(count, 3)) * 0.5 + [0, 0, 1]
    to_pixels = np.array([[150.0, 0, 640], [0, 150, 480], [0, 0, 1]])
    to_plane = [np.linalg.inv(camera.K) @ to_pixels for camera in (a, b)]
    p, q = ((camera.project(points) - [640, 480]) / 150 for camera in (a, b))
    return fundamental_matrix(a, b, *to_plane), p, q


def test_images_of_one_point_meet_the_epipolar_constraint() -> None:
    F, p, q = _pair()
    assert np.abs(sampson_distances(F, p, q)[0]).max() < 1e-9
    assert np.abs(sampson_distances(F.T, q, p)[0]).max() < 1e-9


def test_sampson_derivatives_are_those_of_the_distance() -> None:
    F, p, q = _pair(50)
    q = q + 0.002
    d, by_p, by_q = sampson_distances(F, p, q)
    step = 1e-5
    for axis in range(2):
        move = np.eye(2)[axis] * step
        np.testing.assert_allclose((sampson_distances(F, p + move, q)[0] - d) / step, by_p[:, axis], atol=5e-3)
        np.testing.assert_allclose((sampson_distances(F, p, q + move)[0] - d) / step, by_q[:, axis], atol=5e-3)


def test_a_fundamental_matrix_is_fitted_in_spite_of_outliers() -> None:
    F, p, q = _pair()
    generator = np.random.default_rng(1)
    p, q = p + 0.005 * generator.normal(size=p.shape), q + 0.005 * generator.normal(size=q.shape)
    q[:60] += generator.normal(size=(60, 2))
    fitted = fit_fundamental(p, q, 0.005)
    assert np.median(np.abs(sampson_distances(fitted, p[60:], q[60:])[0])) < 0.005
    assert min(np.abs(fitted - F).max(), np.abs(fitted + F).max()) < 0.01


# Speeds


def test_speeds_correlate_at_the_right_offset() -> None:
    rig = scenes.ring(2)
    motions = image_motions(scenes.film(rig, [scenes.mover(1)], [0.0, 0.8], seconds=8), None)
    correlation, count = speed_correlation(motions[0], motions[1], 60, 1 / 30, (0.0, motions[0].duration))
    assert correlation.shape == count.shape == (1, 1, 121)
    assert abs(int(correlation[0, 0].argmax()) - 60 - 24) <= 1
    assert np.abs(correlation).max() <= 1


# The graph of cameras


def _curves(offsets: np.ndarray, reach: int, lost: set[tuple[int, int]] = frozenset()) -> dict:
    steps = np.arange(-reach, reach + 1)
    return {
        (a, b): np.zeros(2 * reach + 1) if (a, b) in lost else np.exp(-(((steps - offsets[b] + offsets[a]) / 2) ** 2))
        for a, b in combinations(range(len(offsets)), 2)
    }


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_cameras_are_placed_where_their_curves_peak(offsets: list[int]) -> None:
    truth = np.array([0, *offsets])
    found, ratios = place_cameras(_curves(truth, 50), [str(i) for i in range(len(truth))], 0.1)
    np.testing.assert_array_equal(found, truth)
    assert (ratios > 5).all()


def test_a_chain_of_cameras_reaches_beyond_what_a_pair_may_differ() -> None:
    truth = np.array([0, 30, 60, 90])
    curves = _curves(truth, 40, {(0, 2), (0, 3), (1, 3)})
    np.testing.assert_array_equal(place_cameras(curves, list("abcd"), 0.1)[0], truth)


def test_one_wrong_pair_is_outvoted() -> None:
    truth = np.array([0, 5, -7, 11])
    curves = _curves(truth, 40)
    curves[0, 3] = np.roll(curves[0, 3], 13) * 1.5
    np.testing.assert_array_equal(place_cameras(curves, list("abcd"), 0.1)[0], truth)


def test_a_camera_that_fits_nowhere_is_named() -> None:
    curves = _curves(np.array([0, 5, -7]), 40, {(0, 2), (1, 2)})
    with pytest.raises(Lift3DError, match="camera 'c' fits none of the others at any offset up to 4 s"):
        place_cameras(curves, list("abc"), 0.1)


def test_peaks_are_told_from_the_shoulder_of_the_highest() -> None:
    x = np.arange(100.0)
    assert peaks(np.exp(-(((x - 30) / 5) ** 2)))[1] < 1e-6
    height, second = peaks(np.exp(-(((x - 30) / 5) ** 2)) + 0.6 * np.exp(-(((x - 70) / 5) ** 2)))
    assert (height, second) == (pytest.approx(1), pytest.approx(0.6))


# Clocks


def test_a_clock_maps_frames_to_times_and_back() -> None:
    clock = CameraClock("a", 30.0, offset=0.5, drift=100.0)
    np.testing.assert_allclose(clock.times(np.array([0, 30])), [0.5, 1.5001])
    frames = np.linspace(-5, 9000, 11)
    np.testing.assert_allclose(clock.frames(clock.times(frames)), frames, atol=1e-9)


def test_timings_become_json() -> None:
    found = Synchronisation((CameraClock("a", 50.0), CameraClock("b", 25.0, 0.1, float("nan"), peak_ratio=2.0)), "test")
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["cameras"]["b"]["offset_frames"] == pytest.approx(5)
    assert values["cameras"]["b"]["offset_sigma_seconds"] is None
    assert values["cameras"]["a"]["peak_ratio"] is None
    with pytest.raises(Lift3DError, match="'c' was not synchronised"):
        found["c"]


# Resampling


def _cubic(frames: np.ndarray) -> np.ndarray:
    return np.stack([5 + 0.3 * frames - 0.02 * frames**2, 100 - frames], axis=-1)[:, None, None]


def _seen(frames: int = 20) -> Keypoints2D:
    xy = np.repeat(_cubic(np.arange(frames)), 17, axis=2)
    return Keypoints2D(xy, np.full(xy.shape[:3], 0.5), COCO17, fps=10.0)


def test_whole_frames_stay_as_they_are() -> None:
    points = _seen()
    xy, confidence = interpolate(points.xy, points.confidence, np.arange(20.0))
    np.testing.assert_array_equal(xy, points.xy)
    np.testing.assert_array_equal(confidence, points.confidence)


def test_between_frames_a_parabola_is_exact() -> None:
    points, place = _seen(), np.array([1.25, 7.5, 12.9])
    xy, confidence = interpolate(points.xy, points.confidence, place)
    np.testing.assert_allclose(xy[:, 0, 0], _cubic(place)[:, 0, 0], atol=1e-5)
    np.testing.assert_allclose(confidence, 0.5)


def test_a_joint_is_missing_where_the_nearest_frame_misses_it() -> None:
    points = _seen()
    xy = points.xy.copy()
    xy[8, 0, 3] = np.nan
    xy[12 : 13 + LONGEST_GAP, 0, 4] = np.nan
    confidence = np.where(np.isfinite(xy[..., 0]), 0.5, 0).astype(np.float32)
    place = np.array([7.4, 7.6, 8.4, 8.6, 11.3])
    got, sure = interpolate(xy, confidence, place)
    np.testing.assert_array_equal(np.isnan(got[:, 0, 3, 0]), [False, True, True, False, False])
    # Over one missing frame it is linear: off a parabola by its bend over two frames.
    assert np.abs(got[0, 0, 3] - _cubic(place[:1])[0, 0, 0]).max() < 0.03
    # Over a longer gap there is nothing.
    assert np.isnan(got[4, 0, 4]).all()
    assert sure[4, 0, 4] == 0
    assert np.isfinite(got[:, 0, 5]).all()


def test_outside_the_clip_and_without_frames_there_is_nothing() -> None:
    points = _seen()
    xy, _ = interpolate(points.xy, points.confidence, np.array([-0.6, -0.01, 0, 19, 19.01, 25]))
    np.testing.assert_array_equal(np.isfinite(xy[:, 0, 0, 0]), [False, False, True, True, False, False])
    empty = points.select(slice(0, 0))
    assert np.isnan(interpolate(empty.xy, empty.confidence, np.arange(3.0))[0]).all()


@given(st.floats(-3, 3), st.integers(5, 12000))
@settings(max_examples=15, deadline=None)
def test_long_clips_are_interpolated_as_short_ones(shift: float, frames: int) -> None:
    xy = np.random.default_rng(frames).normal(size=(frames, 1, 1, 2)).astype(np.float32)
    sure = np.ones(xy.shape[:3], np.float32)
    place = np.arange(frames) + shift
    whole = interpolate(xy, sure, place)[0]
    for i in (0, frames // 2, frames - 1):
        np.testing.assert_array_equal(interpolate(xy, sure, place[i : i + 1])[0][0], whole[i])


def _found(**offsets: float) -> Synchronisation:
    return Synchronisation(tuple(CameraClock(name, 10.0, offset) for name, offset in offsets.items()), "test")


def test_all_cameras_get_the_moments_that_two_of_them_share() -> None:
    points = _seen()
    a, b, c = apply([points, points, points], _found(a=0.0, b=0.55, c=-0.3))
    assert a.frames == b.frames == c.frames
    assert a.provenance["synchronisation"]["first_frame_seconds"] == pytest.approx(0)
    # From a's start, the second, to a's end, the second last: all of a, unchanged.
    np.testing.assert_array_equal(a.xy, points.xy)
    np.testing.assert_allclose(b.xy[6:, 0, 0], _cubic(np.arange(6, 20) - 5.5)[:, 0, 0], atol=0.05)
    assert np.isnan(b.xy[:6]).all()
    np.testing.assert_allclose(c.xy[:17, 0, 0], _cubic(np.arange(17) + 3)[:, 0, 0], atol=1e-5)
    assert np.isnan(c.xy[17:]).all()
    assert "frame 0 is 0.0000 s" in c.provenance["steps"][-1]


def test_the_fastest_camera_sets_the_moments() -> None:
    slow, fast = _seen(), replace(_seen(40), fps=20.0)
    found = Synchronisation((CameraClock("a", 10.0), CameraClock("b", 20.0, 0.025)), "test")
    first, second = apply({"b": fast, "a": slow}, found)
    assert first.fps == second.fps == 20
    np.testing.assert_array_equal(second.xy, fast.xy[: second.frames])
    np.testing.assert_allclose(first.xy[2:30, 0, 0], _cubic(np.arange(2, 30) / 2 + 0.25)[:, 0, 0], atol=1e-4)


def test_what_does_not_belong_together_is_refused() -> None:
    points = _seen()
    with pytest.raises(Lift3DError, match="no two cameras run at the same time"):
        apply([points, points], _found(a=0.0, b=5.0))
    with pytest.raises(Lift3DError, match="there are 1 cameras, but 2 were"):
        apply([points], _found(a=0.0, b=1.0))
    with pytest.raises(Lift3DError, match="the cameras are a, c, but those synchronised are a, b"):
        apply({"a": points, "c": points}, _found(a=0.0, b=1.0))
    with pytest.raises(Lift3DError, match="'b' has 25 frames/s, but was synchronised with 10"):
        apply([points, replace(points, fps=25)], _found(a=0.0, b=1.0))
