"""lift3d.triangulate on synthetic recordings: what goes together, who is who, what is refused, and honest sigmas."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rig_scenes import ring, see

from lift3d.errors import CameraError, Lift3DError, ShapeError, SkeletonError
from lift3d.geometry.rigs import Rig
from lift3d.multiview.gather import gather_views
from lift3d.multiview.swaps import body_parts, exchange
from lift3d.multiview.triangulate import describe, prepare_views, triangulate, triangulate_views
from lift3d.poses import SOURCES, Keypoints2D
from lift3d.skeletons import COCO17

FRAMES = 120
RIG = Rig(tuple(ring(4)))


def person(x: float = 0.0, y: float = 0.0, seed: int = 0, frames: int = FRAMES) -> np.ndarray:
    """(frames, 17, 3) joints that sway about their places, on a body at (x, y)."""
    rng = np.random.default_rng(seed)
    place = rng.uniform([x - 0.3, y - 0.3, 0], [x + 0.3, y + 0.3, 1.8], (17, 3))
    time = np.arange(frames)[:, None, None] / 30
    return np.asarray(place + 0.1 * np.sin(time + rng.uniform(0, 6, (17, 3))))


def views(*people: np.ndarray, noise: float = 2.0, rig: Rig = RIG, **fields: Any) -> list[Keypoints2D]:
    """What the cameras of a rig detect of people (frames, 17, 3)."""
    xy = see(list(rig.cameras), np.stack(people, axis=1), noise).astype(np.float32)
    common = {"skeleton": COCO17, "fps": 30.0, "image_size": (1920, 1080)} | fields
    return [Keypoints2D(view, np.where(np.isfinite(view[..., 0]), 0.8, 0), **common) for view in xy]


def test_one_person_with_all_that_is_known_of_every_joint() -> None:
    truth = person()
    poses = triangulate(views(truth), RIG)
    assert poses.xyz.shape == (FRAMES, 1, 17, 3)
    assert (poses.space, poses.fps, poses.skeleton) == ("world", 30, COCO17)
    away = poses.xyz[:, 0] - truth
    assert poses.covariance is not None
    assert poses.sigma is not None
    squares = np.einsum("fji,fjik,fjk->fj", away, np.linalg.inv(poses.covariance[:, 0].astype(float)), away) / 3
    assert squares.mean() == pytest.approx(1, abs=0.12)
    np.testing.assert_allclose(poses.sigma**2, np.trace(poses.covariance, axis1=-2, axis2=-1) / 3, rtol=1e-5)
    assert poses.cameras_used is not None
    assert poses.source is not None
    assert (poses.cameras_used >= 3).all()
    assert (poses.source == SOURCES.index("measured")).all()
    np.testing.assert_allclose(poses.confidence, 0.8, rtol=1e-5)
    assert np.median(poses.reprojection_error) == pytest.approx(2 * np.sqrt(2 * 5 / 8), rel=0.1)
    assert "triangulated robustly from 4 cameras" in poses.provenance["steps"][-1]


def test_noise_differs_from_joint_to_joint_and_sigma_with_it() -> None:
    truth = person(frames=400)
    motions = views(truth, noise=0.0)
    level = np.linspace(1, 5, 17)
    rng = np.random.default_rng(0)
    motions = [replace(m, xy=m.xy + (rng.normal(size=m.xy.shape) * level[:, None])) for m in motions]
    poses = triangulate(motions, RIG)
    assert poses.sigma is not None
    error = np.sqrt(((poses.xyz[:, 0] - truth) ** 2).mean((0, 2)))
    np.testing.assert_allclose(np.sqrt((poses.sigma[:, 0] ** 2).mean(0)), error, rtol=0.15)


def test_cameras_by_name_in_any_order_and_some_left_out() -> None:
    truth = person()
    motions = dict(zip(RIG.names, views(truth), strict=True))
    chosen = {name: motions[name] for name in ("cam3", "cam0", "cam1")}
    poses = triangulate(chosen, RIG)
    np.testing.assert_allclose(poses.xyz[:, 0], truth, atol=0.06)
    assert any("not given: cam2" in step for step in poses.provenance["steps"])
    assert set(poses.provenance["cameras"]) == set(chosen)


def test_joints_that_nobody_or_one_camera_sees_are_missing() -> None:
    motions = views(person())
    for motion in motions:
        motion.xy[10:20, :, 3] = np.nan
    for motion in motions[1:]:
        motion.xy[:, :, 5] = np.nan
    motions = [replace(motion, xy=motion.xy, confidence=None) for motion in motions]
    poses = triangulate(motions, RIG)
    missing = np.isnan(poses.xyz[:, 0]).all(-1)
    assert missing[10:20, 3].all()
    assert missing[:, 5].all()
    assert missing.sum() == 10 + FRAMES
    assert poses.sigma is not None
    assert poses.source is not None
    assert np.isnan(poses.sigma[:, 0][missing]).all()
    assert (poses.source[:, 0][missing] == SOURCES.index("missing")).all()


def test_swaps_are_undone_and_counted() -> None:
    truth = person(frames=200)
    motions = views(truth)
    swaps = {part: np.zeros((4, 200), dtype=bool) for part in body_parts(COCO17)}
    swaps["legs"][1, 50:60] = swaps["arms"][1, 50:60] = swaps["head"][1, 50:60] = True
    xy = exchange(np.stack([motion.xy[:, 0] for motion in motions]), swaps, COCO17)
    swapped = [replace(motion, xy=view[:, None]) for motion, view in zip(motions, xy, strict=True)]
    poses = triangulate(swapped, RIG)
    assert any("set right: 30 times" in step for step in poses.provenance["steps"])
    np.testing.assert_allclose(poses.xyz, triangulate(motions, RIG).xyz, atol=1e-4)
    kept = triangulate(swapped, RIG, undo_swaps=False)
    assert kept.cameras_used is not None
    assert np.median(kept.cameras_used[50:60]) == 3


def test_several_people_by_track_id() -> None:
    first, second = person(-0.6, 0, 1), person(0.6, 0.3, 2)
    motions = views(first, second, track_ids=(7, 4))
    # A camera that lists them the other way round, and one that sees somebody else as well.
    motions[1] = motions[1].select(people=[1, 0])
    extra = views(person(0, 1.5, 3), track_ids=(9,))[2]
    motions[2] = replace(
        motions[2],
        xy=np.concatenate([motions[2].xy, extra.xy], axis=1),
        confidence=np.concatenate([motions[2].confidence, extra.confidence], axis=1),
        track_ids=(7, 4, 9),
    )
    poses = triangulate(motions, RIG)
    assert poses.track_ids == (4, 7)
    np.testing.assert_allclose(poses.xyz[:, 0], second, atol=0.06)
    np.testing.assert_allclose(poses.xyz[:, 1], first, atol=0.06)


def test_several_people_whose_ids_do_not_match_are_refused() -> None:
    motions = views(person(-0.6, 0, 1), person(0.6, 0.3, 2))
    motions[1] = replace(motions[1], track_ids=(1, 0))
    with pytest.raises(Lift3DError, match="lift3d reconstruct"):
        triangulate(motions, RIG)


def test_the_one_person_among_people_in_the_background() -> None:
    """Two cameras see others behind the person, in tracks of their own; one camera's largest track is a passer-by."""
    truth = person()
    motions = views(truth)
    behind = views(person(3, 3, 5), person(-3, 2, 6))
    for camera, people in ((0, [0, 1]), (2, [1])):
        others = behind[camera].select(people=people)
        motions[camera] = replace(
            motions[camera],
            xy=np.concatenate([others.xy, motions[camera].xy], axis=1),
            confidence=np.concatenate([others.confidence, motions[camera].confidence], axis=1),
            track_ids=None,
        )
    near = views(person(*(RIG["cam0"].centre[:2] * 0.6), 8))[0]
    motions[0].xy[:, 0] = near.xy[:, 0]
    poses = triangulate(motions, RIG)
    np.testing.assert_allclose(poses.xyz[:, 0], truth, atol=0.06)
    assert any("camera 'cam0': person 2 taken of 3" in step for step in poses.provenance["steps"])
    motions[1] = views(person(0, 3, 9))[1]  # sees only somebody else
    lost = triangulate(motions, RIG, one_person=True)
    np.testing.assert_allclose(lost.xyz[:, 0], truth, atol=0.06)


def test_a_camera_that_ends_early_sees_nothing_from_there_on() -> None:
    truth = person()
    motions = views(truth)
    motions[2] = motions[2].select(slice(0, 80))
    poses = triangulate(motions, RIG)
    assert poses.cameras_used is not None
    assert poses.frames == FRAMES
    assert (poses.cameras_used[80:] <= 3).all()
    assert any("'cam2' ends 40 frames before" in step for step in poses.provenance["steps"])
    np.testing.assert_allclose(poses.xyz[:, 0], truth, atol=0.06)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = prepare_views(gather_views(views(person()), RIG))
    whole = triangulate_views(ready)
    monkeypatch.setattr("lift3d.multiview.triangulate.CHUNK_FRAMES", 7)
    done: list[tuple[int, int]] = []
    parts = triangulate_views(ready, progress=lambda *step: done.append(step))
    np.testing.assert_allclose(parts.xyz, whole.xyz, atol=1e-6)
    assert done[-1] == (FRAMES, FRAMES)
    assert describe(parts, ready) == describe(whole, ready)


def test_the_description() -> None:
    ready = prepare_views(gather_views(views(person()), RIG))
    summary = describe(triangulate_views(ready), ready)
    assert summary["cameras"] == list(RIG.names)
    for error in summary["median_reprojection_error_pixels"].values():
        assert error == pytest.approx(2 * np.sqrt(2 * np.log(2) * 5 / 8), rel=0.1)
    assert summary["joints_missing"] == 0
    assert summary["keypoints_rejected"] < 0.01
    assert 0.005 < summary["mean_sigma_metres"] < 0.02


def other_size(motions: list[Keypoints2D]) -> Any:
    return [replace(motions[0], xy=motions[0].xy / 2, image_size=(960, 540)), *motions[1:]]


BAD = [
    pytest.param(lambda m: m[:3], CameraError, "3 cameras for a rig of 4", id="too few in order"),
    pytest.param(lambda m: {"cam0": m[0]}, Lift3DError, "two cameras or more", id="one"),
    pytest.param(lambda m: {"cam0": m[0], "camera 9": m[1]}, CameraError, "no camera 'camera 9'", id="unknown"),
    pytest.param(other_size, CameraError, "960x540 pixels, the rig is calibrated for 1920x1080; multiply", id="size"),
    pytest.param(
        lambda m: [replace(m[0], image_size=(1080, 1920)), *m[1:]], CameraError, "cropped or turned", id="turned"
    ),
    pytest.param(
        lambda m: [replace(m[0], xy=m[0].xy * 3, image_size=None), *m[1:]], CameraError, "outside of its", id="outside"
    ),
    pytest.param(lambda m: [replace(m[0], fps=60.0), *m[1:]], ShapeError, "lift3d synchronise", id="rates"),
    pytest.param(lambda m: [m[0].convert("h36m17")[0], *m[1:]], SkeletonError, "convert one", id="layouts"),
    pytest.param(
        lambda m: [replace(x, xy=np.full_like(x.xy, np.nan), confidence=None) for x in m],
        ShapeError,
        "nothing to triangulate",
        id="nobody",
    ),
    pytest.param(lambda m: [x.select(slice(0, 0)) for x in m], ShapeError, "nothing to triangulate", id="no frames"),
]


@pytest.mark.parametrize(("spoil", "error", "message"), BAD)
def test_what_cannot_be_triangulated(spoil: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        triangulate(spoil(views(person())), RIG)


def test_confidence_out_of_range() -> None:
    with pytest.raises(ShapeError, match="min_confidence"):
        triangulate(views(person()), RIG, min_confidence=2)


def test_keypoints_of_little_confidence_are_left_out() -> None:
    motions = views(person())
    motions[0] = replace(motions[0], confidence=np.full_like(motions[0].confidence, 0.1))
    poses = triangulate(motions, RIG, min_confidence=0.3)
    assert poses.cameras_used is not None
    assert (poses.cameras_used == 3).all()


def test_rates_that_some_files_do_not_know() -> None:
    motions = views(person())
    motions[0] = replace(motions[0], fps=None)
    assert triangulate(motions, RIG).fps == 30
    assert triangulate([replace(m, fps=None) for m in motions], RIG).fps is None


def test_cameras_in_the_wrong_order_are_noticed() -> None:
    motions = views(person())
    assert not any("warning" in step for step in triangulate(motions, RIG).provenance["steps"])
    poses = triangulate([motions[1], motions[0], *motions[2:]], RIG)
    assert any("warning: the cameras contradict" in step for step in poses.provenance["steps"])
