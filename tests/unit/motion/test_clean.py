"""The chain of steps, and the cut-off that is found."""

import numpy as np
import pytest
from walkers import FPS, periodic, walker

from lift3d.errors import Lift3DError, ShapeError
from lift3d.motion.clean import clean
from lift3d.motion.filters import filter_poses, parse_filter, residual_cutoff
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17


def test_nothing_asked_nothing_done() -> None:
    poses, _ = walker(frames=60)
    assert clean(poses) is poses


def test_all_steps_leave_their_mark_in_order() -> None:
    poses = periodic(80, 300, drift=0.02)
    cleaned = clean(poses, fill_gaps=0.2, smooth="butterworth:auto", in_place=True, loop="auto")
    words = [step.split()[0] for step in cleaned.provenance["steps"]]
    assert words == ["gaps", "filtered:", "loop"]
    assert cleaned.frames == 80
    pelvis = cleaned.xyz[:, 0, H36M17.index("pelvis"), :2]
    assert np.ptp(pelvis, axis=0).max() < 0.01


def test_a_loop_by_frames() -> None:
    assert clean(periodic(80, 300), loop=(100, 180)).frames == 80


@pytest.mark.parametrize("shape", [(0, 1), (5, 0)])
def test_no_motion(shape: tuple[int, int]) -> None:
    with pytest.raises(Lift3DError, match="no motion"):
        clean(Poses3D(np.empty((*shape, 17, 3)), skeleton=H36M17), in_place=True)


def test_the_cutoff_is_that_of_residual_analysis() -> None:
    poses = periodic(120, 400)
    noisy = poses.xyz + np.random.default_rng(0).normal(size=poses.xyz.shape) * 0.01
    noisy_poses = Poses3D(noisy, skeleton=H36M17, fps=FPS)
    method, parameters = parse_filter("butterworth:auto")
    filtered = filter_poses(noisy_poses, method, **parameters)
    cutoff = round(residual_cutoff(noisy_poses.xyz, FPS), 2)
    assert f"cutoff {cutoff} Hz by residual analysis" in filtered.provenance["steps"][-1]
    np.testing.assert_array_equal(filtered.xyz, filter_poses(noisy_poses, "butterworth", cutoff=cutoff).xyz)
    assert np.std(filtered.xyz - poses.xyz) < 0.6 * np.std(noisy - poses.xyz)


def test_auto_is_for_cutoffs() -> None:
    assert parse_filter("butterworth:cutoff=auto,order=2") == ("butterworth", {"cutoff": "auto", "order": 2})
    with pytest.raises(Lift3DError, match="not a number"):
        parse_filter("median:auto")
    nobody = Poses3D(np.full((100, 1, 17, 3), np.nan), skeleton=H36M17, fps=FPS)
    with pytest.raises(ShapeError, match="residual analysis"):
        filter_poses(nobody, "butterworth", cutoff="auto")
