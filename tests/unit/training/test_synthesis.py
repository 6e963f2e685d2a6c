"""Synthesised windows: bodies keep their bones, cameras project, detectors err as they should, training learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from synthesis_bank import make_bank, place

from lift3d.datasets.motion_bank import BANK_JOINTS, load_motion_bank
from lift3d.datasets.virtual_cameras import AIM_NORMAL, AIM_UNIFORM, CameraVariation, aim_cameras
from lift3d.errors import FileFormatError
from lift3d.lifting.normalization import REFERENCE_HEIGHT
from lift3d.skeletons import H36M17, LIFTER23
from lift3d.training.bodies import BodySampler, BodyVariation, rotation_about
from lift3d.training.detector_noise import MISSING_PARTS, DetectorNoise, detect
from lift3d.training.draws import Draws
from lift3d.training.losses import joint_error, velocity_error
from lift3d.training.synthesis import SynthesisConfig, WindowSynthesizer, project


def make_draws(windows: int, seed: int = 0) -> Draws:
    return Draws([(seed,)], [windows])


def make_bodies(variation: BodyVariation, windows: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets (windows, frames, 17, 3) and seen joints (windows, frames, 23, 3) in the world."""
    bodies = BodySampler(make_bank(), variation, 30.0)
    posed = bodies.sample(frames, np.eye(3, dtype=np.float32)[None].repeat(windows, 0), make_draws(windows))
    return place(posed.joints.target, posed.vectors), place(posed.joints.seen, posed.vectors)


def test_bodies_have_constant_symmetric_bones_and_the_reference_height() -> None:
    target, _ = make_bodies(BodyVariation(), 32, 40)
    parents, children = (list(ends) for ends in zip(*H36M17.bones, strict=True))
    sizes = (target[:, :, children] - target[:, :, parents]).norm(dim=-1)
    torso = {children.index(H36M17.index(f"{side}_shoulder")) for side in ("left", "right")}
    limbs = [k for k in range(len(children)) if k not in torso and H36M17.joints[children[k]] != "nose"]
    limbs = [k for k in limbs if H36M17.joints[children[k]] != "head_top"]
    torch.testing.assert_close(sizes[:, :, limbs], sizes[:, :1, limbs].expand(-1, 40, -1), atol=1e-4, rtol=0)
    names = [H36M17.joints[child] for child in children]
    for name in ("knee", "ankle", "elbow", "wrist"):
        left, right = names.index(f"left_{name}"), names.index(f"right_{name}")
        torch.testing.assert_close(sizes[:, :, left], sizes[:, :, right], atol=1e-4, rtol=0)
    legs_and_trunk = sizes[:, 0, [names.index(n) for n in ("left_knee", "left_ankle", "spine", "thorax")]].sum(-1)
    assert (legs_and_trunk > 0.6 * REFERENCE_HEIGHT).all()
    assert (legs_and_trunk < 0.9 * REFERENCE_HEIGHT).all()


def test_unvaried_body_stands_as_recorded() -> None:
    """Left stays left and the head on top; the person faces where he faced, up to the mirror."""
    still = BodyVariation(
        speed=(1.0, 1.0), mix_probability=0, limb_probability=0, lean_probability=0, lying_probability=0,
        definition_metres=0,
    )  # fmt: skip
    x, seen = make_bodies(still, 16, 20)
    index = H36M17.index
    assert (x[:, :, index("head_top"), 2] > x[:, :, index("thorax"), 2]).all()
    assert (x[:, :, index("pelvis"), 2] > x[:, :, index("left_ankle"), 2]).all()
    lateral = x[:, :, index("left_hip")] - x[:, :, index("right_hip")]
    toes = seen[:, :, LIFTER23.index("left_big_toe")] - seen[:, :, LIFTER23.index("left_heel")]
    # A person's left, his front and up are a right-handed frame, mirrored windows too.
    handedness = torch.linalg.cross(lateral, torch.tensor([0.0, 0, 1]).expand_as(lateral))
    assert ((handedness * toes).sum(-1) > 0).float().mean() > 0.95
    nose = seen[:, :, LIFTER23.index("nose")] - seen[:, :, LIFTER23.index("neck")]
    assert ((handedness * nose).sum(-1) > 0).float().mean() > 0.8


def test_rotation_about_is_a_rotation_by_the_angle() -> None:
    axis = torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    angle = torch.rand(20) * 3
    rotation = rotation_about(axis, angle)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(20, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close((rotation @ axis[..., None])[..., 0], axis, atol=1e-5, rtol=0)
    torch.testing.assert_close(rotation.diagonal(dim1=1, dim2=2).sum(-1), 1 + 2 * angle.cos(), atol=1e-5, rtol=1e-5)


def test_cameras_look_at_people_who_stand_upright_in_the_image() -> None:
    draws = make_draws(200)
    variation = CameraVariation(pitch_deviation=5, roll_deviation=2)
    aims = aim_cameras(variation, draws.normal(AIM_NORMAL), draws.uniform(AIM_UNIFORM))
    rotation = torch.from_numpy(aims.rotation)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(200, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(200))
    np.testing.assert_allclose(np.linalg.norm(aims.ray, axis=1), 1, atol=1e-5)
    bodies = BodySampler(make_bank(), BodyVariation(lean_probability=0, lying_probability=0), 30.0)
    plane, depth = project(bodies.sample(20, aims.rotation, draws), aims)
    assert (depth > 0.6).all()
    head, foot = plane[:, LIFTER23.index("head_top"), 1], plane[:, LIFTER23.index("left_ankle"), 1]
    assert (head < foot).float().mean() > 0.98
    assert np.rad2deg(np.arccos(aims.ray[:, 2])).max() <= 25.1
    assert (aims.assumed_focal[aims.known] == 1).all()


def test_joints_are_projected_from_where_the_camera_stands() -> None:
    """The body's middle is on the camera's ray, at its distance or where the nearest joint is 0.6 m away."""
    draws = make_draws(100)
    variation = CameraVariation(distance=(0.5, 3.0))
    aims = aim_cameras(variation, draws.normal(AIM_NORMAL), draws.uniform(AIM_UNIFORM))
    bodies = BodySampler(make_bank(), BodyVariation(), 30.0).sample(20, aims.rotation, draws)
    plane, depth = project(bodies, aims)
    seen, target = place(bodies.joints.seen, bodies.vectors), place(bodies.joints.target, bodies.vectors)
    middle = target[:, 10].mean(1)
    ray, distance = torch.from_numpy(aims.ray), torch.from_numpy(aims.distance)
    nearest = (0.6 - (seen[..., 2].amin((1, 2)) - middle[:, 2])) / ray[:, 2]
    assert 5 < int((nearest > distance).sum()) < 95
    offset = (ray * torch.maximum(distance, nearest)[:, None] - middle)[:, None]
    torch.testing.assert_close(depth, target[:, :, 0, 2] + offset[..., 2])
    camera = seen + offset[:, None]
    assert float(camera[..., 2].min()) > 0.6 - 1e-4
    expected = camera[..., :2] / camera[..., 2:] * torch.from_numpy(aims.assumed_focal)[:, None, None, None]
    torch.testing.assert_close(plane.permute(0, 3, 1, 2), expected, atol=1e-4, rtol=1e-4)


def test_detector_errs_as_much_as_it_is_told() -> None:
    plane, depth = torch.zeros(400, 23, 2, 60), torch.full((400, 60), 4.0)
    perfect = DetectorNoise(0, 0, 0, 0, 0, 0, 0)
    found, confidence = detect(plane, depth, perfect, 30.0, make_draws(400))
    assert (found == 0).all()
    jitter = DetectorNoise(jitter=0.02, drift=0, spread=0, outliers_per_second=0, swaps_per_second=0)
    found, _ = detect(plane, depth, jitter, 30.0, make_draws(400))
    elbow = found[:, LIFTER23.index("left_elbow")]
    assert float(elbow.std()) == pytest.approx(0.02 / 4, rel=0.02)
    # What is missing, is missing in the shares that the layouts are drawn in.
    gone = (confidence == 0).all(2)
    share = sum(p for p, part in MISSING_PARTS if LIFTER23.index("left_big_toe") in part) / sum(
        p for p, _ in MISSING_PARTS
    )
    assert float(gone[:, LIFTER23.index("left_big_toe")].float().mean()) == pytest.approx(share, abs=0.08)


def test_feet_err_as_much_more_as_they_are_told() -> None:
    plane, depth = torch.zeros(400, 23, 2, 20), torch.full((400, 20), 4.0)
    quiet = DetectorNoise(outliers_per_second=0, swaps_per_second=0)
    errors = [
        detect(plane, depth, replace(quiet, feet=feet), 30, Draws([(5, 1)], [400]))[0].std((0, 2, 3))
        for feet in (1.0, 2.5)
    ]
    feet = torch.tensor([joint.endswith(("heel", "big_toe")) for joint in LIFTER23.joints])
    torch.testing.assert_close(errors[1], errors[0] * torch.where(feet, 2.5, 1.0), rtol=1e-3, atol=1e-6)


def test_same_seed_same_windows_and_inputs_show_the_target() -> None:
    make = lambda: WindowSynthesizer(make_bank(), SynthesisConfig(), 30.0, seed=3)  # noqa: E731
    (a, x), (b, y) = make().sample(8, 20), make().sample(8, 20)
    assert torch.equal(a, b)
    assert torch.equal(x, y)
    assert a.shape == (8, 20, 24, 3)
    assert x.shape == (8, 20, 17, 3)
    assert (x[:, :, 0] == 0).all()
    # Where a wrist is seen to the right of its hip, its target is to the right: input and target share their axes.
    clean = SynthesisConfig(noise=DetectorNoise(0, 0, 0, 0, 0, 0, 0))
    inputs, target = WindowSynthesizer(make_bank(), clean, 30.0, seed=5).sample(64, 4)
    for axis in (0, 1):
        wrist = inputs[:, :, LIFTER23.index("left_wrist")] - inputs[:, :, LIFTER23.index("left_shoulder")]
        truth = target[:, :, H36M17.index("left_wrist")] - target[:, :, H36M17.index("left_shoulder")]
        seen = (inputs[:, :, LIFTER23.index("left_wrist"), 2] > 0) & (truth[..., axis].abs() > 0.1)
        assert (wrist[..., axis].sign() == truth[..., axis].sign())[seen].float().mean() > 0.9


def test_losses_are_what_they_say() -> None:
    truth = torch.zeros(1, 3, 2, 3)
    prediction = truth.clone()
    prediction[0, :, 0] = torch.tensor([3.0, 4, 0])
    weight = torch.tensor([1.0, 0.25]).expand(1, 3, 2)
    assert float(joint_error(prediction, truth, weight)) == pytest.approx(5 / 1.25)
    assert float(velocity_error(prediction, truth, weight)) == 0
    prediction[0, 1:, 1] = torch.tensor([0.0, 0, 1])
    assert float(velocity_error(prediction, truth, torch.ones(1, 3, 2))) == pytest.approx(1 / 4)


def test_bank_reads_the_recordings(shared_data: Path) -> None:
    bank = load_motion_bank([(shared_data / "mocap" / "reactidle.h5", 0.5)], lambda _, who: who == "000")
    assert bank.names == ("reactidle/000_genuine",)
    assert torch.isfinite(bank.positions).all()
    # 24 frames/s became 60, and weights are shares of time.
    assert bank.positions.shape[0] == pytest.approx(2202 * 2.5, rel=0.01)
    assert float(bank.weights.sum()) == pytest.approx(0.5 * bank.positions.shape[0])
    up = bank.positions[:, BANK_JOINTS.index("head_top"), 2] - bank.positions[:, BANK_JOINTS.index("pelvis"), 2]
    assert (up > 0.4).all()


def test_motion_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    import h5py

    with pytest.raises(FileFormatError, match="no such motion file"):
        load_motion_bank([(tmp_path / "none.h5", 1.0)])
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        group = file.create_group("clip")
        group["positions"] = np.zeros((5, 2, 3), np.float32)
        group.attrs["joints"] = ["l_hip", "r_hip"]
        group.attrs["fps"] = 60.0
    with pytest.raises(FileFormatError, match=r"odd\.h5.*clip"):
        load_motion_bank([(tmp_path / "odd.h5", 1.0)])
    with pytest.raises(FileFormatError, match="no clip was kept"):
        load_motion_bank([(tmp_path / "odd.h5", 1.0)], lambda _, who: False)
