"""The two containers that travel through lift3d, ``Keypoints2D`` and ``Poses3D``, and their HDF5 file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lift3d.errors import FileFormatError, MissingDependencyError, ShapeError, SkeletonError
from lift3d.geometry.cameras import Camera
from lift3d.io.files import atomic_path
from lift3d.skeletons import Conversion, Skeleton, conversion, get_skeleton

if TYPE_CHECKING:
    import h5py
    import xarray

FORMAT_VERSION = 1
# HDF5 1.8 and later keep checksums of their structures, so that damage is an error and not a wrong number.
_LIBRARY_VERSIONS = ("v108", "v108")
SPACES = ("camera", "world")


@dataclass(frozen=True)
class _Motion:
    """What 2D and 3D motion share; ``_POINTS`` names the field with the coordinates."""

    def _validate(self, points: np.ndarray, name: str, dimensions: int) -> None:
        if points.ndim != 4 or points.shape[-1] != dimensions:
            raise ShapeError(f"{name} must be (frames, people, joints, {dimensions}), not {points.shape}")
        skeleton: Skeleton = self.skeleton  # type: ignore[attr-defined]
        if points.shape[2] != len(skeleton):
            raise ShapeError(f"{name} has {points.shape[2]} joints, but skeleton {skeleton.name!r} has {len(skeleton)}")
        if np.isinf(points).any():
            raise ShapeError(f"{name} holds infinite values; a missing joint is NaN")
        fps: float | None = self.fps  # type: ignore[attr-defined]
        if fps is not None and not (np.isfinite(fps) and fps > 0):
            raise ShapeError(f"fps must be a positive number or None, not {fps}")
        track_ids: tuple[int, ...] = self.track_ids  # type: ignore[attr-defined]
        if len(track_ids) != points.shape[1] or len(set(track_ids)) != len(track_ids):
            raise ShapeError(f"track_ids must be {points.shape[1]} different numbers, one a person, not {track_ids}")

    def _validate_per_joint(self, array: np.ndarray, name: str, shape: tuple[int, ...], upper: float | None) -> None:
        if array.shape != shape:
            raise ShapeError(f"{name} must be (frames, people, joints) = {shape}, not {array.shape}")
        known = array[np.isfinite(array)]
        if np.isinf(array).any() or (known < 0).any() or (upper is not None and (known > upper).any()):
            limit = f"between 0 and {upper:g}" if upper is not None else "0 or more"
            raise ShapeError(f"{name} must be {limit}")


def _float32(array: Any) -> np.ndarray:
    return np.asarray(array, dtype=np.float32)


def _track_ids(track_ids: Sequence[int] | None, people: int) -> tuple[int, ...]:
    return tuple(range(people)) if track_ids is None else tuple(int(i) for i in track_ids)


def _take(array: np.ndarray, frames: slice, people: list[int]) -> np.ndarray:
    return array[frames][:, people]


@dataclass(frozen=True, eq=False)
class Keypoints2D(_Motion):
    """2D keypoints of people over time in one camera's image.

    Attributes:
        xy: (frames, people, joints, 2) float32, pixels, origin at the top left; NaN where a joint is missing.
        confidence: (frames, people, joints) float32 in 0..1; 0 where a joint is missing. Default: 1 where seen.
        skeleton: the joint layout.
        fps: frames per second, None if unknown.
        track_ids: one number a person, the same person over all frames. Default: 0, 1, ...
        image_size: (width, height) in pixels, None if unknown.
        provenance: where the data come from and what was done to them (JSON values).

    Raises:
        ShapeError: a shape, a range or an infinite value breaks this contract.
    """

    xy: np.ndarray
    confidence: np.ndarray = None  # type: ignore[assignment]
    skeleton: Skeleton = None  # type: ignore[assignment]
    fps: float | None = None
    track_ids: tuple[int, ...] = None  # type: ignore[assignment]
    image_size: tuple[int, int] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "xy", _float32(self.xy))
        if self.skeleton is None:
            raise ShapeError("skeleton must be given: a layout's name (lift3d.skeletons) or a Skeleton")
        set_field(self, "skeleton", get_skeleton(self.skeleton))
        seen = np.isfinite(self.xy).all(axis=-1)
        if self.xy.ndim == 4:
            set_field(self, "track_ids", _track_ids(self.track_ids, self.xy.shape[1]))
        self._validate(self.xy, "xy", 2)
        confidence = seen.astype(np.float32) if self.confidence is None else _float32(self.confidence)
        self._validate_per_joint(confidence, "confidence", self.xy.shape[:3], upper=1)
        # One meaning of "missing": both coordinates NaN and confidence 0.
        set_field(self, "confidence", np.where(seen & np.isfinite(confidence), confidence, np.float32(0)))
        if not seen.all():
            set_field(self, "xy", np.where(seen[..., None], self.xy, np.float32(np.nan)))
        if self.image_size is not None:
            width, height = (int(side) for side in self.image_size)
            if width <= 0 or height <= 0:
                raise ShapeError(f"image_size must be (width, height) in pixels, not {self.image_size}")
            set_field(self, "image_size", (width, height))

    @property
    def frames(self) -> int:
        return int(self.xy.shape[0])

    @property
    def people(self) -> int:
        return int(self.xy.shape[1])

    def select(self, frames: slice = slice(None), people: Sequence[int] | None = None) -> Self:
        """The frames of a slice and the people of the given indices (default: all)."""
        chosen = list(range(self.people)) if people is None else list(people)
        return replace(
            self,
            xy=_take(self.xy, frames, chosen),
            confidence=_take(self.confidence, frames, chosen),
            track_ids=tuple(self.track_ids[i] for i in chosen),
            fps=_sliced_fps(self.fps, frames),
        )

    def convert(self, skeleton: str | Skeleton) -> tuple[Self, Conversion]:
        """The same people in another layout, and what of it is measured, estimated or missing."""
        change = conversion(self.skeleton, get_skeleton(skeleton))
        changed = replace(
            self,
            xy=change.apply(self.xy),
            confidence=change.apply_confidence(self.confidence),
            skeleton=change.target,
            provenance=add_step(self.provenance, change.describe()),
        )
        return changed, change

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Write the lift3d HDF5 file. Raises OutputExistsError if it exists and ``overwrite`` is False."""
        import h5py

        with atomic_path(path, overwrite) as temporary, h5py.File(temporary, "w", libver=_LIBRARY_VERSIONS) as file:
            self.write_group(file)

    def write_group(self, group: h5py.Group) -> None:
        """Write the container into an open HDF5 group."""
        _write_common(group, self, "keypoints_2d", {"xy": self.xy, "confidence": self.confidence})
        _set_text(group["xy"], "units", "pixel")
        if self.image_size is not None:
            group.attrs["image_size"] = self.image_size

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a lift3d HDF5 file. Raises FileFormatError that names the field that is wrong."""
        with _open_hdf5(path, "keypoints_2d") as group:
            return cls.read_group(group, path)

    @classmethod
    def read_group(cls, group: h5py.Group, path: str | PathLike[str]) -> Self:
        """Read the container from an open HDF5 group of the file ``path``."""
        with _naming(path):
            size = group.attrs.get("image_size")
            return cls(
                xy=_read_array(group, "xy", path),
                confidence=_read_array(group, "confidence", path),
                image_size=None if size is None else (int(size[0]), int(size[1])),
                **_read_common(group, path),
            )

    def to_xarray(self) -> xarray.Dataset:
        """Dataset with the dimensions of the ``movement`` library: time, space, keypoints, individuals."""
        return _to_xarray(self, self.xy, ["x", "y"], {"units": "pixel"})


@dataclass(frozen=True, eq=False)
class Poses3D(_Motion):
    """3D poses of people over time.

    Attributes:
        xyz: (frames, people, joints, 3) float32, metres; NaN where a joint is missing.
        confidence: (frames, people, joints) float32 in 0..1; 0 where a joint is missing.
        sigma: (frames, people, joints) float32, metres, one standard deviation, None where unknown.
        reprojection_error: (frames, people, joints) float32, pixels, NaN where there is no 2D; None where unknown.
        skeleton: the joint layout.
        fps: frames per second, None if unknown.
        track_ids: one number a person, the same person over all frames.
        space: "camera" (x right, y down, z forward) or "world" (right-handed, Z up).
        camera: the camera of "camera" space, given or assumed; None if there is none.
        keypoints: the 2D keypoints that the poses were made from, if one camera made them.
        provenance: where the data come from and what was done to them (JSON values).

    Raises:
        ShapeError: a shape, a range or an infinite value breaks this contract.
    """

    xyz: np.ndarray
    confidence: np.ndarray = None  # type: ignore[assignment]
    skeleton: Skeleton = None  # type: ignore[assignment]
    fps: float | None = None
    track_ids: tuple[int, ...] = None  # type: ignore[assignment]
    space: str = "world"
    sigma: np.ndarray | None = None
    reprojection_error: np.ndarray | None = None
    camera: Camera | None = None
    keypoints: Keypoints2D | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "xyz", _float32(self.xyz))
        if self.skeleton is None:
            raise ShapeError("skeleton must be given: a layout's name (lift3d.skeletons) or a Skeleton")
        set_field(self, "skeleton", get_skeleton(self.skeleton))
        seen = np.isfinite(self.xyz).all(axis=-1)
        if self.xyz.ndim == 4:
            set_field(self, "track_ids", _track_ids(self.track_ids, self.xyz.shape[1]))
        self._validate(self.xyz, "xyz", 3)
        if self.space not in SPACES:
            raise ShapeError(f"space must be one of {SPACES}, not {self.space!r}")
        confidence = seen.astype(np.float32) if self.confidence is None else _float32(self.confidence)
        self._validate_per_joint(confidence, "confidence", self.xyz.shape[:3], upper=1)
        set_field(self, "confidence", np.where(seen & np.isfinite(confidence), confidence, np.float32(0)))
        if not seen.all():
            set_field(self, "xyz", np.where(seen[..., None], self.xyz, np.float32(np.nan)))
        for name in ("sigma", "reprojection_error"):
            if (array := getattr(self, name)) is not None:
                set_field(self, name, _float32(array))
                self._validate_per_joint(getattr(self, name), name, self.xyz.shape[:3], upper=None)
        if self.keypoints is not None and self.keypoints.xy.shape[:2] != self.xyz.shape[:2]:
            raise ShapeError(
                f"keypoints hold (frames, people) = {self.keypoints.xy.shape[:2]}, the poses {self.xyz.shape[:2]}"
            )

    @property
    def frames(self) -> int:
        return int(self.xyz.shape[0])

    @property
    def people(self) -> int:
        return int(self.xyz.shape[1])

    def select(self, frames: slice = slice(None), people: Sequence[int] | None = None) -> Self:
        """The frames of a slice and the people of the given indices (default: all)."""
        chosen = list(range(self.people)) if people is None else list(people)
        return replace(
            self,
            xyz=_take(self.xyz, frames, chosen),
            confidence=_take(self.confidence, frames, chosen),
            sigma=None if self.sigma is None else _take(self.sigma, frames, chosen),
            reprojection_error=None
            if self.reprojection_error is None
            else _take(self.reprojection_error, frames, chosen),
            keypoints=None if self.keypoints is None else self.keypoints.select(frames, chosen),
            track_ids=tuple(self.track_ids[i] for i in chosen),
            fps=_sliced_fps(self.fps, frames),
        )

    def convert(self, skeleton: str | Skeleton) -> tuple[Self, Conversion]:
        """The same people in another layout, and what of it is measured, estimated or missing.

        Sigma and reprojection error are kept for measured joints and unknown (NaN) for the others.
        """
        change = conversion(self.skeleton, get_skeleton(skeleton))

        def keep_measured(array: np.ndarray | None) -> np.ndarray | None:
            if array is None:
                return None
            kept = np.full((*array.shape[:2], len(change.target)), np.nan, np.float32)
            for joint in change.measured:
                kept[..., change.target.index(joint)] = array[..., change.source.index(joint)]
            return kept

        changed = replace(
            self,
            xyz=change.apply(self.xyz),
            confidence=change.apply_confidence(self.confidence),
            sigma=keep_measured(self.sigma),
            reprojection_error=keep_measured(self.reprojection_error),
            skeleton=change.target,
            provenance=add_step(self.provenance, change.describe()),
        )
        return changed, change

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Write the lift3d HDF5 file. Raises OutputExistsError if it exists and ``overwrite`` is False."""
        import h5py

        with atomic_path(path, overwrite) as temporary, h5py.File(temporary, "w", libver=_LIBRARY_VERSIONS) as file:
            arrays = {"xyz": self.xyz, "confidence": self.confidence}
            arrays |= {"sigma": self.sigma} if self.sigma is not None else {}
            arrays |= {"reprojection_error": self.reprojection_error} if self.reprojection_error is not None else {}
            _write_common(file, self, "poses_3d", arrays)
            _set_text(file["xyz"], "units", "metre")
            _set_text(file, "space", self.space)
            if self.camera is not None:
                _set_text(file, "camera", json.dumps(self.camera.to_dict()))
            if self.keypoints is not None:
                self.keypoints.write_group(file.create_group("keypoints"))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a lift3d HDF5 file. Raises FileFormatError that names the field that is wrong."""
        with _open_hdf5(path, "poses_3d") as group, _naming(path):
            camera = _text(group, "camera")
            return cls(
                xyz=_read_array(group, "xyz", path),
                confidence=_read_array(group, "confidence", path),
                sigma=_read_array(group, "sigma", path) if "sigma" in group else None,
                reprojection_error=(
                    _read_array(group, "reprojection_error", path) if "reprojection_error" in group else None
                ),
                space=_text(group, "space") or "world",
                camera=None if camera is None else Camera.from_dict(_json(camera, path, "camera")),
                keypoints=Keypoints2D.read_group(group["keypoints"], path) if "keypoints" in group else None,
                **_read_common(group, path),
            )

    def to_xarray(self) -> xarray.Dataset:
        """Dataset with the dimensions of the ``movement`` library: time, space, keypoints, individuals."""
        return _to_xarray(self, self.xyz, ["x", "y", "z"], {"units": "metre", "reference_frame": self.space})


def add_step(provenance: dict[str, Any], step: str) -> dict[str, Any]:
    """The provenance with one more step at the end of its list of steps."""
    return {**provenance, "steps": [*provenance.get("steps", []), step]}


def _sliced_fps(fps: float | None, frames: slice) -> float | None:
    return fps if fps is None else fps / abs(frames.step or 1)


# --- the HDF5 file ---------------------------------------------------------------------------------------------------


def _write_common(group: h5py.Group, motion: Keypoints2D | Poses3D, kind: str, arrays: dict[str, Any]) -> None:
    for name, array in arrays.items():
        group.create_dataset(name, data=array, compression="gzip", compression_opts=1, shuffle=True, fletcher32=True)
    skeleton = motion.skeleton
    layout = {"name": skeleton.name, "joints": skeleton.joints, "parents": skeleton.parents, "title": skeleton.title}
    _set_text(group, "format", "lift3d")
    group.attrs["version"] = FORMAT_VERSION
    _set_text(group, "kind", kind)
    _set_text(group, "skeleton", json.dumps(layout))
    group.attrs["track_ids"] = np.asarray(motion.track_ids, dtype=np.int64)
    _set_text(group, "provenance", json.dumps(motion.provenance))
    if motion.fps is not None:
        group.attrs["fps"] = float(motion.fps)


def _read_common(group: h5py.Group, path: str | PathLike[str]) -> dict[str, Any]:
    layout = _json(_text(group, "skeleton") or "", path, "skeleton")
    fps = group.attrs.get("fps")
    try:
        skeleton = Skeleton(
            str(layout["name"]),
            tuple(str(joint) for joint in layout["joints"]),
            tuple(int(parent) for parent in layout["parents"]),
            str(layout.get("title", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(path, f"the joint layout cannot be read ({error!r})", "skeleton") from error
    return {
        "skeleton": skeleton,
        "fps": None if fps is None else float(fps),
        "track_ids": tuple(int(i) for i in np.atleast_1d(group.attrs.get("track_ids", ()))),
        "provenance": dict(_json(_text(group, "provenance") or "{}", path, "provenance")),
    }


def _set_text(group: h5py.Group | h5py.Dataset, name: str, text: str) -> None:
    """A text attribute of fixed length: those of variable length lie in a heap without checksums."""
    import h5py

    data = text.encode()
    group.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def _text(group: h5py.Group, name: str) -> str | None:
    value = group.attrs.get(name)
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)


def stored_kind(path: str | PathLike[str]) -> str | None:
    """What a lift3d HDF5 file holds, "keypoints_2d" or "poses_3d"; None for every other file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _text(file, "kind") if _text(file, "format") == "lift3d" else None
    except _HDF5_ERRORS:
        return None


# What h5py, or the step from damaged values to a container, raises.
_HDF5_ERRORS = (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError, MemoryError)


def _json(text: Any, path: str | PathLike[str], name: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise FileFormatError(path, f"not valid JSON ({error})", name) from error


def _read_array(group: h5py.Group, name: str, path: str | PathLike[str]) -> np.ndarray:
    import h5py

    from lift3d.io.hdf5_files import check_dataset

    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(path, "the data set is missing; was the file cut off while it was written?", name)
    if dataset.dtype.kind != "f" or dataset.ndim not in (3, 4):
        raise FileFormatError(path, f"expected floats with 3 or 4 axes, found {dataset.dtype} {dataset.shape}", name)
    check_dataset(dataset, path, name)
    return np.asarray(dataset[()])


class _open_hdf5:
    """The root group of a lift3d HDF5 file of the given kind; every failure of HDF5 becomes a FileFormatError."""

    def __init__(self, path: str | PathLike[str], kind: str) -> None:
        self.path, self.kind = path, kind

    def __enter__(self) -> h5py.File:
        import h5py

        if not Path(self.path).is_file():
            raise FileFormatError(self.path, "there is no such file")
        try:
            self.file = h5py.File(self.path, "r")
        except _HDF5_ERRORS as error:
            raise FileFormatError(self.path, f"not a readable HDF5 file ({error})") from error
        try:
            kind = _text(self.file, "kind") if _text(self.file, "format") == "lift3d" else None
            if kind != self.kind:
                found = f"lift3d {kind}" if kind in ("keypoints_2d", "poses_3d") else "an HDF5 file of another program"
                raise FileFormatError(self.path, f"expected lift3d {self.kind}, found {found}", "kind")
        except _HDF5_ERRORS as error:
            self.file.close()
            raise FileFormatError(self.path, f"damaged ({error})", "kind") from error
        except FileFormatError:
            self.file.close()
            raise
        return self.file

    def __exit__(self, *_: object) -> None:
        self.file.close()


class _naming:
    """Turns what a damaged file makes h5py or a container raise into a FileFormatError that names the file."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (SkeletonError, *_HDF5_ERRORS)):
            raise FileFormatError(self.path, str(error)) from error


def _to_xarray(
    motion: Keypoints2D | Poses3D, points: np.ndarray, space: list[str], attributes: dict[str, Any]
) -> xarray.Dataset:
    try:
        import xarray
    except ImportError as error:
        raise MissingDependencyError("to_xarray needs xarray: pip install 'lift3d[export]'") from error
    per_joint = ("time", "keypoints", "individuals")
    arrays = {
        "position": (("time", "space", "keypoints", "individuals"), points.transpose(0, 3, 2, 1)),
        "confidence": (per_joint, motion.confidence.transpose(0, 2, 1)),
    }
    for name in ("sigma", "reprojection_error"):
        if (array := getattr(motion, name, None)) is not None:
            arrays[name] = (per_joint, array.transpose(0, 2, 1))
    frames = np.arange(motion.frames)
    return xarray.Dataset(
        arrays,
        coords={
            "time": frames if motion.fps is None else frames / motion.fps,
            "space": space,
            "keypoints": list(motion.skeleton.joints),
            "individuals": [f"id_{i}" for i in motion.track_ids],
        },
        attrs={
            "ds_type": "poses",
            "source_software": "lift3d",
            "time_unit": "frames" if motion.fps is None else "seconds",
            # As in movement, an unknown rate is left out: netCDF cannot hold None.
            **({} if motion.fps is None else {"fps": motion.fps}),
            **attributes,
        },
    )
