"""Virtual cameras around recorded motion: they see all of it, from where cameras stand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.datasets.virtual_views import HEIGHT, IMAGE_SIZE, NEAREST, make_views, place_cameras
from lift3d.errors import Lift3DError


def walk(seed: int, length: float, frames: int = 40) -> np.ndarray:
    """(frames, 17, 3): a body that turns while it goes ``length`` metres, on a floor somewhere; some joints missing."""
    rng = np.random.default_rng(seed)
    body = rng.uniform((-0.4, -0.4, 0), (0.4, 0.4, 1.8), (17, 3))
    body[:2, 2] = 0
    angle = np.linspace(0, 4, frames)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1).reshape(-1, 2, 2)
    xyz = np.broadcast_to(body, (frames, 17, 3)).copy()
    xyz[..., :2] = np.einsum("fij,kj->fki", turn, body[:, :2])
    way = rng.normal(0, 1, 2)
    xyz[..., :2] += (np.linspace(0, length, frames)[:, None] * way / np.linalg.norm(way))[:, None]
    xyz += rng.uniform(-5, 5, 3)
    xyz[3:5, 7] = np.nan
    return xyz.astype(np.float32)


@given(seed=st.integers(0, 10**6), length=st.floats(0, 12), count=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_every_joint_is_in_every_image(seed: int, length: float, count: int) -> None:
    xyz = walk(seed, length)
    known = np.isfinite(xyz).all(-1)
    floor = float(np.nanmin(xyz[..., 2]))
    views = make_views(xyz, count, "a", seed)
    assert len({view.camera.name for view in views}) == count
    for view in views:
        assert (view.confidence == known).all()
        np.testing.assert_allclose(view.xy, view.camera.project(xyz).astype(np.float32), rtol=1e-6, equal_nan=True)
        width, height = view.camera.image_size
        assert ((view.xy[known] > 0) & (view.xy[known] < (width, height))).all()
        local = xyz[known] @ view.camera.R.T + view.camera.t
        assert local[:, 2].min() > NEAREST - 1e-5
        # Up is up: a point above another is higher in the image.
        low, high = view.camera.project(np.nanmean(xyz, axis=(0, 1)) + np.array([[0, 0, -0.2], [0, 0, 0.2]]))
        assert high[1] < low[1]
        # Above the floor, and looking at the middle of where the person was.
        assert floor + HEIGHT[0] - 0.5 < view.camera.centre[2] < floor + HEIGHT[1] + 0.7
        middle = (np.nanmin(xyz, axis=(0, 1)) + np.nanmax(xyz, axis=(0, 1))) / 2
        np.testing.assert_allclose(view.camera.project(middle), np.array(IMAGE_SIZE) / 2, atol=0.01)


def test_cameras_stand_all_around() -> None:
    xyz = walk(1, 3.0)
    middle = (np.nanmin(xyz, axis=(0, 1)) + np.nanmax(xyz, axis=(0, 1))) / 2
    away = np.stack([camera.centre - middle for camera in place_cameras(xyz, 4, "a")])
    angles = np.sort(np.degrees(np.arctan2(away[:, 1], away[:, 0])))
    gaps = np.diff(np.append(angles, angles[0] + 360))
    assert gaps.min() >= 45 - 1e-6
    assert gaps.max() <= 135 + 1e-6


def test_cameras_belong_to_recording_and_seed() -> None:
    xyz = walk(0, 2.0)
    first, again = place_cameras(xyz, 3, "a"), place_cameras(xyz, 3, "a")
    assert all((one.R == two.R).all() and (one.K == two.K).all() for one, two in zip(first, again, strict=True))
    for other in (place_cameras(xyz, 3, "b"), place_cameras(xyz, 3, "a", seed=1)):
        assert all(not np.allclose(one.R, two.R) for one, two in zip(first, other, strict=True))


def test_impossible_requests_are_errors() -> None:
    for count in (0, -1, 65):
        with pytest.raises(Lift3DError, match="cameras"):
            place_cameras(walk(0, 1), count, "a")
    with pytest.raises(Lift3DError, match="no joint of 'a'"):
        place_cameras(np.full((3, 17, 3), np.nan), 2, "a")
