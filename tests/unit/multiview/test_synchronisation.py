"""Offsets found in synthetic scenes of known truth, and what is said where they cannot be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synchronise_scenes as scenes

from lift3d.errors import CameraError, Lift3DError, SkeletonError
from lift3d.multiview.synchronisation import apply, find_offsets
from lift3d.poses import Keypoints2D
from lift3d.skeletons import make_skeleton

RIG = scenes.ring(4)
OFFSETS = np.array([0.0, 1.2345, -1.9, 0.411])


@pytest.mark.parametrize(("seed", "calibrated"), [(1, True), (2, True), (3, False)])
def test_offsets_are_found_to_a_tenth_of_a_frame(seed: int, calibrated: bool) -> None:
    keypoints = scenes.film(RIG, [scenes.mover(seed)], OFFSETS, seed=seed)
    found = find_offsets(keypoints, RIG if calibrated else None)
    errors = (found.offsets - OFFSETS) * 30
    assert np.abs(errors).max() < 0.1
    assert np.abs(errors[1:] / (found.offset_sigmas[1:] * 30)).max() < 5
    assert found.offset_sigmas[0] == 0
    assert (found.offset_sigmas[1:] * 30 < 0.1).all()
    assert not found.notes


def test_standard_errors_are_those_of_the_errors() -> None:
    rig = scenes.ring(3)
    offsets = np.array([0.0, 0.3, -0.2])
    whitened = []
    for seed in range(8):
        keypoints = scenes.film(rig, [scenes.mover(seed)], offsets, seconds=4, noise=3.0, seed=seed)
        found = find_offsets(keypoints, rig, max_offset=0.6)
        whitened += list((found.offsets - offsets)[1:] / found.offset_sigmas[1:])
    assert 0.4 < np.mean(np.square(whitened)) < 2.0


def test_a_biased_detector_does_not_move_the_offsets() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(4)], OFFSETS)
    generator = np.random.default_rng(0)
    for name, points in keypoints.items():
        keypoints[name] = replace(points, xy=points.xy + generator.normal(size=(1, 1, 17, 2)).astype(np.float32) * 6)
    found = find_offsets(keypoints, RIG)
    assert np.abs(found.offsets - OFFSETS).max() * 30 < 0.15


@pytest.mark.parametrize("calibrated", [True, False])
def test_frame_rates_and_layouts_may_differ(calibrated: bool) -> None:
    keypoints = scenes.film(RIG, [scenes.mover(5)], OFFSETS, fps=[30.0, 25.0, 60.0, 50.0])
    keypoints["cam2"] = keypoints["cam2"].convert("body25")[0]
    found = find_offsets(keypoints, RIG if calibrated else None)
    assert np.abs(found.offsets - OFFSETS).max() < 0.1 / 30


@pytest.mark.parametrize("calibrated", [True, False])
def test_several_people_in_any_order(calibrated: bool) -> None:
    def beside(motion: scenes.Motion, x: float) -> scenes.Motion:
        return lambda times: motion(times) + np.array([x, 0.3, 0])

    def still(times: np.ndarray) -> np.ndarray:
        return np.repeat(scenes.mover(9)(np.zeros(1)), len(times), axis=0) + np.array([0.2, -1.2, 0])

    people = [beside(scenes.mover(6), -0.6), beside(scenes.mover(7), 0.6), still]
    found = find_offsets(scenes.film(RIG, people, OFFSETS), RIG if calibrated else None, max_offset=4)
    assert np.abs(found.offsets - OFFSETS).max() * 30 < 0.1


def test_a_camera_that_shares_nothing_with_the_first_is_linked_through_others() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(8)], OFFSETS, seconds=8)
    for name, late in (("cam1", False), ("cam4", True)):
        xy = keypoints[name].xy.copy()
        time = np.arange(len(xy)) / 30 + OFFSETS[RIG.names.index(name)]
        xy[time < 4.3 if late else time > 4] = np.nan
        keypoints[name] = replace(keypoints[name], xy=xy, confidence=None)
    found = find_offsets(keypoints, RIG)
    assert np.abs(found.offsets - OFFSETS).max() * 30 < 0.15


def test_drift_is_found_and_noticed() -> None:
    rig, drifts, offsets = scenes.ring(3), [0.0, 200.0, -100.0], [0.0, 0.7, -0.3]
    keypoints = scenes.film(rig, [scenes.mover(10)], offsets, seconds=80, drifts=drifts)
    found = find_offsets(keypoints, rig, max_offset=2, drift=True)
    errors = np.array([camera.drift for camera in found.cameras]) - drifts
    sigmas = np.array([camera.drift_sigma for camera in found.cameras])
    assert np.abs(errors).max() < 12
    assert (np.abs(errors[1:]) < 5 * sigmas[1:]).all()
    assert np.abs(found.offsets - offsets).max() * 30 < 0.05
    noticed = find_offsets(keypoints, rig, max_offset=2)
    assert any("cam2: its clock seems to drift by" in note for note in noticed.notes)


def test_a_motion_that_repeats_itself_is_doubtful() -> None:
    mover = scenes.mover(11)
    keypoints = scenes.film(RIG, [lambda times: mover(times % 1.0 * 0 + np.sin(2 * np.pi * times))], np.zeros(4))
    found = find_offsets(keypoints, RIG)
    assert all(camera.peak_ratio < 1.3 for camera in found.cameras)
    assert len([note for note in found.notes if "repeats itself" in note]) == 4
    # Whatever period it is, the phase is right.
    assert np.abs((found.offsets + 0.5) % 1 - 0.5).max() * 30 < 0.2


def test_too_small_a_limit_is_noticed() -> None:
    found = find_offsets(scenes.film(RIG, [scenes.mover(12)], OFFSETS), RIG, max_offset=1.0)
    assert any("larger limit" in note for note in found.notes)


def test_found_offsets_bring_keypoints_together() -> None:
    mover = scenes.mover(13)
    keypoints = scenes.film(RIG, [mover], OFFSETS, noise=0.1, missing=0, gross=0)
    aligned = apply(keypoints, find_offsets(keypoints, RIG))
    assert len({points.frames for points in aligned}) == 1
    start = aligned[0].provenance["synchronisation"]["first_frame_seconds"]
    truth = mover(np.arange(aligned[0].frames) / 30 + start)
    for camera, points in zip(RIG, aligned, strict=True):
        error = np.linalg.norm(points.xy[:, 0] - camera.project(truth), axis=-1)
        assert np.isfinite(error).mean() > 0.5
        assert np.nanpercentile(error, 95) < 1.5
    # Before, the cameras were tens of pixels apart in time.
    assert np.nanmedian(np.linalg.norm(keypoints["cam2"].xy[:100, 0] - RIG["cam2"].project(truth[:100]), axis=-1)) > 10


def test_the_order_of_cameras_changes_nothing_but_the_reference() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(14)], OFFSETS)
    forward = find_offsets(keypoints, RIG)
    backward = find_offsets(dict(reversed(keypoints.items())), RIG)
    assert backward.names == tuple(reversed(RIG.names))
    assert backward.offsets[0] == 0
    assert np.abs(backward.offsets[::-1] - backward.offsets[-1] - forward.offsets).max() * 30 < 0.01


def test_a_sequence_goes_by_the_order_of_the_rig() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(15)], OFFSETS, seconds=4)
    by_name, by_order = find_offsets(keypoints, RIG), find_offsets(list(keypoints.values()), RIG)
    assert by_order.names == RIG.names
    np.testing.assert_array_equal(by_name.offsets, by_order.offsets)


def _still(keypoints: dict[str, Keypoints2D]) -> dict[str, Keypoints2D]:
    noise = np.random.default_rng(0).normal(size=keypoints["cam1"].xy.shape).astype(np.float32)
    xy = np.nanmedian(keypoints["cam1"].xy, axis=0, keepdims=True) + noise
    return {**keypoints, "cam1": replace(keypoints["cam1"], xy=xy, confidence=None)}


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_still, "camera 'cam1': nobody moves"),
        (lambda all: {"cam1": all["cam1"]}, "two cameras or more"),
        (lambda all: {**all, "cam2": replace(all["cam2"], fps=None)}, "camera 'cam2': the frame rate is not known"),
        (
            lambda all: {**all, "cam3": replace(all["cam3"], xy=np.full_like(all["cam3"].xy, np.nan), confidence=None)},
            "camera 'cam3': no person is seen",
        ),
        (lambda all: {**all, "cam2": all["cam2"].select(people=[])}, "camera 'cam2': no person is seen"),
        (lambda all: {**all, "cam2": all["cam2"].select(slice(0, 0))}, "camera 'cam2': no person is seen"),
        (lambda all: {name: points.select(slice(0, 3)) for name, points in all.items()}, "give a longer clip"),
    ],
)
def test_what_cannot_be_synchronised_is_said(change, message: str, calibrated: bool) -> None:
    keypoints = change(scenes.film(RIG, [scenes.mover(16)], OFFSETS, seconds=2))
    with pytest.raises(Lift3DError, match=message):
        find_offsets(keypoints, RIG if calibrated else None)


def test_cameras_that_film_different_things_are_an_error_or_a_doubt() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(17)], OFFSETS, seconds=5)
    keypoints["cam3"] = scenes.film(RIG, [scenes.mover(18)], OFFSETS, seconds=5)["cam3"]
    found = find_offsets(keypoints, RIG)
    assert any(note.startswith("cam3: ") for note in found.notes)
    others = [0, 1, 3]
    assert np.abs(found.offsets[others] - OFFSETS[others]).max() * 30 < 0.2


def test_layouts_with_nothing_in_common_are_named() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(19)], OFFSETS, seconds=2)
    mouse = make_skeleton("mouse", {"snout": None, "tail": "snout"})
    keypoints["cam2"] = Keypoints2D(keypoints["cam2"].xy[:, :, :2], skeleton=mouse, fps=30)
    with pytest.raises(SkeletonError, match="coco17, mouse"):
        find_offsets(keypoints, RIG)


def test_cameras_and_rig_must_match() -> None:
    keypoints = scenes.film(RIG, [scenes.mover(20)], OFFSETS, seconds=2)
    with pytest.raises(CameraError, match="keypoints of 2 cameras for a rig of 4"):
        find_offsets(list(keypoints.values())[:2], RIG)
    with pytest.raises(CameraError, match="no camera 'left'"):
        find_offsets({"left": keypoints["cam1"], "cam2": keypoints["cam2"]}, RIG)
    for limit in (0, -1, np.nan, np.inf):
        with pytest.raises(Lift3DError, match="largest offset"):
            find_offsets(keypoints, RIG, max_offset=limit)


def test_progress_comes_to_its_end() -> None:
    calls: list[tuple[int, int]] = []
    find_offsets(
        scenes.film(RIG, [scenes.mover(21)], OFFSETS, seconds=3), RIG, progress=lambda *call: calls.append(call)
    )
    assert calls == [(done, 6) for done in range(1, 7)]
