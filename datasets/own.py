"""A user's own recordings: 2D and 3D of any format that lift3d reads, paired by a manifest.

The manifest is a YAML file, or ``recordings.yaml`` in a folder; paths in it are relative to it:

    name: my studio              # what reports call the set; optional
    fps: 50                      # frames per second where files do not say; a recording may have its own
    rig: rig.toml                # the cameras (any rig file); a recording may have its own
    skeleton_3d: h36m17          # layout of the poses, into which others are converted; this is the default
    skeleton_2d: coco17          # layout of the keypoints; the first file's if it is not given
    keypoints: RTMPose           # where the 2D come from; "ground truth" if they are projections of the 3D
    training: [anna, ben]        # the split by subjects; optional
    test: [cleo]
    recordings:
      - subject: anna
        action: walk
        name: anna/walk 1        # unique; subject/action if it is not given
        poses: anna_walk.trc     # 3D (.h5 .npz .json .nc .csv .trc .c3d .bvh), metres; leave out where there is none
        keypoints: {cam0: anna_cam0.json, cam1: anna_cam1}   # 2D of each camera, by the rig's names

Without a manifest, a lift3d HDF5 file of poses in camera space that carries its keypoints and its camera is a
recording, and a folder of such files is a set; each file is a subject with its own name.

Every file holds one person. Lenses that ``Camera`` knows and training batches do not (fisheye, more than five
coefficients, skew) are undone: the keypoints are moved to where a pinhole camera of the same K would see them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lift3d.datasets.pose_set_tables import first_seen
from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.keypoints import read_keypoints, split_selection
from lift3d.io.poses3d import read_poses
from lift3d.io.rig_text import load_yaml
from lift3d.io.rigs import read_rig
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import H36M17, SKELETONS, Skeleton, conversion, get_skeleton

MANIFEST = "recordings.yaml"
# Recordings of one rate differ by rounding only, such as 29.97 and 30000 / 1001.
SAME_RATE = 1e-3

# What the root of a layout is called.
ROOTS = ("pelvis", "root")

FrameRate = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ManifestRecording(_Strict):
    """A recording of the manifest; see the module."""

    subject: str
    action: str
    name: str = ""
    poses: str | None = None
    keypoints: Annotated[dict[str, str], Field(min_length=1)]
    rig: str | None = None
    fps: FrameRate | None = None

    @property
    def title(self) -> str:
        return self.name or f"{self.subject}/{self.action}"


class Manifest(_Strict):
    """The manifest; see the module."""

    name: str = "own"
    fps: FrameRate | None = None
    rig: str | None = None
    skeleton_3d: str = H36M17.name
    skeleton_2d: str | None = None
    keypoints: str = ""
    training: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    recordings: Annotated[tuple[ManifestRecording, ...], Field(min_length=1)]


@dataclass(frozen=True)
class _Layouts:
    """The layouts that everything is brought into."""

    poses: Skeleton
    keypoints: Skeleton


def read(source: Path) -> tuple[DataSetInfo, Iterator[Recording]]:
    """Read a user's own data set.

    Args:
        source: a manifest or the folder that holds it, or a lift3d HDF5 file of poses with keypoints and camera or a
            folder of such.

    Returns:
        What holds for the set, and the recordings, one in memory at a time.

    Raises:
        FileFormatError: a file is missing, malformed, or does not fit the others; names file and field.
        SkeletonError: a layout is unknown, or poses cannot be converted into it.
    """
    if source.is_dir() and not (source / MANIFEST).is_file():
        files = sorted(source.glob("*.h5"))
        if not files:
            raise FileFormatError(source, f"holds neither {MANIFEST} nor .h5 files of poses; see lift3d.datasets.own")
        return _read_carrying(files, source)
    if source.suffix.lower() == ".h5":
        return _read_carrying([source], source)
    return _read_manifest(source / MANIFEST if source.is_dir() else source)


def _read_manifest(path: Path) -> tuple[DataSetInfo, Iterator[Recording]]:
    manifest = _load(path)
    titles = [entry.title for entry in manifest.recordings]
    for number, (entry, title) in enumerate(zip(manifest.recordings, titles, strict=True)):
        field = f"recordings[{number}]"
        if title in titles[:number]:
            raise FileFormatError(path, f"{title!r} is there twice; give each recording a name", f"{field}.name")
        files = {f"keypoints.{camera}": file for camera, file in entry.keypoints.items()}
        for place, file in {**files, **({"poses": entry.poses} if entry.poses else {})}.items():
            if not split_selection(path.parent / file)[0].exists():
                raise FileFormatError(path, f"there is no {path.parent / file}", f"{field}.{place}")
    # Each rig is read once, and every camera looked up, before the first recording.
    rigs: dict[str, Rig] = {}
    cameras = [_find_cameras(path, number, manifest, rigs) for number in range(len(titles))]
    subjects = first_seen(entry.subject for entry in manifest.recordings)
    for place, named in (("training", manifest.training), ("test", manifest.test)):
        if missing := [subject for subject in named if subject not in subjects]:
            raise FileFormatError(path, f"no recording of {missing[0]!r}; there are {', '.join(subjects)}", place)
    first = _keypoints(path, 0, manifest, next(iter(cameras[0])))
    skeleton_3d = get_skeleton(manifest.skeleton_3d)
    if skeleton_3d.joints[0] not in ROOTS:
        raise FileFormatError(
            path, f"the first joint of {skeleton_3d.name} is no root ({' or '.join(ROOTS)})", "skeleton_3d"
        )
    layouts = _Layouts(
        skeleton_3d,
        get_skeleton(manifest.skeleton_2d) if manifest.skeleton_2d else _known(first.skeleton, path, "skeleton_2d"),
    )
    info = DataSetInfo(
        name="own",
        skeleton_3d=layouts.poses.name,
        skeleton_2d=layouts.keypoints.name,
        keypoints=manifest.keypoints,
        training=manifest.training,
        test=manifest.test,
        actions=first_seen(entry.action for entry in manifest.recordings),
        provenance={"source": path.name, "title": manifest.name, "notes": _notes(path, manifest, layouts)},
    )
    return info, (_read_recording(path, k, manifest, cameras[k], layouts) for k in range(len(titles)))


def _notes(path: Path, manifest: Manifest, layouts: _Layouts) -> list[str]:
    """What becomes of the layouts of the first files."""
    posed = next((entry for entry in manifest.recordings if entry.poses), None)
    if posed is None or posed.poses is None:
        return ["No recording has 3D: the set serves as the unlabelled part of semi-supervised training"]
    skeleton = read_poses(path.parent / posed.poses).skeleton
    return [] if skeleton == layouts.poses else [conversion(skeleton, layouts.poses).describe()]


def _load(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(load_yaml(path.read_text(encoding="utf-8"), path))
    except OSError as error:
        raise FileFormatError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(path, f"not a text file ({error.reason} at byte {error.start})") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        known = {"extra_forbidden": "there is no such field", "missing": "this field is missing"}
        raise FileFormatError(path, known.get(first["type"], first["msg"]), field or None) from error


def _find_cameras(path: Path, number: int, manifest: Manifest, rigs: dict[str, Rig]) -> dict[str, Camera]:
    """The cameras of a recording, by name."""
    entry, field = manifest.recordings[number], f"recordings[{number}]"
    rig_file = entry.rig or manifest.rig
    if rig_file is None:
        raise FileFormatError(path, "neither the recording nor the manifest names a rig file", f"{field}.rig")
    if rig_file not in rigs:
        rigs[rig_file] = read_rig(path.parent / rig_file)
    rig = rigs[rig_file]
    for camera in entry.keypoints:
        if camera not in rig.names:
            raise FileFormatError(
                path, f"{rig_file} has no such camera; it has {', '.join(rig.names)}", f"{field}.keypoints.{camera}"
            )
    return {camera: rig[camera] for camera in entry.keypoints}


def _keypoints(path: Path, number: int, manifest: Manifest, camera: str) -> Keypoints2D:
    entry = manifest.recordings[number]
    keypoints = read_keypoints(path.parent / entry.keypoints[camera])
    _one_person(keypoints, path.parent / entry.keypoints[camera])
    return keypoints


def _read_recording(
    path: Path, number: int, manifest: Manifest, cameras: dict[str, Camera], layouts: _Layouts
) -> Recording:
    entry, field = manifest.recordings[number], f"recordings[{number}]"
    keypoints = {camera: _keypoints(path, number, manifest, camera) for camera in cameras}
    poses = None
    if entry.poses is not None:
        file = path.parent / entry.poses
        poses = read_poses(file)
        _one_person(poses, file)
        if poses.space != "world":
            raise FileFormatError(file, "the poses are in a camera's space and not in the rig's world", "space")
    places = {f"keypoints.{camera}": motion for camera, motion in keypoints.items()}
    motions: dict[str, Keypoints2D | Poses3D] = {**({"poses": poses} if poses is not None else {}), **places}
    lengths = {place: motion.frames for place, motion in motions.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{place} {length}" for place, length in lengths.items())
        raise FileFormatError(path, f"the files have different numbers of frames: {listed}", field)
    fps = _frame_rate(path, field, entry.fps or manifest.fps, motions)
    frames = next(iter(lengths.values()))
    if poses is None:
        xyz = np.full((frames, len(layouts.poses), 3), np.nan, dtype=np.float32)
    else:
        xyz = poses.convert(layouts.poses)[0].xyz[:, 0]
        if not np.isfinite(xyz).any():
            raise FileFormatError(path.parent / str(entry.poses), "no joint has a 3D position in any frame", field)
    views = []
    for name, camera in cameras.items():
        place = f"{field}.keypoints.{name}"
        views.append(_view(camera, keypoints[name], layouts.keypoints, path, place))
    return Recording(entry.title, entry.subject, entry.action, fps, xyz, tuple(views))


def _frame_rate(path: Path, field: str, said: float | None, motions: dict[str, Keypoints2D | Poses3D]) -> float:
    """What the manifest says, else what the files say and agree on."""
    if said is not None:
        return said
    rates = {place: motion.fps for place, motion in motions.items() if motion.fps is not None}
    if not rates:
        raise FileFormatError(path, "neither the manifest nor the files say the frames per second", f"{field}.fps")
    if max(rates.values()) > min(rates.values()) * (1 + SAME_RATE):
        listed = ", ".join(f"{place} {rate:g}" for place, rate in rates.items())
        raise FileFormatError(path, f"the files have different frame rates: {listed}", f"{field}.fps")
    return next(iter(rates.values()))


def _view(camera: Camera, keypoints: Keypoints2D, skeleton: Skeleton, path: Path, field: str) -> View:
    """A view through a camera that a training batch can hold."""
    size = camera.image_size or keypoints.image_size
    if size is None:
        raise FileFormatError(path, "neither the rig nor the keypoints say the image size", field)
    if keypoints.image_size is not None and keypoints.image_size != size:
        found, wanted = ("x".join(map(str, pair)) for pair in (keypoints.image_size, size))
        raise FileFormatError(path, f"the keypoints are of images of {found}, the camera of {wanted}", field)
    changed = keypoints if keypoints.skeleton == skeleton else keypoints.convert(skeleton)[0]
    xy, confidence = changed.xy[:, 0], changed.confidence[:, 0]
    camera = replace(camera, image_size=size)
    if camera.fisheye or camera.distortion[5:].any() or camera.K[0, 1]:
        K = camera.K.copy()
        K[0, 1] = 0
        pinhole = replace(camera, K=K, distortion=np.zeros(5), fisheye=False)
        xy = (camera.unproject(xy) @ K[:2, :2].T + K[:2, 2]).astype(np.float32)
        confidence = np.where(np.isfinite(xy).all(-1), confidence, np.float32(0))
        camera = pinhole
    return View(camera, xy, confidence)


def _read_carrying(files: list[Path], source: Path) -> tuple[DataSetInfo, Iterator[Recording]]:
    """Files of poses in camera space that carry their keypoints and their camera."""
    first = _load_carrying(files[0])
    layouts = _Layouts(H36M17, _known(first[1].skeleton, files[0], "keypoints/skeleton"))
    info = DataSetInfo(
        name="own",
        skeleton_3d=layouts.poses.name,
        skeleton_2d=layouts.keypoints.name,
        space="camera",
        provenance={"source": source.name},
    )
    return info, (_carried(file, layouts) for file in files)


def _load_carrying(file: Path) -> tuple[Poses3D, Keypoints2D, Camera]:
    poses = Poses3D.load(file)
    _one_person(poses, file)
    if poses.keypoints is None or poses.camera is None:
        lacking = "keypoints" if poses.keypoints is None else "camera"
        raise FileFormatError(file, f"the poses do not carry their {lacking}; pair them in a {MANIFEST}", lacking)
    if poses.space != "camera":
        raise FileFormatError(file, f"the poses are in world space; pair them with a rig in a {MANIFEST}", "space")
    return poses, poses.keypoints, poses.camera


def _carried(file: Path, layouts: _Layouts) -> Recording:
    poses, keypoints, camera = _load_carrying(file)
    fps = poses.fps or keypoints.fps
    if fps is None:
        raise FileFormatError(file, "the frames per second are unknown; lift3d convert --fps says them", "fps")
    still = replace(camera, R=np.eye(3), t=np.zeros(3))
    view = _view(still, keypoints, layouts.keypoints, file, "keypoints")
    return Recording(file.stem, file.stem, "", fps, poses.convert(layouts.poses)[0].xyz[:, 0], (view,))


def _one_person(motion: Keypoints2D | Poses3D, file: Path) -> None:
    if motion.people != 1:
        raise FileFormatError(
            file, f"holds {motion.people} people and one is needed; lift3d convert --people chooses one"
        )


def _known(skeleton: Skeleton, path: Path, field: str) -> Skeleton:
    if SKELETONS.get(skeleton.name) != skeleton:
        raise FileFormatError(
            path,
            f"the keypoints have a layout of their own ({skeleton.name}); name one that lift3d knows, into which they "
            "are converted",
            field,
        )
    return skeleton
