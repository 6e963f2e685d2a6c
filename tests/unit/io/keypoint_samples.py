"""Small files of every 2D format, written by hand or by the format's own library, and the truth beside them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lift3d.io.keypoints import FORMATS
from lift3d.poses import Keypoints2D
from lift3d.skeletons import BLAZEPOSE33, COCO17, get_skeleton

SIZE = (640, 480)
FRAMES = 4

# An upright person of height 1 around the origin, y down.
FIGURE = {
    "nose": (0.0, -0.45), "left_eye": (0.02, -0.47), "right_eye": (-0.02, -0.47), "left_ear": (0.05, -0.46),
    "right_ear": (-0.05, -0.46), "upper_neck": (0.0, -0.38), "neck": (0.0, -0.32), "head_top": (0.0, -0.55),
    "left_shoulder": (0.12, -0.32), "right_shoulder": (-0.12, -0.32), "left_elbow": (0.16, -0.15),
    "right_elbow": (-0.16, -0.15), "left_wrist": (0.18, 0.0), "right_wrist": (-0.18, 0.0), "pelvis": (0.0, 0.0),
    "left_hip": (0.08, 0.0), "right_hip": (-0.08, 0.0), "left_knee": (0.09, 0.22), "right_knee": (-0.09, 0.22),
    "left_ankle": (0.09, 0.44), "right_ankle": (-0.09, 0.44),
}  # fmt: skip


def motion(skeleton: str, people: int = 2, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """People walking to the right: (frames, people, joints, 2) pixels and (frames, people, joints) confidence."""
    joints = get_skeleton(skeleton).joints
    rng = np.random.default_rng(3)
    away = rng.normal(0, 0.05, (len(joints), 2))
    figure = np.array([FIGURE.get(joint, tuple(away[i])) for i, joint in enumerate(joints)])
    start = np.array([[150 + 250 * p, 240] for p in range(people)], float)
    path = start + np.arange(frames)[:, None, None] * [3.0, 0.5]
    xy = path[:, :, None] + 200 * figure
    confidence = rng.uniform(0.3, 1, xy.shape[:3])
    return xy.round(3), confidence.round(3)


def triples(xy: np.ndarray, confidence: np.ndarray) -> list[float]:
    return np.column_stack([xy, confidence]).ravel().tolist()


def openpose(folder: Path, skeleton: str = "body25", frames: int = FRAMES) -> Path:
    xy, confidence = motion(skeleton, frames=frames)
    target = folder / "openpose"
    target.mkdir(exist_ok=True)
    for frame in range(frames):
        people = [{"person_id": [-1], "pose_keypoints_2d": triples(xy[frame, p], confidence[frame, p]),
                   "face_keypoints_2d": []} for p in range(2)]  # fmt: skip
        (target / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return target


def alphapose(folder: Path, skeleton: str = "halpe26") -> Path:
    xy, confidence = motion(skeleton)
    rows = [
        {"image_id": f"{f}.jpg", "category_id": 1, "keypoints": triples(xy[f, p], confidence[f, p]), "score": 2.5,
         "box": [0.0, 0.0, 10.0, 10.0], "idx": [float(p + 1)]}
        for f in range(FRAMES) for p in range(2)
    ]  # fmt: skip
    return dump(folder / "alphapose-results.json", rows)


def instance(xy: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
    low, high = xy.min(axis=0), xy.max(axis=0)
    return {
        "keypoints": xy.tolist(), "keypoint_scores": confidence.tolist(), "bbox": [[*low, *high]], "bbox_score": 0.9
    }  # fmt: skip


def mmpose(folder: Path) -> Path:
    xy, confidence = motion("coco17")
    frames = [
        {"frame_id": f, "instances": [instance(xy[f, p], confidence[f, p]) for p in range(2)]} for f in range(FRAMES)
    ]
    return dump(folder / "clip.json", frames)


def coco(folder: Path) -> Path:
    xy, _ = motion("coco17")
    size = {"width": SIZE[0], "height": SIZE[1]}
    tree = {
        "info": {"description": "sample"},
        "images": [{"id": 10 - f, "file_name": f"frame_{f}.png", **size} for f in range(FRAMES)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints), "skeleton": [[1, 2]]}],
        "annotations": [
            {"id": 2 * f + p, "image_id": 10 - f, "category_id": 1, "keypoints": triples(xy[f, p], np.full(17, 2)),
             "num_keypoints": 17, "bbox": [0, 0, 5, 5], "iscrowd": 0}
            for f in range(FRAMES) for p in (1, 0)
        ],
    }  # fmt: skip
    return dump(folder / "annotations.json", tree)


def labelme(folder: Path) -> Path:
    xy, _ = motion("coco17")
    target = folder / "labelme"
    target.mkdir(exist_ok=True)
    for f in range(FRAMES):
        shapes: list[dict[str, Any]] = [
            {"label": joint, "points": [xy[f, p, j].tolist()], "group_id": p, "shape_type": "point", "flags": {}}
            for p in range(2) for j, joint in enumerate(COCO17.joints)
        ]  # fmt: skip
        shapes.append({"label": "box", "points": [[0, 0], [9, 9]], "group_id": None, "shape_type": "rectangle"})
        tree = {"version": "5.2.1", "flags": {}, "shapes": shapes, "imagePath": f"img{f}.png", "imageData": None,
                "imageHeight": SIZE[1], "imageWidth": SIZE[0]}  # fmt: skip
        dump(target / f"img{f}.json", tree)
    return target


def mediapipe(folder: Path) -> Path:
    xy, confidence = motion("blazepose33", 1)
    frames = [
        {"frame": f, "landmarks": [
            {"x": x / SIZE[0], "y": y / SIZE[1], "z": 0.1, "visibility": c}
            for (x, y), c in zip(xy[f, 0].tolist(), confidence[f, 0].tolist(), strict=True)
        ]} for f in range(FRAMES)
    ]  # fmt: skip
    return dump(folder / "landmarks.json", {"width": SIZE[0], "height": SIZE[1], "fps": 30, "frames": frames})


def mediapipe_csv(folder: Path) -> Path:
    xy, confidence = motion("blazepose33", 1)
    path = folder / "landmarks.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["frame", *(f"{joint}_{axis}" for joint in BLAZEPOSE33.joints for axis in ("x", "y", "z", "visibility"))]
        )
        for f in range(FRAMES):
            cells = [
                v
                for (x, y), c in zip(xy[f, 0], confidence[f, 0], strict=True)
                for v in (x / SIZE[0], y / SIZE[1], 0.1, c)
            ]
            writer.writerow([f, *cells])
    return path


def deeplabcut(folder: Path) -> Path:
    xy, confidence = motion("coco17")
    columns = [(p, j, axis) for p in ("a", "b") for j in COCO17.joints for axis in ("x", "y", "likelihood")]
    path = folder / "videoDLC.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scorer", *("DLC" for _ in columns)])
        for level, name in enumerate(("individuals", "bodyparts", "coords")):
            writer.writerow([name, *(column[level] for column in columns)])
        for f in range(FRAMES):
            writer.writerow([f, *np.concatenate([xy[f], confidence[f, ..., None]], axis=-1).ravel().tolist()])
    return path


def deeplabcut_h5(folder: Path, layout: str = "table") -> Path:
    import pandas as pd
    import pytest

    pytest.importorskip("tables")
    xy, confidence = motion("coco17")
    columns = pd.MultiIndex.from_tuples(
        [("DLC", p, j, axis) for p in ("a", "b") for j in COCO17.joints for axis in ("x", "y", "likelihood")],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    table = pd.DataFrame(np.concatenate([xy, confidence[..., None]], axis=-1).reshape(FRAMES, -1), columns=columns)
    path = folder / f"videoDLC_{layout}.h5"
    table.to_hdf(path, key="df_with_missing", format=layout, mode="w")
    return path


def sleap(folder: Path) -> Path:
    xy, confidence = motion("coco17")
    path = folder / "clip.analysis.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = xy.transpose(1, 3, 2, 0)
        file["point_scores"] = confidence.transpose(1, 2, 0)
        file["node_names"] = np.array([joint.encode() for joint in COCO17.joints])
        file["track_names"] = np.array([b"one", b"two"])
        file["track_occupancy"] = np.ones((FRAMES, 2), np.uint8)
    return path


def videopose3d(folder: Path) -> Path:
    xy, _ = motion("h36m17")
    positions = {"S1": {"Walking 1": [xy[:, p].astype(np.float32) for p in range(2)]}}
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6], [1, 2, 3]]}
    path = folder / "data_2d_h36m_gt.npz"
    np.savez_compressed(path, positions_2d=np.array(positions, dtype=object), metadata=np.array(metadata, dtype=object))
    return path


def plain_npz(folder: Path) -> Path:
    xy, confidence = motion("coco17")
    path = folder / "clip.npz"
    np.savez(path, xy=xy, confidence=confidence, joints=np.array(COCO17.joints), fps=25.0, image_size=np.array(SIZE))
    return path


def lift3d(folder: Path) -> Path:
    xy, confidence = motion("coco17")
    path = folder / "clip.h5"
    Keypoints2D(xy, confidence, COCO17, fps=25, image_size=SIZE).save(path, overwrite=True)
    return path


def dump(path: Path, tree: Any) -> Path:
    path.write_text(json.dumps(tree))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "lift3d": lift3d, "openpose": openpose, "labelme": labelme, "mmpose": mmpose, "alphapose": alphapose, "coco": coco,
    "mediapipe": mediapipe, "sleap": sleap, "deeplabcut": deeplabcut, "mediapipe_csv": mediapipe_csv,
    "videopose3d": videopose3d, "npz": plain_npz,
}  # fmt: skip
LAYOUTS = {"openpose": "body25", "alphapose": "halpe26", "mediapipe": "blazepose33", "mediapipe_csv": "blazepose33",
           "videopose3d": "h36m17"}  # fmt: skip
assert WRITERS.keys() == FORMATS.keys()
