"""Poses read from their file block by block: the same as the clip read whole, from damaged and older files too."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from damage import damaged
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lift3d.errors import FileFormatError, Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.io.hdf5_files import read_dataset
from lift3d.io.poses3d import write_poses
from lift3d.io.stored_poses import StoredPoses, open_poses
from lift3d.poses import PER_JOINT, Keypoints2D, Poses3D
from lift3d.skeletons import COCO17

FRAMES, PEOPLE = 300, 2
SHAPE = (FRAMES, PEOPLE, 17)


def make_poses() -> Poses3D:
    """A clip that fills several chunks of every array and has everything."""
    rng = np.random.default_rng(3)
    xyz = rng.normal(size=(*SHAPE, 3))
    xyz[40:60, 1] = np.nan
    keypoints = Keypoints2D(rng.random((*SHAPE, 2)), rng.random(SHAPE), COCO17, fps=50, image_size=(640, 480))
    return Poses3D(
        xyz,
        rng.random(SHAPE),
        COCO17,
        fps=50,
        track_ids=(4, 9),
        space="camera",
        sigma=rng.random(SHAPE),
        reprojection_error=rng.random(SHAPE),
        covariance=rng.random((*SHAPE, 3, 3)),
        cameras_used=rng.integers(0, 9, SHAPE),
        source=rng.integers(0, 5, SHAPE),
        camera=Camera(np.diag([800, 800, 1.0]), image_size=(640, 480), name="cam1"),
        keypoints=keypoints,
        provenance={"steps": ["made"]},
    )


@pytest.fixture(scope="module")
def poses() -> Poses3D:
    return make_poses()


@pytest.fixture(scope="module")
def file(poses: Poses3D, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored") / "clip.h5"
    poses.save(path)
    return path


def assert_same(a: Poses3D, b: Poses3D) -> None:
    for name in ("xyz", "confidence", *PER_JOINT):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name) is None or getattr(a, name).dtype == getattr(b, name).dtype
    for name in ("skeleton", "fps", "track_ids", "space", "provenance"):
        assert getattr(a, name) == getattr(b, name)
    assert (a.keypoints is None) == (b.keypoints is None)
    if a.keypoints is not None and b.keypoints is not None:
        np.testing.assert_array_equal(a.keypoints.xy, b.keypoints.xy)
        np.testing.assert_array_equal(a.keypoints.confidence, b.keypoints.confidence)
        assert (a.keypoints.fps, a.keypoints.track_ids) == (b.keypoints.fps, b.keypoints.track_ids)


bounds = st.one_of(st.none(), st.integers(-FRAMES - 5, FRAMES + 5))
steps = st.one_of(st.none(), st.integers(-70, 70).filter(bool))


@settings(deadline=None, max_examples=60)
@example(slice(None), None)
@example(slice(5, 5), [1])
@example(slice(None, None, -1), [])
@given(st.builds(slice, bounds, bounds, steps), st.one_of(st.none(), st.lists(st.integers(0, 1), unique=True)))
def test_any_slice_is_that_of_the_whole_clip(
    poses: Poses3D, file: Path, frames: slice, people: list[int] | None
) -> None:
    with StoredPoses(file) as stored:
        assert_same(stored.select(frames, people), poses.select(frames, people))


def test_what_is_known_before_anything_is_read(poses: Poses3D, file: Path) -> None:
    with open_poses(file) as stored:
        assert isinstance(stored, StoredPoses)
        for name in ("frames", "people", "skeleton", "fps", "track_ids", "space", "provenance"):
            assert getattr(stored, name) == getattr(poses, name)
        assert stored.camera is not None
        assert stored.camera.name == "cam1"
        assert all(stored.has(name) and poses.has(name) for name in (*PER_JOINT, "camera", "keypoints"))
    with pytest.raises(Lift3DError, match="was closed"):
        stored.select(slice(0, 1))


def test_what_a_clip_does_not_have(poses: Poses3D, tmp_path: Path) -> None:
    plain = Poses3D(poses.xyz, skeleton=COCO17)
    plain.save(tmp_path / "plain.h5")
    with open_poses(tmp_path / "plain.h5") as stored:
        assert not any(clip.has(name) for clip in (stored, plain) for name in (*PER_JOINT, "camera", "keypoints"))
        assert_same(stored.select(), plain)


@pytest.mark.parametrize("shape", [(0, 1, 17, 3), (4, 0, 17, 3), (1, 1, 17, 3), (3, 40, 17, 3)])
def test_clips_of_odd_size(shape: tuple[int, ...], tmp_path: Path) -> None:
    """No frames, nobody, and more people than a chunk's bytes hold frames of."""
    whole = Poses3D(np.ones(shape), skeleton=COCO17, covariance=np.ones((*shape, 3)))
    whole.save(tmp_path / "odd.h5")
    with open_poses(tmp_path / "odd.h5") as stored:
        assert (stored.frames, stored.people) == shape[:2]
        assert_same(stored.select(), whole)


def test_chunks_hold_whole_frames_of_everyone(file: Path) -> None:
    with h5py.File(file) as opened:
        for name in ("xyz", "covariance", "confidence", "keypoints/xy"):
            array = opened[name]
            assert array.chunks[1:] == array.shape[1:]
            assert array.chunks[0] > 1


def test_other_formats_are_read_whole(poses: Poses3D, tmp_path: Path) -> None:
    write_poses(poses, tmp_path / "clip.npz")
    with open_poses(tmp_path / "clip.npz") as read:
        assert isinstance(read, Poses3D)
        np.testing.assert_array_equal(read.xyz, poses.xyz)


def rewritten(source: Path, target: Path, change: dict[str, Any], **options: Any) -> Path:
    """A copy of the file with other arrays, in chunks of HDF5's own choice: as older versions wrote them."""
    with h5py.File(source) as old, h5py.File(target, "w", libver=("v110", "v110")) as new:

        def copy(group: h5py.Group, into: h5py.Group) -> None:
            into.attrs.update(group.attrs)
            for name, member in group.items():
                if isinstance(member, h5py.Group):
                    copy(member, into.create_group(name))
                else:
                    data = change.get(member.name.lstrip("/"), member[()])
                    if data is not None:
                        into.create_dataset(name, data=data, compression="gzip", fletcher32=True, **options)

        copy(old, new)
    return target


def test_older_files(poses: Poses3D, file: Path, tmp_path: Path) -> None:
    with open_poses(rewritten(file, tmp_path / "old.h5", {}, shuffle=True)) as stored:
        assert_same(stored.select(slice(30, 200, 7)), poses.select(slice(30, 200, 7)))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sigma": np.ones((FRAMES - 1, PEOPLE, 17))}, "sigma"),
        ({"keypoints/confidence": np.ones((FRAMES + 2, PEOPLE, 17))}, "keypoints/confidence"),
        ({"covariance": np.ones((FRAMES, PEOPLE, 16, 3, 3))}, "covariance"),
        ({"source": np.full(SHAPE, "a", "S1")}, "source"),
        ({"confidence": None}, "confidence"),
        ({"xyz": np.ones((FRAMES, PEOPLE, 18, 3))}, "18 joints"),
        ({"xyz": np.ones((FRAMES, 3, 17, 3))}, "track_ids"),
    ],
)
def test_wrong_shapes_are_found_at_opening(file: Path, tmp_path: Path, change: dict[str, Any], field: str) -> None:
    path = rewritten(file, tmp_path / "wrong.h5", change)
    with pytest.raises(FileFormatError, match=field) as error:
        open_poses(path)
    assert str(path) in str(error.value)


def test_wrong_values_are_found_when_they_are_read(poses: Poses3D, file: Path, tmp_path: Path) -> None:
    sigma = np.ones(SHAPE)
    sigma[250] = -1
    with open_poses(rewritten(file, tmp_path / "wrong.h5", {"sigma": sigma})) as stored:
        np.testing.assert_array_equal(stored.select(slice(0, 250)).xyz, poses.xyz[:250])
        with pytest.raises(FileFormatError, match="sigma must be 0 or more"):
            stored.select(slice(240, 260))


def test_a_claim_of_endless_frames_is_refused(tmp_path: Path) -> None:
    Poses3D(np.ones((1, 1, 17, 3)), skeleton=COCO17).save(tmp_path / "huge.h5")
    with h5py.File(tmp_path / "huge.h5", "a") as opened:
        del opened["xyz"]
        opened.create_dataset("xyz", shape=(10**9, 1, 17, 3), chunks=(100, 1, 17, 3), dtype="f4")
    with pytest.raises(FileFormatError, match="over the limit"):
        open_poses(tmp_path / "huge.h5")


def test_what_memory_should_not_hold_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift3d.io.hdf5_files.MAX_BYTES", 100 * PEOPLE * 17 * 9 * 4)
    with open_poses(file) as stored:
        assert stored.select(slice(100)).frames == 100
        with pytest.raises(FileFormatError, match="covariance"):
            stored.select(slice(101))
    with h5py.File(file) as opened, pytest.raises(FileFormatError, match="over the limit"):
        read_dataset(opened, "covariance", file)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_is_an_error_or_the_same_poses(
    poses: Poses3D, file: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "clip.h5"
    path.write_bytes(data.draw(damaged(file.read_bytes())))
    with suppress(FileFormatError), open_poses(path) as stored:
        assert_same(stored.select(slice(20, 280, 3)), poses.select(slice(20, 280, 3)))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        open_poses(tmp_path / "none.h5")
    Keypoints2D(np.ones((1, 1, 17, 2)), skeleton=COCO17).save(tmp_path / "flat.h5")
    with pytest.raises(FileFormatError, match="expected lift3d poses_3d"):
        open_poses(tmp_path / "flat.h5")
