"""Motion capture of every format as a data set, against other readings of the same takes."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from test_asf_amc import AMC, ASF
from test_motion_capture_joints import STANDING, markers

from lift3d.datasets.motion_bank import BANK_JOINTS, load_motion_bank
from lift3d.datasets.motion_capture import read
from lift3d.datasets.motion_capture_bvh import read_motion_bvh
from lift3d.datasets.motion_capture_files import find_motion, read_joints, read_motion, resample
from lift3d.datasets.pose_sets import open_pose_set
from lift3d.datasets.prepare import prepare
from lift3d.errors import FileFormatError, Lift3DError
from lift3d.io.poses3d import read_poses, write_poses
from lift3d.io.poses_record import layout_of
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17

SAMPLE = Path(__file__).parents[3] / "experiments" / "smoke" / "sample.h5"


def write_clips(path: Path, *clips: str, frames: int = 30, **attributes: object) -> None:
    """A file of clips of STANDING that shift sideways."""
    positions = np.tile(np.array(list(STANDING.values()), np.float32), (frames, 1, 1))
    positions[..., 0] += np.linspace(0, 1, frames)[:, None]
    with h5py.File(path, "w") as file:
        for clip in clips:
            group = file.create_group(clip)
            group["positions"] = positions
            group.attrs.update({"joints": list(STANDING), "fps": 60.0, "subject": clip[0], **attributes})


def write_markers(path: Path, labels: list[str], points: np.ndarray) -> None:
    write_poses(Poses3D(points[:, None].astype(np.float32), skeleton=layout_of(labels), fps=100.0), path)


def as_stored(shared_data: Path, file: str, clip: str) -> tuple[list[str], np.ndarray]:
    """Joints in lift3d's spelling and positions of a clip of the shared recordings."""
    with h5py.File(shared_data / "mocap" / file) as stored:
        names = [name.decode() for name in stored[clip].attrs["joints"]]
        sides = {"l_": "left_", "r_": "right_"}
        return [sides.get(name[:2], name[:2]) + name[2:] for name in names], stored[clip]["positions"][()]


def test_clips_of_a_folder_are_found_with_their_people(tmp_path: Path) -> None:
    (tmp_path / "16").mkdir()
    (tmp_path / "16" / "16.asf").write_text(ASF)
    (tmp_path / "16" / "16_02.amc").write_text(AMC)
    (tmp_path / "anna").mkdir()
    for name in ("003_genuine.bvh", "anna/walk.bvh", "anna/walk.c3d", "notes.txt"):
        (tmp_path / name).write_text("")
    write_clips(tmp_path / "clips.h5", "a1", "b1", action="standing")
    found = {(entry.name, entry.subject, entry.action) for entry in find_motion(tmp_path)}
    assert found == {
        ("003_genuine", "003", ""),
        ("16/16_02", "16", ""),
        ("anna/walk.bvh", "anna", ""),
        ("anna/walk.c3d", "anna", ""),
        ("clips/a1", "a", "standing"),
        ("clips/b1", "b", "standing"),
    }


def test_an_amc_finds_its_skeleton(tmp_path: Path) -> None:
    for name in ("1.asf", "16.asf", "2.asf"):
        (tmp_path / name).write_text(ASF)
    (tmp_path / "16_02.amc").write_text(AMC)
    assert find_motion(tmp_path / "16_02.amc")[0].skeleton == tmp_path / "16.asf"
    (tmp_path / "walk.amc").write_text(AMC)
    with pytest.raises(FileFormatError, match=r"walk\.amc.*needs its skeleton.*1\.asf, 16\.asf, 2\.asf"):
        find_motion(tmp_path)
    for name in ("1.asf", "2.asf"):
        (tmp_path / name).unlink()
    assert find_motion(tmp_path / "walk.amc")[0].skeleton == tmp_path / "16.asf"


def test_resampling_follows_the_motion() -> None:
    def waves(seconds: np.ndarray) -> np.ndarray:
        return np.sin(2 * np.pi * seconds[:, None, None] * np.array([0.5, 1.0, 1.5]) + np.arange(2)[:, None])

    for fps, rate in ((120.0, 50.0), (24.0, 60.0)):
        given = waves(np.arange(int(3 * fps)) / fps)
        found = resample(given, fps, rate)
        assert abs(len(found) / rate - len(given) / fps) < 2 / min(fps, rate)
        np.testing.assert_allclose(found[5:-5], waves(np.arange(len(found)) / rate)[5:-5], atol=2e-3)
        given[40] = np.nan
        gapped = resample(given, fps, rate)
        assert len(gapped) == len(found)
        around = np.abs(np.arange(len(found)) * fps / rate - 40) < 1
        assert np.isnan(gapped[around]).all()
        np.testing.assert_allclose(gapped[~around], found[~around], atol=0.06)
    assert resample(given, 50, 50) is given


def test_bvh_of_the_motionbuilder_release_is_put_right(shared_data: Path) -> None:
    path = shared_data / "mocap" / "raw" / "cmu_09_03_motionbuilder.bvh"
    poses, notes = read_motion_bvh(path)
    assert "lacks the bones of thorax and wrist" in " ".join(notes)
    names, stored = as_stored(shared_data, "cmu.h5", "09_03")
    wanted = ("left_hip", "right_knee", "left_ankle", "neck_base", "head_top", "left_shoulder", "right_wrist")
    (entry,) = find_motion(path)
    ours = read_joints(entry, wanted, None).positions[::2]
    for column, joint in enumerate(wanted):
        # The file's own places are 0.1 mm from the others; the thorax is a guess, good to a centimetre.
        apart = np.linalg.norm(ours[: len(stored), column] - stored[: len(ours), names.index(joint)], axis=-1)
        assert apart.max() < (0.0005 if joint.endswith(("hip", "knee", "ankle")) else 0.01), joint
    # Its trunk was 11 cm short.
    raw = read_poses(path)
    neck = [poses.skeleton.index("neck"), raw.skeleton.index("spine_mid")]
    raised = [
        np.linalg.norm(each.xyz[-1, 0, index] - each.xyz[-1, 0, each.skeleton.index("root")])
        for each, index in zip((poses, raw), neck, strict=True)
    ]
    assert raised[0] - raised[1] == pytest.approx(0.11, abs=0.01)


def test_other_bvh_are_read_as_they_are(shared_data: Path) -> None:
    (entry,) = find_motion(shared_data / "mocap" / "raw" / "reactidle_003_genuine.bvh")
    assert entry.subject == "003"
    ours = read_joints(entry, BANK_JOINTS, 60.0)
    assert ours.notes == ()
    bank = load_motion_bank(
        [(shared_data / "mocap" / "reactidle.h5", 1.0)], lambda clip, _: clip == "003_genuine"
    ).positions.numpy()
    np.testing.assert_allclose(ours.positions, bank, atol=0.001)


def test_c3d_of_joints_and_of_markers(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    body = np.tile(np.array(list(STANDING.values())), (9, 1, 1))
    write_markers(tmp_path / "joints.c3d", list(STANDING), body)
    motion = read_joints(find_motion(tmp_path / "joints.c3d")[0], ("pelvis", "left_toe", "spine"), None)
    np.testing.assert_allclose(motion.positions[0], [(0, 0, 0.9), (-0.1, 0.15, 0), (0, 0, 1.14)], atol=1e-6)
    assert motion.fps == 100
    labels, points = markers()
    write_markers(tmp_path / "markers.c3d", labels, points)
    motion = read_motion(find_motion(tmp_path / "markers.c3d")[0])
    assert "markers on its skin" in motion.notes[0]
    np.testing.assert_allclose(motion.positions[0, motion.joints.index("neck_base")], (0, 0, 1.4), atol=1e-6)
    write_markers(tmp_path / "few.c3d", labels[:5], points[:, :5])
    with pytest.raises(FileFormatError, match=r"few\.c3d, field POINT:LABELS: joint centres need the markers"):
        read_motion(find_motion(tmp_path / "few.c3d")[0])
    write_markers(tmp_path / "tools.c3d", ["hammer", "nail"], points[:, :2])
    with pytest.raises(FileFormatError, match=r"tools\.c3d: the joints of a body are needed, and there is no left_hip"):
        read_joints(find_motion(tmp_path / "tools.c3d")[0], H36M17.joints, None)


def test_recorded_markers_keep_their_bones(shared_data: Path) -> None:
    (entry,) = find_motion(shared_data / "mocap" / "raw" / "cmu_85_02_markers.c3d")
    xyz = read_joints(entry, H36M17.joints, None).positions
    for bone, least, most in (
        ("left_knee", 0.38, 0.52), ("right_ankle", 0.36, 0.46), ("left_elbow", 0.22, 0.32), ("right_wrist", 0.22, 0.32),
    ):  # fmt: skip
        joint = H36M17.index(bone)
        lengths = np.linalg.norm(xyz[:, joint] - xyz[:, H36M17.parents[joint]], axis=-1)
        # Markers slip over the skin in a dance with flips, by two or three centimetres.
        assert least < lengths.mean() < most
        assert lengths.std() < 0.03
    assert (np.median(xyz[:, H36M17.index("head_top"), 2]) - np.median(xyz[:, H36M17.index("pelvis"), 2])) > 0.5


def test_a_prepared_set_holds_the_motion_and_exact_views(tmp_path: Path) -> None:
    write_clips(tmp_path / "clips.h5", "a1", "b1", "b2", action="standing")
    found = prepare("motion_capture", tmp_path, tmp_path / "out.h5.set", options={"cameras": 3, "held_out": ("b",)})
    assert (found.recordings, found.views, found.missing) == (3, 9, 0)
    assert (found.info.training, found.info.test, found.actions) == (("a",), ("b",), ("standing",))
    assert str(tmp_path) not in str(found.info.provenance)
    with open_pose_set(tmp_path / "out.h5.set") as pose_set:
        assert [entry.name for entry in pose_set.recordings] == ["clips/a1", "clips/b1", "clips/b2"]
        recording = pose_set.read(1)
        assert recording.fps == 50
        for view in recording.views:
            np.testing.assert_allclose(view.xy, view.camera.project(recording.xyz), atol=1e-3)
            assert (view.confidence == 1).all()
        np.testing.assert_allclose(recording.xyz[0, 0], (0, 0, 0.9), atol=1e-6)
    other = prepare("motion_capture", tmp_path / "clips.h5", tmp_path / "own.set", options={"fps": 0.0, "cameras": 1})
    assert (other.frames, other.views, other.info.test) == (90, 3, ())


def test_notes_are_kept_with_the_set(shared_data: Path, tmp_path: Path) -> None:
    found = prepare("motion_capture", shared_data / "mocap" / "raw", tmp_path / "raw.set", options={"cameras": 1})
    assert set(found.subjects) == {"003", "09", "16", "85"}
    with open_pose_set(tmp_path / "raw.set") as pose_set:
        notes = pose_set.info.provenance["notes"]
    assert len(notes) == 4
    assert any(note.startswith("1 of 5 clips: CMU's motion capture as released for MotionBuilder") for note in notes)
    assert any(note.startswith("2 of 5 clips: taken to have 120 frames/s") for note in notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cameras": 0}, "cameras must be 1 to 64"),
        ({"cameras": 65}, "cameras must be 1 to 64"),
        ({"fps": -1.0}, "fps must be"),
        ({"fps": float("nan")}, "fps must be"),
        ({"amc_fps": 0.0}, "amc_fps must be"),
        ({"seed": -1}, "seed"),
        ({"held_out": ("z",)}, "nobody called 'z'; there are a"),
    ],
)
def test_impossible_options_are_errors(tmp_path: Path, options: dict[str, object], message: str) -> None:
    write_clips(tmp_path / "clips.h5", "a1")
    with pytest.raises(Lift3DError, match=message):
        read(tmp_path, **options)  # type: ignore[arg-type]


def test_bad_sources_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(FileFormatError, match="holds 0 files"):
        read(tmp_path)
    (tmp_path / "clip.fbx").write_text("")
    with pytest.raises(FileFormatError, match=r"is read from \.bvh"):
        read(tmp_path / "clip.fbx")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.zeros(3)
    with pytest.raises(FileFormatError, match=r"other\.h5, field numbers: is no clip"):
        read(tmp_path)
    for change, message in (
        ({"fps": 0.0}, "0 frames per second"),
        ({"joints": ["left_hip"]}, "1 joints, and positions of shape"),
        ({"joints": [f"j{number}" for number in range(len(STANDING))]}, "no left_hip"),
    ):
        write_clips(tmp_path / "other.h5", "a1", **change)
        with pytest.raises(FileFormatError, match=rf"other\.h5, field a1: .*{message}"):
            prepare("motion_capture", tmp_path, tmp_path / "out.set")
        assert not (tmp_path / "out.set").exists()
    (tmp_path / "other.h5").write_bytes(b"nothing")
    with pytest.raises(FileFormatError, match=r"other\.h5: not a readable HDF5 file"):
        read(tmp_path)


def test_a_bank_reads_folders_and_prepared_sets(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_clips(folder / "clips.h5", "a1", "b1", frames=61)
    direct = load_motion_bank([(folder / "clips.h5", 1.0)])
    assert load_motion_bank([(folder, 1.0)]).positions.equal(direct.positions)
    prepare("motion_capture", folder, tmp_path / "set.h5", options={"fps": 60.0, "cameras": 1})
    bank = load_motion_bank([(tmp_path / "set.h5", 2.0)], lambda _, subject: subject == "b")
    assert bank.names == ("set/clips/b1",)
    assert float(bank.weights.sum()) == 2 * 61
    toes = [BANK_JOINTS.index(f"{side}_toe") for side in ("left", "right")]
    others = [column for column in range(len(BANK_JOINTS)) if column not in toes]
    np.testing.assert_allclose(bank.positions[:, others], direct.positions[61:, others], atol=1e-5)
    # Human3.6M has no toes: in front of the ankles, at right angles to the shins.
    ankles = bank.positions[:, [BANK_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]]
    offset = (bank.positions[:, toes] - ankles).numpy()
    np.testing.assert_allclose(offset, np.broadcast_to([0, 0.15, 0], offset.shape), atol=1e-5)


def test_gaps_and_too_much_motion_are_errors_of_a_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clips(tmp_path / "clips.h5", "a1")
    monkeypatch.setattr("lift3d.datasets.motion_bank.MAX_FRAMES", 20)
    with pytest.raises(FileFormatError, match="held in memory"):
        load_motion_bank([(tmp_path / "clips.h5", 1.0)])
    with h5py.File(tmp_path / "clips.h5", "r+") as file:
        file["a1/positions"][3, list(STANDING).index("left_wrist")] = np.nan
    with pytest.raises(FileFormatError, match="field a1: left_wrist: missing in some frames"):
        load_motion_bank([(tmp_path / "clips.h5", 1.0)])


def test_the_sample_is_small_and_varied() -> None:
    assert SAMPLE.stat().st_size < 250_000
    assert "CMU" in (SAMPLE.parent / "NOTICE.md").read_text()
    subjects = {entry.subject for entry in find_motion(SAMPLE)}
    assert len(subjects) >= 2
    bank = load_motion_bank([(SAMPLE, 1.0)])
    assert len(bank.positions) > 50 * 60
    # People: the longest way from hip to ankle is that of grown-ups.
    joint = {name: bank.positions[:, index] for index, name in enumerate(BANK_JOINTS)}
    legs = (joint["left_hip"] - joint["left_ankle"]).norm(dim=-1)
    assert 0.6 < float(legs.max()) < 1.0
