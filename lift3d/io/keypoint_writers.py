"""Writing 2D keypoints in the formats of others.

| ending | what is written | kept |
|---|---|---|
| ``.h5``, ``.hdf5`` | lift3d HDF5 | everything |
| ``.npz`` | plain NPZ: ``xy``, ``confidence``, ``joints``, ``track_ids``, ``fps``, ``image_size``| all but provenance |
| ``.json`` | COCO keypoints JSON, an image a frame, with ``track_id``, ``keypoint_scores`` | all but provenance |
| ``.csv`` | DeepLabCut CSV, each person an individual | coordinates, confidence, joint names |
| ``/``, ``_json``, no ending | OpenPose JSON, one file a frame, ``person_id`` | coordinates, confidence, identity |
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import Lift3DError, OutputExistsError, SkeletonError, UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.poses import Keypoints2D

OPENPOSE_LAYOUTS = ("body25", "body25b", "coco18", "halpe26", "halpe136")
# A keypoint that is seen with confidence 0 would read as missing in formats where 0 says so.
LEAST_CONFIDENCE = 1e-3


def write_keypoints(keypoints: Keypoints2D, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write 2D keypoints in the format that the path's ending names (see the table above).

    Args:
        keypoints: what to write.
        path: file, or folder for OpenPose JSON.
        overwrite: whether an existing file, or folder of JSON files, may be replaced.

    Raises:
        UnknownFormatError: no writer has this ending.
        OutputExistsError: the output exists and ``overwrite`` is False.
        SkeletonError: the format has a fixed set of layouts and this one is not among them.
    """
    text = fspath(path)
    target = Path(text)
    if text.endswith(("/", os.sep, "_json")) or (not target.suffix and not target.is_file()):
        _write_openpose(keypoints, target, overwrite)
        return
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise UnknownFormatError(
            path,
            f"no 2D format ends in {target.suffix!r}; known are {', '.join(_WRITERS)} and a folder (OpenPose JSON)",
        )
    writer(keypoints, target, overwrite)


def _write_hdf5(keypoints: Keypoints2D, path: Path, overwrite: bool) -> None:
    keypoints.save(path, overwrite)


def _write_npz(keypoints: Keypoints2D, path: Path, overwrite: bool) -> None:
    arrays: dict[str, Any] = {
        "xy": keypoints.xy,
        "confidence": keypoints.confidence,
        "joints": np.array(keypoints.skeleton.joints),
        "track_ids": np.array(keypoints.track_ids, np.int64),
    }
    if keypoints.fps is not None:
        arrays["fps"] = np.float64(keypoints.fps)
    if keypoints.image_size is not None:
        arrays["image_size"] = np.array(keypoints.image_size, np.int64)
    with atomic_path(path, overwrite) as temporary:
        np.savez_compressed(temporary, **arrays)


def _write_coco(keypoints: Keypoints2D, path: Path, overwrite: bool) -> None:
    skeleton = keypoints.skeleton
    size = {} if keypoints.image_size is None else dict(zip(("width", "height"), keypoints.image_size, strict=True))
    annotations: list[dict[str, Any]] = []
    for frame, person in np.argwhere(np.isfinite(keypoints.xy).all(axis=-1).any(axis=-1)):
        xy, confidence = keypoints.xy[frame, person].astype(float), keypoints.confidence[frame, person].astype(float)
        seen = np.isfinite(xy).all(axis=1)
        low, high = xy[seen].min(axis=0), xy[seen].max(axis=0)
        triples = np.where(seen[:, None], np.column_stack([xy, np.full(len(xy), 2.0)]), 0)
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": int(frame) + 1,
                "category_id": 1,
                "track_id": int(keypoints.track_ids[person]),
                "keypoints": triples.round(3).ravel().tolist(),
                "keypoint_scores": confidence.round(5).tolist(),
                "num_keypoints": int(seen.sum()),
                "bbox": [*low.round(3).tolist(), *(high - low).round(3).tolist()],
                "area": float(np.prod(high - low).round(3)),
                "iscrowd": 0,
                "score": float(confidence[seen].mean().round(5)),
            }
        )
    digits = max(6, len(str(keypoints.frames)))
    tree = {
        "info": {"description": "2D keypoints", **({} if keypoints.fps is None else {"fps": keypoints.fps})},
        "images": [
            {"id": frame + 1, "file_name": f"{frame:0{digits}d}.jpg", **size} for frame in range(keypoints.frames)
        ],
        "annotations": annotations,
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(skeleton.joints),
                "skeleton": [[parent + 1, child + 1] for parent, child in skeleton.bones],
            }
        ],
    }
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(json.dumps(tree, allow_nan=False))


def _write_deeplabcut(keypoints: Keypoints2D, path: Path, overwrite: bool) -> None:
    several = keypoints.people > 1
    names = [f"track_{track}" for track in keypoints.track_ids]
    columns = [(name, joint, axis) for name in names for joint in keypoints.skeleton.joints
               for axis in ("x", "y", "likelihood")]  # fmt: skip
    table = np.concatenate([keypoints.xy, keypoints.confidence[..., None]], axis=-1)
    table = np.where(np.isfinite(table).all(axis=-1, keepdims=True), table, np.nan).reshape(keypoints.frames, -1)
    with atomic_path(path, overwrite) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["scorer", *("lift3d" for _ in columns)])
        if several:
            writer.writerow(["individuals", *(name for name, _, _ in columns)])
        writer.writerow(["bodyparts", *(joint for _, joint, _ in columns)])
        writer.writerow(["coords", *(axis for _, _, axis in columns)])
        for frame, row in enumerate(table):
            writer.writerow([frame, *("" if np.isnan(value) else f"{value:.6g}" for value in row.tolist())])


def _write_openpose(keypoints: Keypoints2D, folder: Path, overwrite: bool) -> None:
    if keypoints.skeleton.name not in OPENPOSE_LAYOUTS:
        raise SkeletonError(
            f"OpenPose JSON names no joints and knows {', '.join(OPENPOSE_LAYOUTS)}, not {keypoints.skeleton.name!r}; "
            "convert first (--to-skeleton body25), or write .json, .csv or .h5"
        )
    if folder.exists():
        if not overwrite:
            raise OutputExistsError(f"{folder} exists already; choose another name or pass --overwrite")
        if not folder.is_dir() or any(entry.suffix != ".json" for entry in folder.iterdir()):
            raise OutputExistsError(
                f"{folder} is no folder of JSON files alone and is not replaced; choose another name"
            )
    if not folder.parent.is_dir() or not os.access(folder.parent, os.W_OK):
        raise Lift3DError(f"{folder}: the folder {folder.parent} does not exist or cannot be written")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    temporary.mkdir()
    try:
        digits = max(12, len(str(keypoints.frames)))
        for frame in range(keypoints.frames):
            file = temporary / f"frame_{frame:0{digits}d}_keypoints.json"
            file.write_text(json.dumps({"version": 1.3, "people": _openpose_people(keypoints, frame)}, allow_nan=False))
        if folder.exists():
            old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
            os.replace(folder, old)
            os.replace(temporary, folder)
            shutil.rmtree(old)
        else:
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _openpose_people(keypoints: Keypoints2D, frame: int) -> list[dict[str, Any]]:
    people = []
    for person, track in enumerate(keypoints.track_ids):
        xy = keypoints.xy[frame, person].astype(float)
        seen = np.isfinite(xy).all(axis=1)
        if not seen.any():
            continue
        confidence = np.maximum(keypoints.confidence[frame, person].astype(float), LEAST_CONFIDENCE)
        triples = np.where(seen[:, None], np.column_stack([xy, confidence]), 0)
        people.append({"person_id": [int(track)], "pose_keypoints_2d": triples.round(5).ravel().tolist()})
    return people


_WRITERS: dict[str, Callable[[Keypoints2D, Path, bool], None]] = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".npz": _write_npz,
    ".json": _write_coco,
    ".csv": _write_deeplabcut,
}
