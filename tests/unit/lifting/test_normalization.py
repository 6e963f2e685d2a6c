"""The person-centred input: what it must not depend on, and that it finds the body."""

import math

import pytest
import torch

from lift3d.lifting.normalization import (
    SIZE_WINDOW,
    body_view,
    encode,
    find_body,
    look_at,
    measure_body,
    rotate_plane,
)
from lift3d.skeletons import LIFTER23
from lift3d.training.bodies import rotation_about


def standing(frames: int = 40, depth: float = 4.0, seed: int = 0) -> torch.Tensor:
    """A body of scattered joints about a point ``depth`` metres ahead: (frames, 23, 3) in camera space."""
    generator = torch.Generator().manual_seed(seed)
    shape = torch.randn(23, 3, generator=generator) * torch.tensor([0.2, 0.5, 0.2])
    wave = 0.1 * torch.sin(torch.arange(frames)[:, None, None] / 7 + torch.randn(23, 3, generator=generator))
    return shape + wave + torch.tensor([0.0, 0.0, depth])


def project(points: torch.Tensor) -> torch.Tensor:
    return points[..., :2] / points[..., 2:]


KNOWN = torch.tensor(True)


def test_look_at_turns_the_direction_to_the_axis_and_stays_level() -> None:
    direction = torch.nn.functional.normalize(torch.randn(50, 3).abs() + torch.tensor([0, 0, 0.2]), dim=-1)
    rotation = look_at(direction)
    turned = (rotation @ direction[..., None])[..., 0]
    torch.testing.assert_close(turned, torch.tensor([0.0, 0, 1]).expand(50, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(50, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(50))
    assert rotation[:, 0, 1].abs().max() < 1e-7


def test_rotate_plane_is_what_the_turned_camera_sees() -> None:
    points = standing()
    rotation = rotation_about(torch.tensor([0.0, 1.0, 0.0]), torch.tensor(0.4)).expand(40, 3, 3)
    expected = project(points @ rotation.mT)
    torch.testing.assert_close(rotate_plane(rotation, project(points)), expected, atol=1e-5, rtol=1e-5)


def test_input_does_not_depend_on_where_the_camera_points() -> None:
    """Turning the camera about its own centre changes the image by a homography and the input not at all."""
    points, confidence = standing(), torch.ones(40, 23)
    expected = encode(project(points), confidence, find_body(project(points), confidence), KNOWN)
    turn = rotation_about(torch.tensor([0.0, 1.0, 0.0]), torch.tensor(math.radians(20)))
    plane = project(points @ turn.mT)
    view = find_body(plane, confidence)
    # The centre is a mean over the plane, which the homography shifts a little: not the direction, so not exact.
    torch.testing.assert_close(encode(plane, confidence, view, KNOWN), expected, atol=0.02, rtol=0.02)
    torch.testing.assert_close(view.rotation @ turn, find_body(project(points), confidence).rotation, atol=0.02, rtol=0)


def test_input_does_not_depend_on_resolution_of_an_unknown_camera() -> None:
    points, confidence = standing(depth=30.0), torch.ones(40, 23)
    inputs = []
    for zoom in (1.0, 2.5):
        plane = project(points) * zoom
        inputs.append(encode(plane, confidence, find_body(plane, confidence), torch.tensor(False)))
    torch.testing.assert_close(inputs[0], inputs[1], atol=1e-2, rtol=1e-2)


def test_apparent_size_falls_as_one_over_distance() -> None:
    confidence = torch.ones(40, 23)
    near = find_body(project(standing(depth=10.0)), confidence).scale
    far = find_body(project(standing(depth=20.0)), confidence).scale
    torch.testing.assert_close(near / far, torch.full((40,), 2.0), atol=0.01, rtol=0)


def test_apparent_size_survives_missing_legs() -> None:
    """A body as the reference stands: its size is known from any part of it."""
    from lift3d.lifting.normalization import reference

    shape, _ = reference(LIFTER23)
    shape = shape - shape[
        [LIFTER23.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "shoulder")]
    ].mean(0)
    plane = (shape * torch.tensor([1.0, -1.0]) / 5.0).expand(40, 23, 2)
    whole = torch.ones(40, 23)
    top = whole.clone()
    top[:, [j for j, name in enumerate(LIFTER23.joints) if name.split("_")[-1] in ("knee", "ankle", "heel", "toe")]] = 0
    for confidence in (whole, top):
        torch.testing.assert_close(find_body(plane, confidence).scale, torch.full((40,), 0.2), atol=1e-3, rtol=0)


def test_missing_joints_are_zero_and_infinite_values_do_not_leak() -> None:
    plane, confidence = project(standing()), torch.ones(40, 23)
    plane[3, 5] = torch.nan
    confidence[3, 5] = 0
    plane[10:13] = torch.nan
    confidence[10:13] = 0
    view = find_body(plane, confidence)
    inputs = encode(plane, confidence, view, KNOWN)
    assert torch.isfinite(inputs).all()
    assert (inputs[3, 5] == 0).all()
    assert (inputs[10:13, :23] == 0).all()
    # A frame without any joint keeps the view of the frame before.
    torch.testing.assert_close(view.rotation[12], view.rotation[9])


def test_clip_may_be_measured_in_pieces() -> None:
    plane, confidence = project(standing(frames=100)), torch.ones(100, 23)
    confidence[40:60] = 0
    whole = find_body(plane, confidence)
    pieces = [measure_body(plane[a:b], confidence[a:b]) for a, b in ((0, 33), (33, 50), (50, 100))]
    moments = type(pieces[0])(
        *(torch.cat([getattr(p, f) for p in pieces]) for f in ("centre", "seen", "in_image", "in_metres"))
    )
    view = body_view(moments)
    assert torch.equal(view.rotation, whole.rotation)
    assert torch.equal(view.scale, whole.scale)


def test_size_looks_no_further_than_its_window() -> None:
    plane, confidence = project(standing(frames=100)), torch.ones(100, 23)
    changed = plane.clone()
    changed[70:] *= 3
    before, after = find_body(plane, confidence).scale, find_body(changed, confidence).scale
    different = (before - after).abs() > 1e-6
    assert different.nonzero().min() == 70 - SIZE_WINDOW


@pytest.mark.parametrize("known", [True, False])
def test_perspective_is_told_only_of_known_cameras(known: bool) -> None:
    plane, confidence = project(standing()), torch.ones(40, 23)
    context = encode(plane, confidence, find_body(plane, confidence), torch.tensor(known))[:, -1]
    assert (context[:, 1] == known).all()
    assert (context[:, 0] != 0).any() == known
