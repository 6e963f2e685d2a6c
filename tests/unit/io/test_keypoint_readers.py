"""Every 2D reader against files whose content is known, and against everything that goes wrong with them."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import keypoint_samples as samples
import numpy as np
import pytest

from lift3d.errors import FileFormatError, Lift3DError, SkeletonError, UnknownFormatError
from lift3d.io.frame_numbers import frame_numbers, natural_key
from lift3d.io.keypoints import detect_format, get_reader, read_keypoints
from lift3d.io.openpose import tell_body25
from lift3d.io.restricted_pickle import restricted_loads
from lift3d.io.summary import summarize
from lift3d.skeletons import COCO17, get_skeleton


def steps(keypoints: Any) -> str:
    return "\n".join(keypoints.provenance["steps"])


@pytest.mark.parametrize("name", samples.WRITERS)
def test_every_format_is_detected_and_read_exactly(name: str, tmp_path: Path) -> None:
    path = samples.WRITERS[name](tmp_path)
    layout = samples.LAYOUTS.get(name, "coco17")
    people = 1 if name.startswith(("mediapipe", "videopose3d")) else 2
    xy, confidence = samples.motion(layout, people, samples.FRAMES)
    found = detect_format(path)
    assert found.format == name
    assert found.reason
    assert found.skeleton in (None, layout)
    if name == "videopose3d":
        xy, path = samples.motion(layout)[0][:, :1], Path(f"{path}::S1/Walking 1/0")
    keypoints = read_keypoints(path, image_size=samples.SIZE if name == "mediapipe_csv" else None)
    assert keypoints.skeleton == get_skeleton(layout)
    np.testing.assert_allclose(keypoints.xy, xy, atol=2e-3)
    if name not in ("coco", "labelme", "videopose3d"):
        np.testing.assert_allclose(keypoints.confidence, confidence, atol=1e-6)
    else:
        assert (keypoints.confidence == 1).all()
    assert keypoints.provenance["format"] == name
    assert keypoints.provenance["source"] == str(path)
    assert get_reader(name).TITLE in steps(keypoints)
    assert keypoints.image_size == (
        samples.SIZE if name in ("coco", "labelme", "mediapipe", "mediapipe_csv", "lift3d", "npz") else None
    )
    assert keypoints.fps == {"mediapipe": 30, "lift3d": 25, "npz": 25}.get(name)
    json.dumps(summarize(keypoints), allow_nan=False)


def test_what_the_user_says_goes_first(tmp_path: Path) -> None:
    for name in ("lift3d", "npz", "mediapipe"):
        keypoints = read_keypoints(samples.WRITERS[name](tmp_path), fps=50, image_size=(320, 240))
        assert (keypoints.fps, keypoints.image_size) == (50, (320, 240))


@pytest.mark.parametrize("layout", ["coco18", "body25", "body25b"])
def test_openpose_layouts_are_told_apart(layout: str, tmp_path: Path) -> None:
    keypoints = read_keypoints(samples.openpose(tmp_path, layout))
    assert keypoints.skeleton.name == layout
    assert layout == "coco18" or ("BODY_25B" in steps(keypoints)) == (layout == "body25b")


@pytest.mark.parametrize("layout", ["body25", "body25b"])
@pytest.mark.parametrize("turn", [0, 60, 90, 170])
def test_body25_is_told_from_body25b_at_any_angle_and_half_hidden(layout: str, turn: int) -> None:
    rng = np.random.default_rng(turn)
    xy = samples.motion(layout, frames=40)[0].reshape(-1, 25, 2) + rng.normal(0, 4, (80, 25, 2))
    angle = math.radians(turn)
    xy = xy @ np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    xy[rng.random(xy.shape[:2]) < 0.5] = np.nan
    assert tell_body25(xy)[0].name == layout


@pytest.mark.parametrize("layout", ["body25", "body25b"])
def test_body25_is_told_from_body25b_from_behind(layout: str) -> None:
    """Without nose, eyes and ears."""
    xy = samples.motion(layout, frames=40)[0].reshape(-1, 25, 2)
    face = [k for k, joint in enumerate(get_skeleton(layout).joints) if joint.endswith(("nose", "eye", "ear"))]
    xy[:, face] = np.nan
    assert tell_body25(xy)[0].name == layout


def test_openpose_zero_is_missing(tmp_path: Path) -> None:
    folder = samples.openpose(tmp_path)
    change(folder / "clip_000000000001_keypoints.json", lambda tree: hide(tree, 0, 1))
    keypoints = read_keypoints(folder)
    assert np.isnan(keypoints.xy[1, 0, 1]).all()
    assert np.isnan(keypoints.xy).any(axis=-1).sum() == 1


def hide(tree: Any, person: int, joint: int) -> None:
    tree["people"][person]["pose_keypoints_2d"][3 * joint : 3 * joint + 3] = [0, 0, 0]


def change(file: Path, edit: Any) -> None:
    tree = json.loads(file.read_text())
    edit(tree)
    file.write_text(json.dumps(tree))


def test_frames_missing_and_out_of_order(tmp_path: Path) -> None:
    """Numbers count, not the order of the names; a number that is left out is an empty frame, and is said."""
    xy, _ = samples.motion("body25", frames=12)
    folder = samples.openpose(tmp_path, frames=12)
    for frame in range(12):
        (folder / f"clip_{frame:012d}_keypoints.json").rename(folder / f"f{frame}.json")
    for frame in (4, 5, 8):
        (folder / f"f{frame}.json").unlink()
    keypoints = read_keypoints(folder)
    assert keypoints.frames == 12
    assert np.isnan(keypoints.xy[[4, 5, 8]]).all()
    seen = [0, 1, 2, 3, 6, 7, 9, 10, 11]
    np.testing.assert_allclose(keypoints.xy[seen], xy[seen], atol=1e-3)
    assert "3 frames are not in the file and were left empty (4-5, 8)" in steps(keypoints)


def test_first_frame_number_is_kept(tmp_path: Path) -> None:
    folder = samples.openpose(tmp_path)
    (folder / "clip_000000000000_keypoints.json").unlink()
    assert read_keypoints(folder).provenance["first_frame"] == 1


def test_mixed_people_counts(tmp_path: Path) -> None:
    folder = samples.openpose(tmp_path)
    change(folder / "clip_000000000001_keypoints.json", lambda tree: tree["people"].clear())
    change(folder / "clip_000000000002_keypoints.json", lambda tree: tree["people"].pop(0))
    keypoints = read_keypoints(folder)
    present = np.isfinite(keypoints.xy).all(axis=(2, 3))
    assert present.tolist() == [[True, True], [False, False], [False, True], [True, True]]


def test_nan_and_infinity(tmp_path: Path) -> None:
    folder = samples.openpose(tmp_path)
    file = folder / "clip_000000000002_keypoints.json"
    tree = json.loads(file.read_text())
    tree["people"][0]["pose_keypoints_2d"][:6] = [math.nan, 5.0, 1.0, math.inf, 5.0, 1.0]
    file.write_text(json.dumps(tree))
    keypoints = read_keypoints(folder)
    assert np.isnan(keypoints.xy[2, 0, :2]).all()
    assert "repaired: 2 values that are null, NaN, infinite or absurd were taken as missing" in steps(keypoints)


def test_a_joint_never_seen_is_said(tmp_path: Path) -> None:
    folder = samples.openpose(tmp_path)
    for file in folder.iterdir():
        change(file, lambda tree: [hide(tree, person, 0) for person in (0, 1)])
    keypoints = read_keypoints(folder)
    assert "never seen in any frame: nose" in steps(keypoints)
    # Saved and read again, and again, the record keeps its order and says each thing once.
    for name in ("once.h5", "twice.h5"):
        keypoints.save(tmp_path / name)
        before, keypoints = keypoints, read_keypoints(tmp_path / name)
        opened = "read as lift3d HDF5: lift3d HDF5, keypoints_2d"
        recorded = before.provenance["steps"]
        assert keypoints.provenance["steps"] == (recorded if opened in recorded else [*recorded, opened])


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def one_person(folder: Path, values: list[Any]) -> Path:
    return samples.dump(folder / "a.json", {"version": 1.3, "people": [{"pose_keypoints_2d": values}]})


def two_cameras(folder: Path) -> Path:
    target = samples.openpose(folder)
    for file in list(target.iterdir()):
        (target / file.name.replace("clip_", "cam2_")).write_text(file.read_text())
    return target


def mixed_layouts(folder: Path) -> Path:
    target = samples.openpose(folder)
    change(target / "clip_000000000002_keypoints.json", lambda t: t["people"][0].update(pose_keypoints_2d=[1.0] * 54))
    return target


def far_apart(folder: Path) -> Path:
    target = samples.openpose(folder)
    (target / "clip_000000000003_keypoints.json").rename(target / "clip_000009999999_keypoints.json")
    return target


def empty_folder(folder: Path) -> Path:
    (folder / "none").mkdir()
    return folder / "none"


def cut_openpose(folder: Path) -> Path:
    target = samples.openpose(folder)
    file = target / "clip_000000000003_keypoints.json"
    file.write_text(file.read_text()[:-20])
    return target


BAD = {
    "empty folder": (empty_folder, "no .json file"),
    "no such file": (lambda folder: folder / "nothing.json", "no such file"),
    "empty file": (lambda folder: write(folder / "a.json", ""), "empty"),
    "truncated": (cut_openpose, "clip_000000000003_keypoints.json: not valid JSON.*ends too early"),
    "other tool": (lambda folder: write(folder / "a.json", '{"name": "x", "version": "1"}'), "its keys: name, version"),
    "two cameras": (two_cameras, "carry the same frame number"),
    "mixed layouts": (mixed_layouts, r"json: people\[0\].*: 18 keypoints, but .*json: people\[0\].* has 25"),
    "far apart": (far_apart, "only 4 frames are there"),
    "keypoints of no layout": (
        lambda folder: one_person(folder, [1.0] * 21),
        "7 keypoints a person; known are 18",
    ),
    "not triples": (
        lambda folder: one_person(folder, [1.0] * 76),
        "76 numbers, not x, y and confidence",
    ),
    "a text among numbers": (
        lambda folder: one_person(folder, [1.0, "2"] * 27),
        r"pose_keypoints_2d\[1\]: expected a number, found '2'",
    ),
    "nobody": (lambda folder: write(folder / "a.json", '{"version": 1.3, "people": []}'), "no person in any frame"),
    "boxes": (
        lambda folder: write(folder / "a.json", '[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}]'),
        "holds boxes and no keypoints",
    ),
    "3D": (
        lambda folder: samples.dump(folder / "a.json", [{"keypoints": [[1, 2, 3]] * 17, "keypoint_scores": [1] * 17}]),
        "3D keypoints",
    ),
    "text": (lambda folder: write(folder / "a.csv", "time,temperature\n1,2\n"), "no known format"),
    "nested too deep": (lambda folder: write(folder / "a.json", "[" * 100_000), "no known format|not valid JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case: str, tmp_path: Path) -> None:
    make, message = BAD[case]
    with pytest.raises(FileFormatError, match=message) as error:
        read_keypoints(make(tmp_path))
    assert str(tmp_path) in str(error.value)


def test_unknown_names() -> None:
    with pytest.raises(UnknownFormatError, match="known are lift3d, openpose"):
        get_reader("xyz")
    with pytest.raises(SkeletonError, match="known are"):
        read_keypoints("x", skeleton="xyz")


def test_wrong_format_named(tmp_path: Path) -> None:
    for name in samples.WRITERS:
        if name != "coco":
            with pytest.raises(Lift3DError):
                read_keypoints(samples.coco(tmp_path), format=name)


def test_skeleton_must_fit(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="25 keypoints a person, but the skeleton 'coco17' has 17"):
        read_keypoints(samples.openpose(tmp_path), skeleton="coco17")
    assert read_keypoints(samples.openpose(tmp_path), skeleton="body25b").skeleton.name == "body25b"


def test_alphapose_variants(tmp_path: Path) -> None:
    """PoseFlow's object of lists, and the open and cmu variants with COCO-18."""
    xy, confidence = samples.motion("coco17")
    person = [
        [{"keypoints": samples.triples(xy[f, p], confidence[f, p]), "idx": p + 4} for p in (1, 0)] for f in range(4)
    ]
    path = samples.dump(tmp_path / "tracked.json", {f"img{f}.jpg": person[f] for f in (3, 0, 2, 1)})
    keypoints = read_keypoints(path)
    assert keypoints.track_ids == (4, 5)
    np.testing.assert_allclose(keypoints.xy, xy, atol=1e-3)
    xy, confidence = samples.motion("coco18")
    for key, name in (("people", "pose_keypoints_2d"), ("bodies", "joints")):
        tree = {
            f"{f}.jpg": {
                "version": "AlphaPose v0.3",
                key: [{name: samples.triples(xy[f, p], confidence[f, p])} for p in (0, 1)],
            }
            for f in range(4)
        }
        keypoints = read_keypoints(samples.dump(tmp_path / "open.json", tree))
        assert (keypoints.provenance["format"], keypoints.skeleton.name) == ("alphapose", "coco18")
        np.testing.assert_allclose(keypoints.xy, xy, atol=1e-3)


def test_alphapose_sorts_images_by_number(tmp_path: Path) -> None:
    rows = json.loads(samples.alphapose(tmp_path).read_text())
    keypoints = read_keypoints(samples.dump(tmp_path / "a.json", sorted(rows, key=lambda row: row["image_id"][::-1])))
    np.testing.assert_allclose(keypoints.xy, samples.motion("halpe26")[0], atol=1e-3)


def test_mmpose_shapes(tmp_path: Path) -> None:
    """The demos' meta_info, a single image's list, and a folder of them."""
    xy, confidence = samples.motion("coco17")
    frames = json.loads(samples.mmpose(tmp_path).read_text())
    names = {str(i): joint for i, joint in enumerate(COCO17.joints)}
    tree = {"meta_info": {"dataset_name": "coco", "keypoint_id2name": names}, "instance_info": frames}
    keypoints = read_keypoints(samples.dump(tmp_path / "demo.json", tree))
    np.testing.assert_allclose(keypoints.xy, xy, atol=1e-3)
    assert "without names" not in steps(keypoints)
    folder = tmp_path / "images"
    folder.mkdir()
    for frame in frames:
        samples.dump(folder / f"{frame['frame_id']:04d}.json", frame["instances"])
    np.testing.assert_allclose(read_keypoints(folder).xy, xy, atol=1e-3)
    single = read_keypoints(folder / "0002.json")
    np.testing.assert_allclose(single.xy[0], xy[2], atol=1e-3)
    np.testing.assert_allclose(single.confidence[0], confidence[2], atol=1e-6)


def test_coco_flags_names_and_results(tmp_path: Path) -> None:
    tree = json.loads(samples.coco(tmp_path).read_text())
    tree["annotations"][1]["keypoints"][:6] = [0, 0, 0, 55.0, 66.0, 1]
    keypoints = read_keypoints(samples.dump(tmp_path / "a.json", tree))
    assert np.isnan(keypoints.xy[0, 0, 0]).all()
    assert keypoints.confidence[0, 0, 1] == 0.5
    tree["categories"][0]["keypoints"] = [f"part{k}" for k in range(17)]
    assert read_keypoints(samples.dump(tmp_path / "b.json", tree)).skeleton.joints[3] == "part3"
    xy, confidence = samples.motion("coco17")
    rows = [{"image_id": f, "category_id": 1, "keypoints": samples.triples(xy[f, p], confidence[f, p]), "score": 0.5}
            for f in (3, 1, 0) for p in (0, 1)]  # fmt: skip
    keypoints = read_keypoints(samples.dump(tmp_path / "results.json", rows))
    np.testing.assert_allclose(keypoints.xy[[0, 1, 3]], xy[[0, 1, 3]], atol=1e-3)
    assert np.isnan(keypoints.xy[2]).all()


def test_coco_wholebody_parts_are_joined(tmp_path: Path) -> None:
    xy, _ = samples.motion("wholebody133")
    flat = samples.triples(xy[0, 0], np.full(133, 2))
    parts = {
        "keypoints": (0, 17),
        "foot_kpts": (17, 23),
        "face_kpts": (23, 91),
        "lefthand_kpts": (91, 112),
        "righthand_kpts": (112, 133),
    }
    row = {"image_id": 1, "category_id": 1} | {name: flat[3 * a : 3 * b] for name, (a, b) in parts.items()}
    tree = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [row], "categories": []}
    keypoints = read_keypoints(samples.dump(tmp_path / "w.json", tree))
    assert keypoints.skeleton.name == "wholebody133"
    np.testing.assert_allclose(keypoints.xy[0, 0], xy[0, 0], atol=1e-3)


def test_labelme_without_groups_and_twice(tmp_path: Path) -> None:
    shapes = [
        {"label": name, "points": [[k, 2 * k]], "shape_type": "point"}
        for k, name in enumerate(["LAnkle", "tail", "nose"])
    ]
    path = samples.dump(
        tmp_path / "a.json", {"shapes": shapes, "imagePath": "a.png", "imageHeight": 5, "imageWidth": 9}
    )
    keypoints = read_keypoints(path)
    assert keypoints.skeleton.joints == ("left_ankle", "tail", "nose")
    assert keypoints.xy[0, 0, 2].tolist() == [2, 4]
    assert keypoints.image_size == (9, 5)
    samples.dump(path, {"shapes": [*shapes, shapes[0]], "imagePath": "a.png"})
    with pytest.raises(FileFormatError, match="'LAnkle' comes twice in one person; give each person a group_id"):
        read_keypoints(path)


def test_mediapipe_needs_the_image_size(tmp_path: Path) -> None:
    path = samples.mediapipe_csv(tmp_path)
    with pytest.raises(FileFormatError, match="--image-size"):
        read_keypoints(path)
    tree = json.loads(samples.mediapipe(tmp_path).read_text())["frames"]
    with pytest.raises(FileFormatError, match="--image-size"):
        read_keypoints(samples.dump(tmp_path / "a.json", tree))


def test_mediapipe_json_shapes(tmp_path: Path) -> None:
    xy, confidence = samples.motion("blazepose33", 1)
    frames = [frame["landmarks"] for frame in json.loads(samples.mediapipe(tmp_path).read_text())["frames"]]
    rows = [[[p["x"], p["y"], p["z"], p["visibility"]] for p in frame] for frame in frames]
    shapes = {
        "lists of landmarks": frames,
        "tasks": [{"pose_landmarks": [frame], "pose_world_landmarks": [frame]} for frame in frames],
        "javascript": [{"poseLandmarks": frame} for frame in frames],
        "numbers": [{"frame": f, "landmarks": row} for f, row in enumerate(rows)],
    }
    for name, tree in shapes.items():
        keypoints = read_keypoints(samples.dump(tmp_path / "a.json", tree), image_size=samples.SIZE)
        np.testing.assert_allclose(keypoints.xy, xy, atol=2e-3, err_msg=name)
        np.testing.assert_allclose(keypoints.confidence, confidence, atol=1e-6)
    gap = [{"landmarks": frames[0]}, {"landmarks": None}, {"landmarks": []}, {"landmarks": frames[3]}]
    keypoints = read_keypoints(samples.dump(tmp_path / "a.json", gap), image_size=samples.SIZE)
    assert np.isnan(keypoints.xy[1:3]).all()


@pytest.mark.parametrize("style", ["{a}{i}", "{A}_{i}", "{i}_{a}", "landmark_{i}_{a}", "{NAME}_{A}", "{a}{from_one}"])
def test_mediapipe_csv_headers(style: str, tmp_path: Path) -> None:
    xy, _ = samples.motion("blazepose33", 1)
    header = []
    for i, joint in enumerate(get_skeleton("blazepose33").joints):
        name = joint.replace("big_toe", "foot_index").upper()
        name = {"LEFT_MOUTH": "MOUTH_LEFT", "RIGHT_MOUTH": "MOUTH_RIGHT"}.get(name, name)
        header += [style.format(i=i, from_one=i + 1, NAME=name, a=axis, A=axis.upper()) for axis in "xy"]
    lines = [",".join(header), *(",".join(f"{v:.6f}" for v in (frame / samples.SIZE).ravel()) for frame in xy[:, 0])]
    path = write(tmp_path / "a.csv", "\n".join(lines))
    np.testing.assert_allclose(read_keypoints(path, image_size=samples.SIZE).xy, xy, atol=2e-3)


def test_mediapipe_csv_long(tmp_path: Path) -> None:
    xy, confidence = samples.motion("blazepose33", 1)
    lines = ["frame,landmark,x,y,z,visibility"]
    for f in (2, 0, 3):
        lines += [
            f"{f},{k},{x / 640},{y / 480},0,{c}"
            for k, ((x, y), c) in enumerate(zip(xy[f, 0], confidence[f, 0], strict=True))
        ]
    keypoints = read_keypoints(write(tmp_path / "a.csv", "\n".join(lines)), image_size=samples.SIZE)
    np.testing.assert_allclose(keypoints.xy[[0, 2, 3]], xy[[0, 2, 3]], atol=2e-3)
    assert np.isnan(keypoints.xy[1]).all()


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_deeplabcut_hdf5_of_pandas(layout: str, tmp_path: Path) -> None:
    """Written by pandas itself; read without it."""
    xy, confidence = samples.motion("coco17")
    keypoints = read_keypoints(samples.deeplabcut_h5(tmp_path, layout))
    np.testing.assert_allclose(keypoints.xy, xy, atol=1e-3)
    np.testing.assert_allclose(keypoints.confidence, confidence, atol=1e-6)
    assert keypoints.provenance["track_names"] == ["a", "b"]
    assert keypoints.skeleton == COCO17


def test_deeplabcut_cut_off(tmp_path: Path) -> None:
    path = samples.deeplabcut(tmp_path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(FileFormatError, match=r"line 8: .* cells, the header has 103; was the file cut off"):
        read_keypoints(path)


def test_sleap_axes_by_name(tmp_path: Path) -> None:
    path = samples.sleap(tmp_path)
    xy, confidence = samples.motion("coco17")
    with h5py.File(path, "a") as file:
        for name, array, dims in (
            ("tracks", xy, ["frame", "track", "node", "xy"]),
            ("point_scores", confidence, ["frame", "track", "node"]),
        ):
            del file[name]
            file[name] = array
            file[name].attrs["dims"] = json.dumps(dims)
    keypoints = read_keypoints(path)
    np.testing.assert_allclose(keypoints.xy, xy, atol=1e-3)
    np.testing.assert_allclose(keypoints.confidence, confidence, atol=1e-6)


def test_videopose3d_selection(tmp_path: Path) -> None:
    path = samples.videopose3d(tmp_path)
    with pytest.raises(
        FileFormatError, match=r"holds 2 clips: S1/Walking 1/0, S1/Walking 1/1; choose one as .*::S1/Walking 1/0"
    ):
        read_keypoints(path)
    with pytest.raises(FileFormatError, match="no clip 'S2/x/0'; there are S1/Walking 1/0"):
        read_keypoints(f"{path}::S2/x/0")
    xy, _ = samples.motion("h36m17")
    np.testing.assert_allclose(read_keypoints(f"{path}::S1/Walking 1/1").xy[:, 0], xy[:, 1], atol=1e-3)
    with pytest.raises(FileFormatError, match="holds one recording"):
        read_keypoints(f"{samples.plain_npz(tmp_path)}::S1")


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_numpy_are_read(protocol: int) -> None:
    value = {"a": [np.arange(6.0).reshape(2, 3), np.float32(2.5)], "b": np.array([1, None], object),
             "c": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)), "d": (np.dtype("U3"), b"x")}  # fmt: skip
    got = restricted_loads(pickle.dumps(value, protocol), "file")
    np.testing.assert_array_equal(got["a"][0], value["a"][0])
    assert got["a"][1] == 2.5
    assert got["b"].tolist() == [1, None]
    np.testing.assert_array_equal(got["c"], value["c"])
    assert got["d"] == value["d"]
    old = pickle.dumps(value, 2).replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(restricted_loads(old, "file")["a"][0], value["a"][0])


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_that_run_something_are_refused(protocol: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileFormatError, match=r"asks for (builtins|__builtin__).print, which is not admitted"):
        restricted_loads(pickle.dumps(_Evil(), protocol), "file")
    assert capsys.readouterr().out == ""


HOSTILE = {
    "memo bomb": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "bytearray bomb": b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
    "huge array": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L9999999999999L\ntS'b'\ntR.",
    "ndarray called": b"cnumpy\nndarray\n(L9999999999999L\ntR.",
    "dtype of anything": b"cnumpy\ndtype\n(S'f8,O,f8'\ntR.",
    "persistent": b"Pabc\n.",
    "instance": b"(icollections\nOrderedDict\n.",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pickles(case: str) -> None:
    if case == "memo bomb":  # harmless to this unpickler
        assert restricted_loads(HOSTILE[case], "file") is None
        return
    with pytest.raises(FileFormatError):
        restricted_loads(HOSTILE[case], "file")


def test_hdf5_and_npz_that_claim_too_much(tmp_path: Path) -> None:
    path = samples.sleap(tmp_path)
    with h5py.File(path, "a") as file:
        del file["tracks"]
        file.create_dataset("tracks", (2, 2, 17, 1 << 40), chunks=(1, 1, 1, 1024), dtype="f8")
    with pytest.raises(FileFormatError, match="field tracks: claims"):
        read_keypoints(path)
    from zipfile import ZipFile

    with ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(
            "xy.npy",
            b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 9999, 17, 2), }".ljust(117)
            + b"\n",
        )
    with pytest.raises(FileFormatError, match="field xy: 0 bytes do not make an array"):
        read_keypoints(tmp_path / "a.npz")


def test_frame_numbers() -> None:
    assert frame_numbers(["20_000000000003_keypoints", "20_000000000010_keypoints"], "f") == [3, 10]
    assert frame_numbers(["cam01.0007", "cam01.0003"], "f") == [7, 3]
    assert frame_numbers(["a", "b"], "f") is None
    assert frame_numbers(["x12_2d", "x13_2d"], "f") == [12, 13]
    with pytest.raises(FileFormatError, match="carries no frame number"):
        frame_numbers(["a1", "b"], "f")
    assert sorted(["cam10", "cam2", "cam"], key=natural_key) == ["cam", "cam2", "cam10"]


def test_summary_counts(tmp_path: Path) -> None:
    folder = samples.openpose(tmp_path)
    change(folder / "clip_000000000001_keypoints.json", lambda tree: hide(tree, 0, 0))
    change(folder / "clip_000000000003_keypoints.json", lambda tree: tree["people"].pop(1))
    values = summarize(read_keypoints(folder, fps=2))
    assert (values["frames"], values["seconds"], values["people"]) == (4, 2.0, 2)
    assert values["tracks"][1] | {"confidence": 0} == {
        "id": 1,
        "first": 0,
        "last": 2,
        "frames_seen": 3,
        "confidence": 0,
    }
    assert values["missing"]["nose"] == round(1 / 7, 4)
    assert values["missing"]["neck"] == 0


def test_import_is_cheap() -> None:
    code = (
        "import sys, lift3d.io; assert not {'torch', 'numpy', 'h5py', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
