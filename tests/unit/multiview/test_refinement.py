"""Refinement over time on scenes whose truth is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lift3d.multiview.refinement as refinement
from lift3d.errors import Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.geometry.triangulation import triangulate_points
from lift3d.multiview.refinement import learn_levels, refine
from lift3d.multiview.temporal_solver import solve_window
from lift3d.poses import SOURCES, Keypoints2D, Poses3D
from lift3d.skeletons import make_skeleton

FPS = 60.0
ARM = make_skeleton("arm", {"shoulder": None, "elbow": "shoulder", "wrist": "elbow", "other": None})
UPPER, FORE = 0.31, 0.26
MEASURED, INTERPOLATED = SOURCES.index("measured"), SOURCES.index("interpolated")


def make_rig(count: int = 4) -> Rig:
    """Cameras around the origin, 4 m away, 1.2 m above it."""
    cameras = []
    for k in range(count):
        angle = 2 * np.pi * (k + 0.3) / count
        centre = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.2])
        z = -centre / np.linalg.norm(centre)
        x = np.cross(z, [0, 0, 1])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        K = np.array([[1100.0, 0, 960], [0, 1100, 540], [0, 0, 1]])
        lens = np.array([-0.1, 0.04, 0.001, -0.001, 0])
        cameras.append(Camera(K, lens, R, -R @ centre, (1920, 1080), f"cam{k}"))
    return Rig(tuple(cameras))


def arm(frames: int, fps: float = FPS) -> np.ndarray:
    """(frames, 4, 3) an arm that swings, its bones rigid, and a point that goes its own way."""
    t = np.arange(frames) / fps
    shoulder = np.stack([0.4 * np.sin(0.9 * t), 0.3 * np.cos(1.3 * t), 0.2 * np.sin(0.5 * t)], axis=1)

    def direction(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.stack([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)], axis=1)

    elbow = shoulder + UPPER * direction(2.5 * np.sin(1.1 * t), 0.8 * np.sin(2.3 * t))
    wrist = elbow + FORE * direction(3.0 * np.sin(1.7 * t), np.cos(2.9 * t))
    other = np.stack([0.5 * np.cos(2 * t), 0.5 * np.sin(1.5 * t), 0.1 * t / t.max()], axis=1)
    return np.stack([shoulder, elbow, wrist, other], axis=1)


def see(truth: np.ndarray, rig: Rig, noise: float = 2.0, missing: float = 0.0, seed: int = 0) -> np.ndarray:
    """(cameras, frames, joints, 2) noisy pixels."""
    rng = np.random.default_rng(seed)
    pixels = np.stack([camera.project(truth) for camera in rig])
    pixels += rng.normal(0, noise, pixels.shape)
    pixels[rng.random(pixels.shape[:-1]) < missing] = np.nan
    return pixels


def packed(pixels: np.ndarray, rig: Rig) -> tuple[Poses3D, list[Keypoints2D]]:
    """One person's pixels as keypoints, and the poses of their plain triangulation."""
    keypoints = [Keypoints2D(camera[:, None], skeleton=ARM, fps=FPS) for camera in pixels]
    found = triangulate_points(rig.cameras, pixels)
    return Poses3D(found.points[:, None], skeleton=ARM, fps=FPS), keypoints


def errors(poses: Poses3D, truth: np.ndarray) -> np.ndarray:
    """(frames, joints) metres."""
    return np.asarray(np.linalg.norm(poses.xyz[:, 0] - truth, axis=-1))


def test_better_than_triangulation_and_as_sure_as_it_says() -> None:
    rig, truth = make_rig(), arm(800)
    poses, keypoints = packed(see(truth, rig, missing=0.05), rig)
    refined = refine(poses, keypoints, rig)
    before, after = np.nanmean(errors(poses, truth)), np.mean(errors(refined, truth))
    assert after < 0.55 * before
    assert refined.covariance is not None
    assert refined.sigma is not None
    d = refined.xyz[:, 0] - truth
    whitened = np.einsum("...i,...ij,...j->...", d, np.linalg.inv(refined.covariance[:, 0]), d) / 3
    assert 0.75 < whitened.mean() < 1.25
    np.testing.assert_allclose(refined.sigma, np.sqrt(np.trace(refined.covariance, axis1=-2, axis2=-1) / 3), rtol=1e-5)
    (levels,) = learn_levels(poses, keypoints, rig)
    assert levels is not None
    assert levels.bones is not None
    np.testing.assert_allclose(levels.noise, 2.0, rtol=0.1)
    assert (levels.bias < 0.7).all()
    np.testing.assert_allclose(levels.bones.lengths, [UPPER, FORE], atol=0.001)
    lengths = refined.provenance["refinement"]["0"]["bone_lengths"]
    assert lengths == pytest.approx({"elbow": UPPER, "wrist": FORE}, abs=0.001)
    # Bones that keep their length tell something about the joints.
    free = refine(poses, keypoints, rig, rigid=False)
    assert np.mean(errors(refined, truth)[:, :3]) < 0.95 * np.mean(errors(free, truth)[:, :3])


def test_gross_errors_count_nothing() -> None:
    rig, truth = make_rig(), arm(500)
    clean = see(truth, rig)
    rng = np.random.default_rng(5)
    wrong = rng.random(clean.shape[:-1]) < 0.04
    spoiled = clean.copy()
    spoiled[wrong] += rng.uniform(60, 300, (wrong.sum(), 2)) * rng.choice([-1, 1], (wrong.sum(), 2))
    poses, keypoints = packed(spoiled, rig)
    refined = refine(poses, keypoints, rig)
    reference = refine(*packed(clean, rig), rig)
    assert np.mean(errors(poses, truth)) > 0.02
    assert np.mean(errors(refined, truth)) < 1.2 * np.mean(errors(reference, truth))
    assert errors(refined, truth).max() < 0.05
    assert refined.cameras_used is not None
    assert (refined.cameras_used[:, 0] == 4 - wrong.sum(0)).mean() > 0.97


def test_what_stays_wrong_is_not_smoothed_away() -> None:
    """Cameras that are off by some pixels all the time: the jitter is still known, and sigma does not shrink."""
    rig, truth = make_rig(), arm(800)
    pixels = see(truth, rig)
    offset = np.random.default_rng(1).normal(0, 6, (4, 1, 4, 2))
    poses, keypoints = packed(pixels + offset, rig)
    (levels,) = learn_levels(poses, keypoints, rig, rigid=False)
    assert levels is not None
    np.testing.assert_allclose(levels.noise, 2.0, rtol=0.15)
    assert (levels.bias > 2).all()
    refined = refine(poses, keypoints, rig, rigid=False)
    steady = refine(*packed(pixels, rig), rig, rigid=False)
    assert refined.sigma is not None
    assert steady.sigma is not None
    assert np.median(refined.sigma) > 1.8 * np.median(steady.sigma)


def test_short_gaps_are_bridged_and_long_ones_stay() -> None:
    rig, truth = make_rig(), arm(400)
    pixels = see(truth, rig)
    pixels[:, 100:115, 1] = np.nan
    pixels[:, 200:280, 2] = np.nan
    pixels[1:, 300:312, 0] = np.nan
    pixels[:, :9, 3] = np.nan
    poses, keypoints = packed(pixels, rig)
    refined = refine(poses, keypoints, rig, max_gap=0.3)
    assert refined.source is not None
    assert refined.sigma is not None
    assert refined.cameras_used is not None
    known = np.isfinite(refined.xyz[:, 0, :, 0])
    assert known[:, :2].all()
    assert not known[200:280, 2].any()
    assert not known[:9, 3].any()
    assert (refined.source[100:115, 0, 1] == INTERPOLATED).all()
    assert (refined.cameras_used[100:115, 0, 1] == 0).all()
    assert (refined.cameras_used[300:312, 0, 0] == 1).all()
    assert (refined.source[300:312, 0, 0] == INTERPOLATED).all()
    assert (refined.source[:100, 0, 1] == MEASURED).all()
    assert (refined.confidence[100:115, 0, 1] == 0.5).all()
    sigma = refined.sigma[:, 0]
    assert sigma[107, 1] > 2 * sigma[:90, 1].mean()
    assert (errors(refined, truth)[100:115, 1] < 4 * np.sqrt(3) * sigma[100:115, 1]).all()
    # A single camera still sees across its line of sight.
    assert sigma[306, 0] < sigma[107, 1]


def test_windows_and_pieces_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, truth = make_rig(), arm(700)
    poses, keypoints = packed(see(truth, rig, missing=0.1), rig)
    levels = learn_levels(poses, keypoints, rig)
    seen: list[tuple[int, int]] = []
    whole = refine(poses, keypoints, rig, levels=levels)
    monkeypatch.setattr(refinement, "WINDOW", 150)
    windows = refine(poses, keypoints, rig, levels=levels, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(150, 700), (300, 700), (450, 700), (600, 700), (700, 700)]
    assert np.abs(windows.xyz - whole.xyz).max() < 1e-4
    part = slice(250, 600)
    piece = refine(poses.select(part), [k.select(part) for k in keypoints], rig, levels=levels)
    assert np.abs(piece.xyz[100:-100] - whole.xyz[350:500]).max() < 3e-4


def test_a_window_holds_the_same_whatever_the_length_of_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work and memory grow by windows of one size, and what is learned comes from as many frames."""
    rig = make_rig()
    monkeypatch.setattr(refinement, "WINDOW", 200)
    monkeypatch.setattr(refinement, "LEARNED_FRAMES", 200)
    sizes: dict[int, list[int]] = {}
    solve = solve_window

    def counted(arrays: Any, window: Any, *rest: Any, **options: Any) -> Any:
        sizes[frames].append(len(window.frames))
        return solve(arrays, window, *rest, **options)

    monkeypatch.setattr(refinement, "solve_window", counted)
    for frames in (600, 1200):
        sizes[frames] = []
        refine(*packed(see(arm(frames), rig), rig), rig)
    assert max(sizes[1200]) == max(sizes[600]) == 400
    assert len(sizes[1200]) - len(sizes[600]) == 3


def test_given_lengths_and_smoothness_are_kept() -> None:
    rig, truth = make_rig(), arm(300)
    poses, keypoints = packed(see(truth, rig), rig)
    (levels,) = learn_levels(poses, keypoints, rig, bone_lengths={"wrist": 0.3}, smoothness=3.0)
    assert levels is not None
    assert levels.bones is not None
    assert levels.bones.lengths[1] == 0.3
    assert levels.bones.lengths[0] == pytest.approx(UPPER, abs=0.002)
    np.testing.assert_allclose(levels.acceleration, 3.0 / FPS**2)
    roughness = [
        np.abs(np.diff(refine(poses, keypoints, rig, smoothness=s).xyz, 2, axis=0)).mean() for s in (0.5, 5, 50)
    ]
    assert roughness[0] < roughness[1] < roughness[2]


def test_people_are_found_by_their_track_ids() -> None:
    rig, truth = make_rig(), np.stack([arm(150), arm(150) + np.array([0.5, 0, 0.4])], axis=1)
    pixels = see(truth, rig)
    poses = Poses3D(triangulate_points(rig.cameras, pixels).points, skeleton=ARM, fps=FPS, track_ids=(7, 9))
    keypoints = [Keypoints2D(camera, skeleton=ARM, fps=FPS, track_ids=(7, 9)) for camera in pixels]
    straight = refine(poses, keypoints, rig)
    mixed = [keypoints[0].select(people=[1, 0]), *keypoints[1:]]
    np.testing.assert_array_equal(refine(poses, mixed, rig).xyz, straight.xyz)
    absent = refine(poses, [keypoints[0].select(people=[1]), *keypoints[1:]], rig)
    assert absent.cameras_used is not None
    assert absent.cameras_used[:, 0].max() == 3
    assert absent.cameras_used[:, 1].max() == 4


def test_someone_who_is_never_seen_stays_missing() -> None:
    rig = make_rig()
    poses, keypoints = packed(np.full((4, 30, 4, 2), np.nan), rig)
    refined = refine(poses, keypoints, rig)
    assert np.isnan(refined.xyz).all()
    assert learn_levels(poses, keypoints, rig) == [None]


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_very_short_clips(frames: int) -> None:
    rig, truth = make_rig(), arm(200)[:frames]
    poses, keypoints = packed(see(truth, rig), rig)
    refined = refine(poses, keypoints, rig)
    assert errors(refined, truth).max() < 0.03


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, k, r: refine(p, k[:3], r), "3 cameras for a rig of 4"),
        (lambda p, k, r: refine(p, [k[0].select(slice(5)), *k[1:]], r), "'cam0' has 5 frames, the poses 20"),
        (lambda p, k, r: refine(replace(p, space="camera"), k, r), "world space"),
        (lambda p, k, r: refine(p, k, r, max_gap=-1), "max_gap"),
        (lambda p, k, r: refine(p, k, r, smoothness=0.0), "smoothness"),
        (lambda p, k, r: refine(p, k, r, bone_lengths={"knee": 0.4}), "no joint 'knee'"),
        (lambda p, k, r: refine(p, k, r, bone_lengths={"shoulder": 0.4}), "no such bone"),
        (lambda p, k, r: refine(p, k, r, bone_lengths={"wrist": 260}), "in metres"),
        (lambda p, k, r: refine(p, k, r, levels=[]), "each of 1 people"),
        (
            lambda p, k, r: refine(p, [replace(k[0], skeleton=make_skeleton("x", dict.fromkeys("abcd"))), *k[1:]], r),
            "layout 'x'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[..., object], message: str) -> None:
    rig = make_rig()
    poses, keypoints = packed(see(arm(20), rig), rig)
    with pytest.raises(Lift3DError, match=message):
        call(poses, keypoints, rig)
