"""Windows of a prepared set: as a plain loop cuts them, each once an epoch, whatever the pool, parts and resumes."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pose_set_samples import INFO, camera, recording, recordings, view

from lift3d.datasets.pose_sets import PoseSet, open_pose_set, write_pose_set
from lift3d.datasets.windows import RawWindows, WindowReader
from lift3d.errors import CameraError, FileFormatError, ShapeError

FRAME = 12 * 2 * 17  # bytes of a frame of a view, 2D and 3D


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "set.h5"
    write_pose_set(path, INFO, recordings((40, 7, 61, 1, 90)))
    return path


def naive(pose_set: PoseSet, past: int, future: int, outputs: int, keep_every: int) -> list[dict[str, np.ndarray]]:
    """All windows in the order of their numbers, cut one by one from padded clips as VideoPose3D does."""
    found = []
    for k in range(len(pose_set.recordings)):
        one = pose_set.read(k)
        xyz = one.xyz[::keep_every]
        for seen in one.views:
            xy, confidence = seen.xy[::keep_every], seen.confidence[::keep_every]
            frames = len(xyz)
            count = -(-frames // outputs)
            early = (count * outputs - frames) // 2
            late = count * outputs - frames - early
            pad = (early + past, late + future)
            local = np.pad(xyz @ seen.camera.R.T + seen.camera.t, (pad, (0, 0), (0, 0)), mode="edge")
            xy = np.pad(np.nan_to_num(xy), (pad, (0, 0), (0, 0)), mode="edge")
            confidence = np.pad(confidence, (pad, (0, 0)), mode="edge")
            for window in range(count):
                at = slice(window * outputs, window * outputs + past + outputs + future)
                found.append(
                    {
                        "xy": xy[at],
                        "confidence": confidence[at],
                        "xyz": local[at],
                        "focal": seen.camera.K[[0, 1], [0, 1]],
                    }
                )
    return found


def epoch(reader: WindowReader, number: int, batch: int) -> list[RawWindows]:
    steps = reader.steps_per_epoch(batch)
    return [reader.read(number * steps + step, batch) for step in range(steps)]


def same(one: RawWindows, other: RawWindows) -> bool:
    names = ("xy", "confidence", "xyz", "index")
    return all(torch.equal(torch.nan_to_num(getattr(one, n)), torch.nan_to_num(getattr(other, n))) for n in names)


@settings(max_examples=25, deadline=None)
@given(
    past=st.integers(0, 12),
    future=st.integers(0, 12),
    outputs=st.integers(1, 9),
    keep_every=st.integers(1, 4),
    batch=st.integers(1, 70),
    pool=st.sampled_from([FRAME * 150, FRAME * 300, 1 << 30]),
    seed=st.integers(0, 5),
)
def test_windows_are_those_of_a_plain_loop(
    sample: Path, past: int, future: int, outputs: int, keep_every: int, batch: int, pool: int, seed: int
) -> None:
    with open_pose_set(sample) as pose_set:
        expected = naive(pose_set, past, future, outputs, keep_every)
        reader = WindowReader(pose_set, past, future, outputs, keep_every, seed, pool)
        assert reader.windows == len(expected)
        assert reader.frames == past + outputs + future
        batches = epoch(reader, 0, batch)
        assert [len(one.index) for one in batches[:-1]] == [batch] * (len(batches) - 1)
        assert torch.cat([one.index for one in batches]).sort().values.tolist() == list(range(len(expected)))
        for one in batches:
            wanted = {name: np.stack([expected[k][name] for k in one.index.tolist()]) for name in expected[0]}
            np.testing.assert_array_equal(one.xy, wanted["xy"].astype(np.float32))
            np.testing.assert_array_equal(one.confidence, wanted["confidence"])
            np.testing.assert_allclose(one.xyz, wanted["xyz"], atol=2e-6)
            np.testing.assert_allclose(one.camera.focal, wanted["focal"])


@pytest.mark.parametrize("pool", [FRAME * 150, 1 << 30])
def test_parts_one_after_the_other_are_the_batch(sample: Path, pool: int) -> None:
    with open_pose_set(sample) as pose_set:
        reader = WindowReader(pose_set, 4, 4, 1, pool_bytes=pool)
        for step in (0, 1, reader.steps_per_epoch(50) - 1, reader.steps_per_epoch(50)):
            whole = reader.read(step, 50)
            for parts in (2, 3, 8):
                found = [reader.read(step, 50, part, parts) for part in range(parts)]
                assert torch.equal(torch.cat([part.index for part in found]), whole.index)
                assert torch.equal(torch.cat([part.xy for part in found]), whole.xy)
                assert [part.first for part in found] == np.cumsum([0] + [len(p.index) for p in found[:-1]]).tolist()


def test_no_part_is_empty_where_the_last_batch_is_small(sample: Path) -> None:
    with open_pose_set(sample) as pose_set:
        reader = WindowReader(pose_set, 0, 0, 1)
        batch = reader.windows - 2
        last = reader.read(1, batch)
        assert len(last.index) == 2
        found = [reader.read(1, batch, part, 3).index for part in range(3)]
        assert [len(part) for part in found] == [1, 1, 1]
        assert set(torch.cat(found).tolist()) == set(last.index.tolist())


@pytest.mark.parametrize("pool", [FRAME * 150, 1 << 30])
def test_a_batch_depends_on_seed_and_step_alone(sample: Path, pool: int) -> None:
    with open_pose_set(sample) as pose_set:

        def reader(seed: int = 3) -> WindowReader:
            return WindowReader(pose_set, 2, 5, 3, seed=seed, pool_bytes=pool)

        straight = reader()
        steps = 3 * straight.steps_per_epoch(16)
        batches = [straight.read(step, 16) for step in range(steps)]
        resumed = reader()
        for step in [*range(steps // 2, steps), 0, steps - 1, 3]:
            assert same(resumed.read(step, 16), batches[step])
        order = torch.cat([one.index for one in batches])
        assert not torch.equal(order[: straight.windows], order[straight.windows : 2 * straight.windows])
        assert not torch.equal(reader(4).read(0, 16).index, batches[0].index)


@pytest.mark.parametrize("pool", [FRAME * 150, 1 << 30])
def test_windows_by_their_numbers(sample: Path, pool: int) -> None:
    with open_pose_set(sample) as pose_set:
        reader = WindowReader(pose_set, 3, 6, 4, keep_every=2, pool_bytes=pool)
        asked = torch.tensor([7, 0, reader.windows - 1, 7, 31])
        before = reader.read_windows(asked)  # before anything else was read
        assert before.index.tolist() == asked.tolist()
        batch = reader.read(2, 16)
        assert same(reader.read_windows(batch.index), batch)
        assert same(reader.read_windows(asked), before)
        assert same(reader.read(2, 16), batch)
        assert torch.equal(reader.read_windows(batch.index).up, batch.up)
        for wrong in ([], [-1], [reader.windows]):
            with pytest.raises(ShapeError):
                reader.read_windows(torch.tensor(wrong, dtype=torch.int64))


def test_up_is_the_vertical_of_the_camera(sample: Path, tmp_path: Path) -> None:
    with open_pose_set(sample) as pose_set:
        windows = WindowReader(pose_set, 0, 0, 1).read(0, 30)
        # The cameras of the sample stand level.
        np.testing.assert_allclose(windows.up, np.tile([0, -1, 0], (30, 1)), atol=1e-6)
    one = recording("S1/Walking 1", 8, 1)
    tilted = camera(0, R=np.eye(3), t=np.zeros(3))
    for space, expected in (("world", [0, 0, 1]), ("camera", [0, -1, 0])):
        path = tmp_path / f"{space}.h5"
        write_pose_set(
            path, replace(INFO, space=space), [replace(one, views=(view(one.xyz + np.array([0, 0, 4]), tilted),))]
        )
        with open_pose_set(path) as pose_set:
            assert WindowReader(pose_set, 0, 0, 1).read(0, 1).up.tolist() == [expected]


def test_blocks_are_mixed(sample: Path, tmp_path: Path) -> None:
    """A batch of a set larger than the pool holds windows from all over the set."""
    write_pose_set(tmp_path / "set.h5", INFO, [recording(f"S1/Walking {k}", 400, 1, k) for k in range(20)])
    with open_pose_set(tmp_path / "set.h5") as pose_set:
        reader = WindowReader(pose_set, 1, 1, 1, pool_bytes=FRAME * 2000)
        first = reader.read(0, 256).index
        assert len(set((first // 400).tolist())) >= 9  # five recordings would fill the pool
        assert (first.diff() == 1).float().mean() < 0.05


def test_frames_of_padding_repeat_the_ends(sample: Path) -> None:
    """A recording of one frame is a window that stands still."""
    with open_pose_set(sample) as pose_set:
        chosen = pose_set.select(subjects=["S9"], actions=["Eating"])
        assert chosen.frames == 1
        window = WindowReader(chosen, 13, 13, 1).read(0, 1)
        assert window.xyz.shape == (1, 27, 17, 3)
        assert torch.equal(window.xy, window.xy[:, :1].expand_as(window.xy))
        assert torch.equal(window.xyz, window.xyz[:, :1].expand_as(window.xyz))


def test_the_3d_project_onto_the_2d_of_their_camera(sample: Path) -> None:
    with open_pose_set(sample) as pose_set:
        windows = WindowReader(pose_set, 0, 0, 2).read(0, 400)
    local, camera_of = windows.xyz.double(), windows.camera
    plane = local[..., :2] / local[..., 2:]
    k1, k2, p1, p2, k3 = camera_of.distortion[:, None, None].unbind(-1)
    x, y = plane.unbind(-1)
    s = x * x + y * y
    radial = 1 + k1 * s + k2 * s**2 + k3 * s**3
    bent = torch.stack(
        [x * radial + 2 * p1 * x * y + p2 * (s + 2 * x * x), y * radial + p1 * (s + 2 * y * y) + 2 * p2 * x * y], -1
    )
    pixels = bent * camera_of.focal[:, None, None] + camera_of.centre[:, None, None]
    seen = (windows.confidence > 0) & torch.isfinite(pixels).all(-1)
    assert seen.float().mean() > 0.9
    assert (pixels - windows.xy)[seen].abs().max() < 5e-3
    assert camera_of.image_size.unique(dim=0).tolist() == [[1000, 1002]]


def test_views_without_keypoints_have_no_windows(tmp_path: Path) -> None:
    one, other = recording("S1/Walking 1", 20), recording("S1/Walking 2", 30, cameras=0)
    one.views[1].xy[:] = np.nan
    write_pose_set(tmp_path / "set.h5", INFO, [other, one])
    with open_pose_set(tmp_path / "set.h5") as pose_set:
        assert WindowReader(pose_set, 1, 1, 1).windows == 20
    write_pose_set(tmp_path / "none.h5", INFO, [other])
    with (
        open_pose_set(tmp_path / "none.h5") as pose_set,
        pytest.raises(FileFormatError, match=r"views/xy: no recording"),
    ):
        WindowReader(pose_set, 1, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"distortion": np.full(4, 0.01), "fisheye": True},
        {"distortion": np.full(8, 0.01)},
        {"K": np.array([[1000.0, 2, 500], [0, 1000, 500], [0, 0, 1]])},
    ],
)
def test_lenses_that_a_batch_cannot_hold(tmp_path: Path, changes: dict[str, object]) -> None:
    one = recording("S1/Walking 1", 8, 1)
    odd = replace(one, views=(view(one.xyz, camera(0, name="odd", **changes)),))
    write_pose_set(tmp_path / "set.h5", INFO, [odd])
    with open_pose_set(tmp_path / "set.h5") as pose_set, pytest.raises(CameraError, match="'odd'"):
        WindowReader(pose_set, 1, 1, 1)


def test_eight_coefficients_of_which_three_are_zero(tmp_path: Path) -> None:
    one = recording("S1/Walking 1", 8, 1)
    lens = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0, 0, 0])
    write_pose_set(tmp_path / "set.h5", INFO, [replace(one, views=(view(one.xyz, camera(0, distortion=lens)),))])
    with open_pose_set(tmp_path / "set.h5") as pose_set:
        found = WindowReader(pose_set, 1, 1, 1).read(0, 4)
        np.testing.assert_allclose(found.camera.distortion, np.tile(lens[:5], (4, 1)), rtol=1e-6)


def test_impossible_arguments(sample: Path) -> None:
    with open_pose_set(sample) as pose_set:
        for wrong in ((-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 1, 0), (0, 0, 1, 1, -1)):
            with pytest.raises(ShapeError):
                WindowReader(pose_set, *wrong)
        reader = WindowReader(pose_set, 0, 0, 1)
        for wrong in ((-1, 4), (0, 0), (0, 4, 2, 2), (0, 4, -1, 2)):
            with pytest.raises(ShapeError):
                reader.read(*wrong)


def test_damage_is_named_while_reading(sample: Path, tmp_path: Path) -> None:
    with h5py.File(sample) as file:
        place = file["poses/xyz"].id.get_chunk_info(0).byte_offset
    data = bytearray(sample.read_bytes())
    data[place + 5] ^= 1
    (tmp_path / "set.h5").write_bytes(data)
    with open_pose_set(tmp_path / "set.h5") as pose_set, pytest.raises(FileFormatError, match="poses/xyz is damaged"):
        WindowReader(pose_set, 1, 1, 1).read(0, 4)
