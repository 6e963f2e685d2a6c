"""The prepared data-set file: what is written comes back, and every damage is one error that names file and field."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pose_set_samples import INFO, camera, recording, recordings, view

from lift3d.datasets.pose_sets import CHUNK_FRAMES, open_pose_set, write_pose_set
from lift3d.datasets.recordings import Recording
from lift3d.errors import FileFormatError, Lift3DError, OutputExistsError, ShapeError
from lift3d.io.keypoints import read_keypoints


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "set.h5"
    write_pose_set(path, INFO, recordings((40, 7, 300)))
    return path


def test_everything_comes_back(sample: Path) -> None:
    with open_pose_set(sample) as found:
        assert found.info == INFO
        expected = list(recordings((40, 7, 300)))
        assert found.frames == 347
        assert (found.subjects, found.actions) == (("S1", "S9"), ("Walking", "Eating"))
        for k, wanted in enumerate(expected):
            read = found.read(k)
            assert (read.name, read.subject, read.action, read.fps) == (
                wanted.name, wanted.subject, wanted.action, wanted.fps,
            )  # fmt: skip
            np.testing.assert_array_equal(read.xyz, wanted.xyz)
            assert len(read.views) == len(wanted.views)
            for one, other in zip(read.views, wanted.views, strict=True):
                assert json.dumps(one.camera.to_dict()) == json.dumps(other.camera.to_dict())
                np.testing.assert_array_equal(one.xy, other.xy)
                np.testing.assert_array_equal(one.confidence, other.confidence)


@pytest.mark.parametrize("frames", [slice(5, 30), slice(3, 40, 4), slice(-9, None), slice(20, 10)])
def test_a_part_of_a_recording(sample: Path, frames: slice) -> None:
    whole = next(iter(recordings()))
    with open_pose_set(sample) as found:
        part = found.read(0, frames)
        np.testing.assert_array_equal(part.xyz, whole.xyz[frames])
        np.testing.assert_array_equal(part.views[1].xy, whole.views[1].xy[frames])
        np.testing.assert_array_equal(part.views[1].confidence, whole.views[1].confidence[frames])
        assert part.fps == whole.fps / (frames.step or 1)
        with pytest.raises(ShapeError, match="forwards"):
            found.read(0, slice(None, None, -1))


def test_clips_are_views_in_camera_space_that_project_onto_their_keypoints(sample: Path) -> None:
    with open_pose_set(sample) as found:
        clips = list(found.clips())
    assert [(clip.recording.name, clip.camera.name) for clip in clips] == [
        (one.name, seen.camera.name) for one in recordings((40, 7, 300)) for seen in one.views
    ]
    for clip in clips:
        plain = replace(clip.camera, R=np.eye(3), t=np.zeros(3))
        error = np.abs(plain.project(clip.xyz) - clip.xy)
        assert np.nanmax(error) < 2e-3
        assert np.isfinite(error).mean() > 0.95


def test_cameras_of_every_lens_and_names_of_every_alphabet(tmp_path: Path) -> None:
    xyz = recording("S1/Walking 1", 5).xyz
    eight = camera(1, distortion=np.arange(8) / 100, name="линза")
    fisheye = camera(2, distortion=np.arange(4) / 100, fisheye=True, name="鱼")
    one = Recording("Zoë/naïve 1", "Zoë", "naïve", 29.97, xyz, (view(xyz, eight), view(xyz, fisheye)))
    write_pose_set(tmp_path / "set.h5", INFO, [one])
    with open_pose_set(tmp_path / "set.h5") as found:
        assert [seen.camera.to_dict() for seen in found.views] == [eight.to_dict(), fisheye.to_dict()]
        assert found.recordings[0].name == "Zoë/naïve 1"


def test_motion_without_cameras(tmp_path: Path) -> None:
    write_pose_set(tmp_path / "set.h5", INFO, [recording("S1/Walking 1", 20, cameras=0)])
    with open_pose_set(tmp_path / "set.h5") as found:
        assert found.views == ()
        assert list(found.clips()) == []
        assert found.read(0).xyz.shape == (20, 17, 3)


def test_views_in_which_nothing_was_seen_are_no_clips(tmp_path: Path) -> None:
    one = recording("S1/Walking 1", 20)
    one.views[0].xy[:] = np.nan
    write_pose_set(tmp_path / "set.h5", INFO, [one])
    with open_pose_set(tmp_path / "set.h5") as found:
        assert [seen.seen for seen in found.views] == [0, 20]
        assert [clip.camera.name for clip in found.clips()] == ["cam1"]


def test_selections(sample: Path) -> None:
    with open_pose_set(sample) as found:
        chosen = found.select(subjects=["S1"], actions=["Eating"])
        assert [entry.name for entry in chosen.recordings] == ["S1/Eating 2"]
        assert [seen.recording for seen in chosen.views] == [0, 0]
        np.testing.assert_array_equal(chosen.read(0).views[1].xy, found.read(2).views[1].xy)
        assert len(found.select().recordings) == 3
        with pytest.raises(FileFormatError, match=r"recordings/subject: no subject S5, S6; there are S1, S9"):
            found.select(subjects=["S5", "S1", "S6"])
        with pytest.raises(FileFormatError, match=r"no frames of S9 of the action Eating; there are Walking"):
            found.select(subjects=["S9"], actions=["Eating"])


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 1e-6])
def test_shortened_recordings_are_stretches_of_the_whole(sample: Path, share: float) -> None:
    with open_pose_set(sample) as found:
        short = found.shortened(share)
        assert [entry.frames for entry in short.recordings] == [
            max(1, round(share * entry.frames)) for entry in found.recordings
        ]
        for number, entry in enumerate(short.recordings):
            first = entry.start - found.recordings[number].start
            part, again = short.read(number), found.read(number, slice(first, first + entry.frames))
            np.testing.assert_array_equal(part.xyz, again.xyz)
            for one, other in zip(part.views, again.views, strict=True):
                np.testing.assert_array_equal(one.xy, other.xy)
                np.testing.assert_array_equal(one.confidence, other.confidence)
        # Another part of the file is read where the name is another: not all stretches are beginnings.
        starts = [entry.start - whole.start for entry, whole in zip(short.recordings, found.recordings, strict=True)]
        assert any(starts) == (share < 1)


def test_progress_and_overwriting(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_pose_set(tmp_path / "set.h5", INFO, list(recordings()), progress=lambda *at: seen.append(at))
    write_pose_set(tmp_path / "other.h5", INFO, recordings(), progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3), (1, 0), (2, 0), (3, 0)]
    with pytest.raises(OutputExistsError):
        write_pose_set(tmp_path / "set.h5", INFO, recordings())
    write_pose_set(tmp_path / "set.h5", INFO, recordings((9,)), overwrite=True)
    with open_pose_set(tmp_path / "set.h5") as found:
        assert found.frames == 9


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    def broken():
        yield from recordings()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pose_set(tmp_path / "set.h5", INFO, broken())
    assert list(tmp_path.iterdir()) == []


def test_missing_is_missing_in_all_coordinates(tmp_path: Path) -> None:
    one = recording("S1/Walking 1", 6, cameras=1)
    one.xyz[2, 3, 1] = np.nan
    one.views[0].xy[1, 4, 0] = np.nan
    write_pose_set(tmp_path / "set.h5", INFO, [one])
    with open_pose_set(tmp_path / "set.h5") as found:
        read = found.read(0)
    assert np.isnan(read.xyz).all(-1)[2, 3]
    assert np.isnan(read.xyz).sum() == 3
    assert np.isnan(read.views[0].xy).all(-1)[1, 4]
    assert read.views[0].confidence[1, 4] == 0
    assert (read.views[0].confidence == 0).sum() == 1


def _with_view(one: Recording, **changes: object) -> Recording:
    return replace(one, views=(replace(one.views[0], **changes), *one.views[1:]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda one: replace(one, xyz=one.xyz[:, :16]), "xyz must be"),
        (lambda one: replace(one, xyz=one.xyz[:0]), "no frames"),
        (lambda one: replace(one, fps=0.0), "fps"),
        (lambda one: replace(one, xyz=np.full_like(one.xyz, np.inf)), "infinite"),
        (lambda one: _with_view(one, xy=one.views[0].xy[:-1]), "camera 'cam0': xy must be"),
        (lambda one: _with_view(one, confidence=one.views[0].confidence + 1), "between 0 and 1"),
        (lambda one: _with_view(one, camera=camera(0, image_size=None)), "image size"),
        (lambda one: _with_view(one, camera=camera(1)), "one name"),
    ],
)
def test_recordings_that_break_the_contract(
    tmp_path: Path, spoil: Callable[[Recording], Recording], message: str
) -> None:
    with pytest.raises(ShapeError, match=message) as raised:
        write_pose_set(tmp_path / "set.h5", INFO, [spoil(recording("S1/Walking 1", 8))])
    assert "S1/Walking 1" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_names_twice_and_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="two recordings"):
        write_pose_set(tmp_path / "set.h5", INFO, [recording("S1/Walking 1", 8)] * 2)
    with pytest.raises(ShapeError, match="no recordings"):
        write_pose_set(tmp_path / "set.h5", INFO, [])


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("recordings/start", np.array([0, 40, 48]), "recordings/start: entry 2 lies outside poses/xyz"),
        ("recordings/start", np.array([0, -1, 47]), "recordings/start: entry 1"),
        ("recordings/start", np.array([0.0, 40, 47]), "recordings/start: expected whole numbers"),
        ("recordings/frames", np.array([40, 7, 2**62]), "recordings/frames: entry 2"),
        ("recordings/frames", np.array([40, 0, 300]), "recordings/frames: entry 1"),
        ("recordings/frames", np.array([40, 7]), "recordings/frames: has 2 entries"),
        ("recordings/fps", np.array([50.0, np.nan, 50]), "recordings/fps: entry 1"),
        ("recordings/name", np.array([b"a", b"a", b"b"]), "recordings/name: two recordings are called 'a'"),
        ("recordings/name", np.array([b"a", b"\xff\xfe", b"b"]), "recordings/name: .*UTF-8"),
        ("views/recording", np.array([0, 0, 1, 1, 2, 3]), "views/recording: entry 5"),
        ("views/start", np.array([0, 40, 80, 87, 94, 395]), "views/start: entry 5"),
        ("views/camera", np.array([0, 1, 0, 1, 0, -1]), "views/camera: entry 5"),
        ("views/confidence", np.zeros((3, 17), np.float32), "views/confidence"),
        ("views/xy", np.zeros((694, 16, 2), np.float32), "views/xy: expected float32"),
        ("views/xy", None, "views/xy: the array is missing"),
        ("poses/xyz", np.zeros((347, 17, 3), np.float64), "poses/xyz: expected float32"),
        ("cameras/K", np.zeros((2, 3, 3)), r"cameras\[0\]: camera 'cam0': K must be"),
        ("cameras/R", np.ones((2, 3, 3)), r"cameras\[0\]: .*R is not orthonormal"),
        ("cameras/coefficients", np.array([5, 6]), "cameras/coefficients: entry 1"),
        ("cameras/image_size", np.zeros((2, 2), np.int64), r"cameras\[0\]: .*image size"),
    ],
)
def test_wrong_fields_are_named(sample: Path, tmp_path: Path, place: str, value: object, message: str) -> None:
    path = tmp_path / "set.h5"
    path.write_bytes(sample.read_bytes())
    with h5py.File(path, "r+") as file:
        del file[place]
        if value is not None:
            file[place] = value
    with pytest.raises(FileFormatError, match=message) as raised:
        open_pose_set(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("skeleton_3d", "h36m18", "unknown skeleton"),
        ("skeleton_2d", "coco18", "views/xy: expected float32"),
        ("space", "moon", "info.space"),
        ("training", "S1", "info.training: expected list"),
        ("name", 3, "info.name: expected str"),
        ("colour", "blue", "info.colour: there is no such field"),
    ],
)
def test_wrong_information_is_named(sample: Path, tmp_path: Path, field: str, value: object, message: str) -> None:
    path = tmp_path / "set.h5"
    path.write_bytes(sample.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["info"] = json.dumps({**json.loads(file.attrs["info"]), field: value})
    with pytest.raises(FileFormatError, match=message):
        open_pose_set(path)


def test_other_files_are_told_apart(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="there is no such file"):
        open_pose_set(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(FileFormatError, match="not a readable HDF5 file"):
        open_pose_set(tmp_path / "text.h5")
    with pytest.raises(FileFormatError, match="expected lift3d keypoints_2d, found lift3d pose_set"):
        read_keypoints(sample)


def test_damaged_numbers_are_an_error_and_not_a_wrong_number(sample: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.h5"
    data = bytearray(sample.read_bytes())
    with h5py.File(sample) as file:
        chunk = file["views/xy"].id.get_chunk_info(0)
    data[chunk.byte_offset + 77] ^= 4
    path.write_bytes(data)
    with open_pose_set(path) as found, pytest.raises(FileFormatError, match="views/xy is damaged"):
        found.read(0)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_damage_is_a_named_error_or_harmless(sample: Path, tmp_path_factory, data: st.DataObject) -> None:
    original = sample.read_bytes()
    # The arrays are most of the file; damage to the structures around them is rarer and worse.
    place = data.draw(st.one_of(st.integers(0, 4000), st.integers(0, len(original) - 1)))
    damaged = bytearray(original)
    if data.draw(st.booleans()):
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del damaged[place:]
    path = tmp_path_factory.getbasetemp() / "damaged.h5"
    path.write_bytes(damaged)
    expected = list(recordings((40, 7, 300)))
    problem = None
    try:
        with open_pose_set(path) as found:
            read = [found.read(k) for k in range(len(found.recordings))]
    except Lift3DError as error:
        problem = str(error)
    if problem is not None:
        assert str(path) in problem
        return
    for one, wanted in zip(read, expected, strict=True):
        np.testing.assert_array_equal(one.xyz, wanted.xyz)
        np.testing.assert_array_equal(one.views[0].xy, wanted.views[0].xy)


def test_the_file_grows_by_whole_chunks_only(tmp_path: Path) -> None:
    lengths = (CHUNK_FRAMES - 1, 1, CHUNK_FRAMES, 3)
    write_pose_set(tmp_path / "set.h5", INFO, recordings(lengths))
    with open_pose_set(tmp_path / "set.h5") as found:
        for k, wanted in enumerate(recordings(lengths)):
            np.testing.assert_array_equal(found.read(k).xyz, wanted.xyz)
            np.testing.assert_array_equal(found.read(k).views[1].xy, wanted.views[1].xy)
