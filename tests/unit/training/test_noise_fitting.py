"""The noise of a detector whose noise is known, measured; and of a real one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lift3d.errors import ShapeError
from lift3d.lifting.normalization import reference
from lift3d.skeletons import LIFTER23
from lift3d.training.detector_noise import DetectorNoise, detect
from lift3d.training.draws import Draws
from lift3d.training.noise_fitting import DetectedClip, NoiseFit, fit_detector_noise

FPS, FRAMES, DEPTH, FOCAL = 50.0, 200, 4.0, 1000.0


def detected(noise: DetectorNoise, clips: int = 120, seed: int = 0) -> list[DetectedClip]:
    """People who stand and sway, found by a detector with this noise; in pixels."""
    places = reference(LIFTER23)[0] * torch.tensor([1.0, -1.0])
    time = torch.arange(FRAMES) / FPS
    plane = (places[None, :, :, None] + 0.1 * torch.sin(time)).expand(clips, -1, -1, -1) / DEPTH
    found, confidence = detect(plane, torch.full((clips, FRAMES), DEPTH), noise, FPS, Draws([[seed]], [clips]))
    # The joints that a detector means lie elsewhere than those of the truth.
    found = found + 0.02 * torch.randn(clips, 23, 2, 1, generator=torch.Generator().manual_seed(1)) / DEPTH
    xy = np.where(confidence.numpy()[:, :, None] > 0, FOCAL * found.numpy(), np.nan).transpose(0, 3, 1, 2)
    truth = FOCAL * plane.numpy().transpose(0, 3, 1, 2)
    metre = np.full(FRAMES, FOCAL / DEPTH)
    return [DetectedClip(xy[k], confidence[k].numpy().T, truth[k], metre, FPS) for k in range(clips)]


def measure(noise: DetectorNoise, clips: int = 120) -> NoiseFit:
    return fit_detector_noise(detected(noise, clips), LIFTER23)


@pytest.mark.parametrize(
    "noise", [DetectorNoise(), DetectorNoise(0.012, 0.004, 0.3, 0.02, 0.1, 0.02, 0.05, 1.0), DetectorNoise(0.003, 0.02)]
)
def test_known_noise_is_found(noise: DetectorNoise) -> None:
    fit = measure(noise).noise
    assert fit.jitter == pytest.approx(noise.jitter, rel=0.15)
    assert fit.drift == pytest.approx(noise.drift, rel=0.25)
    assert fit.spread == pytest.approx(noise.spread, rel=0.25)
    # Runs that meet count once, and some gross errors are small.
    assert fit.outliers_per_second == pytest.approx(noise.outliers_per_second, rel=0.4)
    assert fit.gaps_per_second == pytest.approx(noise.gaps_per_second, rel=0.3)
    assert fit.losses_per_second == pytest.approx(noise.losses_per_second, rel=0.6)
    assert fit.swaps_per_second == pytest.approx(noise.swaps_per_second, rel=0.5)
    assert fit.silent_probability == pytest.approx(noise.silent_probability, abs=0.15)


def test_joints_and_confidence_are_told() -> None:
    fit = measure(DetectorNoise(silent_probability=0.0))
    assert fit.seconds == pytest.approx(120 * FRAMES / FPS)
    assert fit.joints["left_wrist"] / fit.joints["left_elbow"] == pytest.approx(1.4, rel=0.1)
    assert fit.joints["nose"] / fit.joints["left_elbow"] == pytest.approx(0.6, rel=0.1)
    edges = [edge for edge, _ in fit.confidence]
    assert edges == sorted(edges)
    assert len(edges) == 5


def test_a_perfect_detector_makes_no_errors() -> None:
    fit = measure(DetectorNoise(0, 0, 0, 0, 0, 0, 0, 1.0), 20).noise
    assert fit.jitter < 1e-6
    assert fit.drift < 1e-6
    assert (fit.outliers_per_second, fit.swaps_per_second, fit.gaps_per_second, fit.losses_per_second) == (0, 0, 0, 0)


def test_too_little_to_measure_is_said() -> None:
    clip = detected(DetectorNoise(), 1)[0]
    short = DetectedClip(clip.xy[:9], clip.confidence[:9], clip.truth[:9], clip.metre[:9], FPS)
    with pytest.raises(ShapeError, match=r"0\.5 s"):
        fit_detector_noise([short], LIFTER23)
    with pytest.raises(ShapeError):
        fit_detector_noise([], LIFTER23)


def test_a_recorded_detector(shared_data: Path) -> None:
    """OpenPose on four cameras against what the cameras together say, from frame to frame."""
    import lift3d

    demo = shared_data / "multiview" / "pose2sim_demo"
    rig = lift3d.read_rig(demo / "calibration" / "Calib.qca.txt")
    folder = demo / "single_balancing" / "pose"
    views = [lift3d.read_keypoints(folder / f"cam{k + 1:02d}_json", fps=60.0) for k in range(len(rig.cameras))]
    poses = lift3d.triangulate(views, rig)
    world = poses.xyz[:, 0]
    clips = []
    for camera, view in zip(rig.cameras, views, strict=True):
        frames = min(len(world), view.frames)
        depth = (world[:frames] @ camera.R.T + camera.t)[..., 2]
        metre = np.sqrt(camera.K[0, 0] * camera.K[1, 1]) / np.nanmedian(depth, axis=1)
        truth = camera.project(world[:frames])
        clips.append(DetectedClip(view.xy[:frames, 0], view.confidence[:frames, 0], truth, metre, 60.0))
    fit = fit_detector_noise(clips, views[0].skeleton)
    # Millimetres from frame to frame, and the less sure the detector is the more it errs.
    assert 0.002 < fit.noise.jitter < 0.006
    assert fit.noise.drift > fit.noise.jitter
    assert fit.noise.silent_probability == 0
    medians = [error for _, error in fit.confidence]
    assert medians[0] > 2 * medians[-1]
