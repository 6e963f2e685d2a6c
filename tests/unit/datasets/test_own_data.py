"""A user's own 2D and 3D: what comes out of every kind of pairing, and one sentence for every mistake."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pose_set_samples import body, camera

from lift3d.datasets import own
from lift3d.datasets.pose_sets import open_pose_set
from lift3d.datasets.prepare import prepare
from lift3d.errors import FileFormatError, Lift3DError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.keypoints import write_keypoints
from lift3d.io.poses3d import write_poses
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import COCO17, H36M17, conversion

FRAMES = 30


def pose(seed: int) -> Poses3D:
    return Poses3D(body(FRAMES, seed)[:, None], skeleton=H36M17, fps=50.0)


def keypoints(poses: Poses3D, of: Camera) -> Keypoints2D:
    return Keypoints2D(of.project(poses.xyz), skeleton=poses.skeleton, fps=poses.fps, image_size=of.image_size)


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A folder with a manifest of two recordings by two cameras."""
    cameras = camera(0), camera(1)
    Rig(cameras).save(tmp_path / "rig.toml")
    for seed, name in enumerate(("anna", "ben")):
        write_poses(pose(seed), tmp_path / f"{name}.npz")
        for seen in cameras:
            keypoints(pose(seed), seen).save(tmp_path / f"{name}_{seen.name}.h5")
    write_manifest(tmp_path)
    return tmp_path


def manifest() -> dict:
    return {
        "rig": "rig.toml",
        "keypoints": "ground truth",
        "training": ["anna"],
        "test": ["ben"],
        "recordings": [
            {
                "subject": name,
                "action": "wave",
                "poses": f"{name}.npz",
                "keypoints": {"cam0": f"{name}_cam0.h5", "cam1": f"{name}_cam1.h5"},
            }
            for name in ("anna", "ben")
        ],
    }


def write_manifest(folder: Path, **changes: object) -> Path:
    path = folder / "recordings.yaml"
    values = {key: value for key, value in {**manifest(), **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(values))
    return path


def change_first(folder: Path, **changes: object) -> Path:
    first, second = manifest()["recordings"]
    changed = {key: value for key, value in {**first, **changes}.items() if value is not None}
    return write_manifest(folder, recordings=[changed, second])


def refuses(source: Path, *words: str) -> None:
    with pytest.raises(Lift3DError) as raised:
        list(own.read(source)[1])
    for word in words:
        assert word in str(raised.value), raised.value


def test_a_manifest_becomes_a_set(studio: Path) -> None:
    for source in (studio, studio / "recordings.yaml"):
        prepared = prepare("own", source, studio / "set.h5", overwrite=True)
    assert (prepared.recordings, prepared.frames, prepared.views) == (2, 2 * FRAMES, 4)
    assert prepared.missing == 0
    with open_pose_set(studio / "set.h5") as found:
        assert (found.info.training, found.info.test, found.info.actions) == (("anna",), ("ben",), ("wave",))
        assert [entry.name for entry in found.recordings] == ["anna/wave", "ben/wave"]
        for k in range(2):
            one = found.read(k)
            np.testing.assert_allclose(one.xyz, pose(k).xyz[:, 0], atol=1e-6)
            assert one.fps == 50
            for seen in one.views:
                np.testing.assert_allclose(seen.camera.project(one.xyz), seen.xy, atol=1e-2)


def test_other_layouts_are_converted_and_said(studio: Path) -> None:
    coco, change = pose(0).convert(COCO17)
    known = coco.select()
    write_poses(known, studio / "anna.npz", overwrite=True)
    info, recordings = own.read(write_manifest(studio, skeleton_2d="coco17", keypoints=None))
    assert (info.skeleton_3d, info.skeleton_2d) == ("h36m17", "coco17")
    assert info.provenance["notes"] == [conversion(COCO17, H36M17).describe()]
    first = next(recordings)
    np.testing.assert_allclose(first.xyz, known.convert(H36M17)[0].xyz[:, 0], atol=1e-6)
    nose = COCO17.index("nose")
    np.testing.assert_allclose(
        first.views[0].xy[:, nose], camera(0).project(pose(0).xyz)[:, 0, H36M17.index("nose")], atol=1e-2
    )
    assert change.missing


def test_recordings_without_3d(studio: Path) -> None:
    """Unlabelled recordings, for semi-supervised training."""
    change_first(studio, poses=None, fps=25)
    prepared = prepare("own", studio, studio / "set.h5")
    assert prepared.missing == 0.5
    with open_pose_set(studio / "set.h5") as found:
        one = found.read(0)
        assert np.isnan(one.xyz).all()
        assert one.xyz.shape == (FRAMES, 17, 3)
        assert one.fps == 25
        assert found.views[0].seen == FRAMES


def test_lenses_that_batches_cannot_hold_are_undone(studio: Path) -> None:
    odd = [
        camera(0, distortion=np.array([0.05, -0.01, 0.002, 0.001]), fisheye=True),
        camera(1, distortion=np.array([0.1, 0.05, 0.001, 0.002, 0.01, 0.02, 0.01, 0.005])),
    ]
    Rig(tuple(odd)).save(studio / "rig.toml", overwrite=True)
    for seed, name in enumerate(("anna", "ben")):
        for seen in odd:
            keypoints(pose(seed), seen).save(studio / f"{name}_{seen.name}.h5", overwrite=True)
    prepare("own", studio, studio / "set.h5")
    with open_pose_set(studio / "set.h5") as found:
        one = found.read(0)
        for seen, was in zip(one.views, odd, strict=True):
            assert not seen.camera.distortion.any()
            assert not seen.camera.fisheye
            moved = np.abs(seen.xy - was.project(one.xyz)).max()
            assert moved > 0.5
            np.testing.assert_allclose(seen.camera.project(one.xyz), seen.xy, atol=1e-2)


def lifted(folder: Path, name: str, **changes: object) -> Path:
    """Poses in camera space that carry their keypoints and camera, whose R and t play no part any more."""
    of = camera(0)
    world = pose(0)
    local = (world.xyz @ of.R.T + of.t).astype(np.float32)
    values = {"space": "camera", "camera": of, "keypoints": keypoints(world, of), **changes}
    path = folder / f"{name}.h5"
    replace(world, xyz=local, **values).save(path, overwrite=True)
    return path


def test_poses_that_carry_keypoints_and_camera(tmp_path: Path) -> None:
    lifted(tmp_path, "cleo")
    path = lifted(tmp_path, "dora")
    out = tmp_path / "sets"
    out.mkdir()
    prepared = prepare("own", tmp_path, out / "all.h5")
    assert (prepared.subjects, prepared.info.space) == (("cleo", "dora"), "camera")
    assert prepared.cameras["cam0"].pixels is not None
    assert prepared.cameras["cam0"].pixels < 0.01
    with open_pose_set(out / "all.h5") as found:
        clip = next(iter(found.clips()))
        np.testing.assert_allclose(clip.camera.project(clip.xyz), clip.xy, atol=1e-2)
    assert prepare("own", path, out / "one.h5").recordings == 1


def test_poses_that_do_not_carry_enough(tmp_path: Path) -> None:
    refuses(lifted(tmp_path, "a", keypoints=None), "a.h5, field keypoints", "do not carry their keypoints")
    refuses(lifted(tmp_path, "a", camera=None), "field camera", "do not carry their camera")
    refuses(lifted(tmp_path, "a", space="world"), "field space", "world space")
    two = Poses3D(np.zeros((3, 2, 17, 3)), skeleton=H36M17)
    two.save(tmp_path / "a.h5", overwrite=True)
    refuses(tmp_path / "a.h5", "2 people", "--people")
    keypoints(pose(0), camera(0)).save(tmp_path / "a.h5", overwrite=True)
    refuses(tmp_path / "a.h5", "expected lift3d poses_3d")
    (tmp_path / "a.h5").unlink()
    refuses(tmp_path, "holds neither recordings.yaml nor .h5 files")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, ("field colour", "no such field")),
        ({"recordings": None}, ("field recordings", "missing")),
        ({"recordings": []}, ("field recordings",)),
        ({"fps": -3}, ("field fps",)),
        ({"rig": None}, ("recordings[0].rig", "names a rig file")),
        ({"rig": "none.toml"}, ("none.toml",)),
        ({"training": ["anna", "zoe"]}, ("field training", "'zoe'", "anna, ben")),
        ({"skeleton_3d": "coco17"}, ("field skeleton_3d", "no root")),
        ({"skeleton_3d": "dog"}, ("unknown skeleton 'dog'", "h36m17")),
        ({"skeleton_2d": "dog"}, ("unknown skeleton 'dog'",)),
    ],
)
def test_mistakes_in_the_manifest(studio: Path, changes: dict[str, object], words: tuple[str, ...]) -> None:
    refuses(write_manifest(studio, **changes), *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subject": None}, ("recordings[0].subject", "missing")),
        ({"keypoints": {}}, ("recordings[0].keypoints",)),
        ({"keypoints": {"cam7": "anna_cam0.h5"}}, ("recordings[0].keypoints.cam7", "no such camera", "cam0, cam1")),
        ({"keypoints": {"cam0": "gone.h5"}}, ("recordings[0].keypoints.cam0", "there is no", "gone.h5")),
        ({"poses": "gone.npz"}, ("recordings[0].poses", "there is no")),
        ({"poses": "rig.toml"}, ("3D poses are read from",)),
        ({"subject": "ben"}, ("recordings[1].name", "'ben/wave' is there twice")),
        ({"fps": "fast"}, ("recordings[0].fps",)),
    ],
)
def test_mistakes_in_a_recording(studio: Path, changes: dict[str, object], words: tuple[str, ...]) -> None:
    refuses(change_first(studio, **changes), *words)


def test_files_that_do_not_fit_each_other(studio: Path) -> None:
    write_poses(pose(0).select(slice(0, 20)), studio / "anna.npz", overwrite=True)
    refuses(studio, "different numbers of frames", "poses 20", "keypoints.cam0 30", "recordings[0]")
    write_poses(replace(pose(0), fps=60.0), studio / "anna.npz", overwrite=True)
    refuses(studio, "different frame rates", "poses 60", "recordings[0].fps")
    write_poses(replace(pose(0), space="camera", camera=camera(0)), studio / "anna.h5", overwrite=True)
    refuses(change_first(studio, poses="anna.h5"), "anna.h5", "field space")
    write_manifest(studio)
    write_poses(pose(0), studio / "anna.npz", overwrite=True)
    small = replace(keypoints(pose(0), camera(0)), image_size=(640, 480))
    small.save(studio / "anna_cam0.h5", overwrite=True)
    refuses(studio, "recordings[0].keypoints.cam0", "640x480", "1000x1002")
    Poses3D(np.full((FRAMES, 1, 17, 3), np.nan), skeleton=H36M17, fps=50.0).save(studio / "anna.h5", overwrite=True)
    refuses(change_first(studio, poses="anna.h5"), "no joint has a 3D position")


def test_unknown_rates_and_sizes(studio: Path) -> None:
    blind = replace(camera(0), image_size=None)
    Rig((blind, camera(1))).save(studio / "rig.toml", overwrite=True)
    one = replace(keypoints(pose(0), camera(0)), image_size=None, fps=None)
    one.save(studio / "anna_cam0.h5", overwrite=True)
    refuses(studio, "recordings[0].keypoints.cam0", "image size")
    Rig((camera(0),)).save(studio / "rig.toml", overwrite=True)
    write_poses(replace(pose(0), fps=None), studio / "anna.h5", overwrite=True)
    path = change_first(studio, poses="anna.h5", keypoints={"cam0": "anna_cam0.h5"})
    path.write_text(
        yaml.safe_dump(
            {
                **yaml.safe_load(path.read_text()),
                "recordings": [yaml.safe_load(path.read_text())["recordings"][0]],
                "test": [],
            }
        )
    )
    refuses(path, "recordings[0].fps", "frames per second")


def test_two_people_and_no_manifest_at_all(studio: Path) -> None:
    two = Keypoints2D(np.zeros((FRAMES, 2, 17, 2)), skeleton=H36M17, fps=50.0)
    two.save(studio / "anna_cam1.h5", overwrite=True)
    refuses(studio, "anna_cam1.h5", "2 people", "--people")
    (studio / "text.yaml").write_text("recordings: [")
    refuses(studio / "text.yaml", "not valid YAML")
    refuses(studio / "gone.yaml", "cannot be read")
    (studio / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    refuses(studio / "binary.yaml", "not a text file")


def test_plain_npz_keypoints_are_read_like_any_other(studio: Path) -> None:
    write_keypoints(keypoints(pose(0), camera(0)), studio / "anna_cam0.npz")
    path = change_first(studio, keypoints={"cam0": "anna_cam0.npz"})
    first = next(own.read(path)[1])
    np.testing.assert_allclose(first.views[0].xy, camera(0).project(pose(0).xyz)[:, 0], atol=1e-2)


def test_a_layout_of_ones_own_needs_a_name(studio: Path) -> None:
    part = replace(H36M17, name="mine")
    for name in ("cam0", "cam1"):
        one = keypoints(pose(0), camera(int(name[-1])))
        replace(one, skeleton=part).save(studio / f"anna_{name}.h5", overwrite=True)
    with pytest.raises(FileFormatError, match=r"field skeleton_2d: .*\(mine\)"):
        own.read(studio)
    first = next(own.read(write_manifest(studio, skeleton_2d="h36m17"))[1])
    assert first.views[0].xy.shape == (FRAMES, 17, 2)
