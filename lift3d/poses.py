"""The two containers that travel through lift3d, ``Keypoints2D`` and ``Poses3D``, and their HDF5 file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lift3d.errors import ShapeError
from lift3d.geometry.cameras import Camera
from lift3d.io.labelled_arrays import labelled_arrays
from lift3d.io.motion_file import (
    create_motion_file,
    open_array,
    open_motion_file,
    read_frames,
    read_json,
    read_motion,
    read_text,
    write_motion,
    write_text,
)
from lift3d.skeletons import Conversion, Skeleton, conversion, get_skeleton

if TYPE_CHECKING:
    import h5py
    import xarray

SPACES = ("camera", "world")
# Where a joint of ``Poses3D`` comes from; ``Poses3D.source`` holds the index.
SOURCES = ("missing", "measured", "interpolated", "lifted", "derived")
# What is known of each joint beside its place and confidence, where it is known.
PER_JOINT = ("sigma", "reprojection_error", "covariance", "cameras_used", "source")


class _Motion:
    """What 2D and 3D motion share."""

    confidence: np.ndarray
    skeleton: Skeleton
    fps: float | None
    track_ids: tuple[int, ...]

    @property
    def frames(self) -> int:
        return int(self.confidence.shape[0])

    @property
    def people(self) -> int:
        return int(self.confidence.shape[1])

    def _settle(self, name: str, dimensions: int) -> None:
        """Check the fields that all motion has, ``name`` being the one with the coordinates, and fill in defaults."""
        set_field = object.__setattr__
        points = _float32(getattr(self, name))
        if points.ndim != 4 or points.shape[-1] != dimensions:
            raise ShapeError(f"{name} must be (frames, people, joints, {dimensions}), not {points.shape}")
        if self.skeleton is None:
            raise ShapeError("skeleton must be given: a layout's name (lift3d.skeletons) or a Skeleton")
        set_field(self, "skeleton", get_skeleton(self.skeleton))
        if points.shape[2] != len(self.skeleton):
            raise ShapeError(
                f"{name} has {points.shape[2]} joints, but skeleton {self.skeleton.name!r} has {len(self.skeleton)}"
            )
        if np.isinf(points).any():
            raise ShapeError(f"{name} holds infinite values; a missing joint is NaN")
        if self.fps is not None and not (np.isfinite(self.fps) and self.fps > 0):
            raise ShapeError(f"fps must be a positive number or None, not {self.fps}")
        people = points.shape[1]
        set_field(self, "track_ids", tuple(range(people) if self.track_ids is None else map(int, self.track_ids)))
        if len(self.track_ids) != people or len(set(self.track_ids)) != people:
            raise ShapeError(f"track_ids must be {people} different numbers, one a person, not {self.track_ids}")
        # One meaning of "missing": all coordinates NaN and confidence 0.
        seen = np.isfinite(points).all(axis=-1)
        set_field(self, name, points if seen.all() else np.where(seen[..., None], points, np.float32(np.nan)))
        confidence = seen.astype(np.float32) if self.confidence is None else _float32(self.confidence)
        _check_per_joint(confidence, "confidence", seen.shape, upper=1)
        set_field(self, "confidence", np.where(seen & np.isfinite(confidence), confidence, np.float32(0)))


def _check_per_joint(array: np.ndarray, name: str, shape: tuple[int, ...], upper: float | None = None) -> None:
    """Raises ShapeError if the array is not one number a joint, from 0 to ``upper``; NaN is allowed."""
    if array.shape != shape:
        raise ShapeError(f"{name} must be (frames, people, joints) = {shape}, not {array.shape}")
    known = array[np.isfinite(array)]
    if np.isinf(array).any() or (known < 0).any() or (upper is not None and (known > upper).any()):
        limit = f"between 0 and {upper:g}" if upper is not None else "0 or more"
        raise ShapeError(f"{name} must be {limit}")


def _float32(array: Any) -> np.ndarray:
    return np.asarray(array, dtype=np.float32)


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
        self._settle("xy", 2)
        if self.image_size is not None:
            width, height = (int(side) for side in self.image_size)
            if width <= 0 or height <= 0:
                raise ShapeError(f"image_size must be (width, height) in pixels, not {self.image_size}")
            object.__setattr__(self, "image_size", (width, height))

    def select(self, frames: slice = slice(None), people: Sequence[int] | None = None) -> Self:
        """The frames of a slice and the people of the given indices (default: all)."""
        chosen = list(range(self.people)) if people is None else list(people)
        return replace(
            self,
            xy=_take(self.xy, frames, chosen),
            confidence=_take(self.confidence, frames, chosen),
            track_ids=tuple(self.track_ids[i] for i in chosen),
            fps=sliced_fps(self.fps, frames),
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
        with create_motion_file(path, overwrite) as file:
            self.write_group(file)

    def write_group(self, group: h5py.Group) -> None:
        """Write the container into an open HDF5 group."""
        write_motion(group, "keypoints_2d", self, {"xy": self.xy, "confidence": self.confidence})
        write_text(group["xy"], "units", "pixel")
        if self.image_size is not None:
            group.attrs["image_size"] = self.image_size

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a lift3d HDF5 file. Raises FileFormatError that names the field that is wrong."""
        with open_motion_file(path, "keypoints_2d") as file:
            return cls.read_group(file, path)

    @classmethod
    def read_group(cls, group: h5py.Group, path: str | PathLike[str], frames: slice = slice(None)) -> Self:
        """Read the container from a group of the file ``path``, which ``open_motion_file`` has opened."""
        size = group.attrs.get("image_size")
        return cls(
            xy=read_frames(open_array(group, "xy", path), path, frames),
            image_size=None if size is None else (int(size[0]), int(size[1])),
            **read_motion(group, path, frames),
        )

    def to_xarray(self) -> xarray.Dataset:
        """Dataset with the dimensions of the ``movement`` library: time, space, keypoints, individuals."""
        return labelled_arrays(self, self.xy, ["x", "y"], {"units": "pixel"})


@dataclass(frozen=True, eq=False)
class Poses3D(_Motion):
    """3D poses of people over time.

    Attributes:
        xyz: (frames, people, joints, 3) float32, metres; NaN where a joint is missing.
        confidence: (frames, people, joints) float32 in 0..1; 0 where a joint is missing.
        sigma: (frames, people, joints) float32, metres, one standard deviation, None where unknown.
        reprojection_error: (frames, people, joints) float32, pixels, NaN where there is no 2D; None where unknown.
        covariance: (frames, people, joints, 3, 3) float32, square metres, NaN where unknown; None where unknown.
        cameras_used: (frames, people, joints) uint8, how many cameras the joint was triangulated from; None if it was
            not.
        source: (frames, people, joints) uint8, where the joint comes from, an index of ``SOURCES``: triangulated or
            lifted from 2D in this very frame is "measured"; "lifted" is what a monocular lifter filled in among
            triangulated joints. None where no joint differs from the others.
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
    covariance: np.ndarray | None = None
    cameras_used: np.ndarray | None = None
    source: np.ndarray | None = None
    camera: Camera | None = None
    keypoints: Keypoints2D | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._settle("xyz", 3)
        if self.space not in SPACES:
            raise ShapeError(f"space must be one of {SPACES}, not {self.space!r}")
        for name in ("sigma", "reprojection_error"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, _float32(array))
                _check_per_joint(getattr(self, name), name, self.xyz.shape[:3])
        if self.covariance is not None:
            object.__setattr__(self, "covariance", _float32(self.covariance))
            if self.covariance.shape != (*self.xyz.shape, 3):
                raise ShapeError(f"covariance must be {(*self.xyz.shape, 3)}, not {self.covariance.shape}")
        for name, limit in (("cameras_used", 255), ("source", len(SOURCES) - 1)):
            if (array := getattr(self, name)) is not None:
                _check_per_joint(np.asarray(array, dtype=np.float32), name, self.xyz.shape[:3], upper=limit)
                object.__setattr__(self, name, np.nan_to_num(array).astype(np.uint8))
        if self.keypoints is not None and self.keypoints.xy.shape[:2] != self.xyz.shape[:2]:
            raise ShapeError(
                f"keypoints hold (frames, people) = {self.keypoints.xy.shape[:2]}, the poses {self.xyz.shape[:2]}"
            )

    def select(self, frames: slice = slice(None), people: Sequence[int] | None = None) -> Self:
        """The frames of a slice and the people of the given indices (default: all)."""
        chosen = list(range(self.people)) if people is None else list(people)
        known: dict[str, Any] = {name: _take(array, frames, chosen) for name, array in self.per_joint().items()}
        return replace(
            self,
            xyz=_take(self.xyz, frames, chosen),
            confidence=_take(self.confidence, frames, chosen),
            **known,
            keypoints=None if self.keypoints is None else self.keypoints.select(frames, chosen),
            track_ids=tuple(self.track_ids[i] for i in chosen),
            fps=sliced_fps(self.fps, frames),
        )

    def convert(self, skeleton: str | Skeleton) -> tuple[Self, Conversion]:
        """The same people in another layout, and what of it is measured, estimated or missing.

        What is known of a joint is kept for joints that both layouts have. For the others it is unknown (NaN), no
        camera saw them, and where they can be placed their source is "derived".
        """
        change = conversion(self.skeleton, get_skeleton(skeleton))
        xyz = change.apply(self.xyz)

        def keep_measured(name: str, array: np.ndarray) -> np.ndarray:
            unknown = 0 if array.dtype == np.uint8 else np.nan
            kept = np.full((*array.shape[:2], len(change.target), *array.shape[3:]), unknown, array.dtype)
            if name == "source":
                kept[np.isfinite(xyz).all(axis=-1)] = SOURCES.index("derived")
            for joint in change.measured:
                kept[:, :, change.target.index(joint)] = array[:, :, change.source.index(joint)]
            return kept

        known: dict[str, Any] = {name: keep_measured(name, array) for name, array in self.per_joint().items()}
        changed = replace(
            self,
            xyz=xyz,
            confidence=change.apply_confidence(self.confidence),
            **known,
            skeleton=change.target,
            provenance=add_step(self.provenance, change.describe()),
        )
        return changed, change

    def has(self, name: str) -> bool:
        """Whether an attribute that may be None is known: one of ``PER_JOINT``, "camera", "keypoints"."""
        return getattr(self, name) is not None

    def __enter__(self) -> Self:
        """Poses in memory need no closing; so they may stand in a ``with`` wherever ``StoredPoses`` may."""
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def per_joint(self) -> dict[str, Any]:
        """The arrays of ``PER_JOINT`` that are known, by name."""
        return {name: array for name in PER_JOINT if (array := getattr(self, name)) is not None}

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Write the lift3d HDF5 file. Raises OutputExistsError if it exists and ``overwrite`` is False."""
        arrays = {"xyz": self.xyz, "confidence": self.confidence, **self.per_joint()}
        with create_motion_file(path, overwrite) as file:
            write_motion(file, "poses_3d", self, arrays)
            write_text(file["xyz"], "units", "metre")
            write_text(file, "space", self.space)
            if self.camera is not None:
                write_text(file, "camera", json.dumps(self.camera.to_dict()))
            if self.keypoints is not None:
                self.keypoints.write_group(file.create_group("keypoints"))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a lift3d HDF5 file. Raises FileFormatError that names the field that is wrong."""
        with open_motion_file(path, "poses_3d") as file:
            return cls.read_group(file, path)

    @classmethod
    def read_group(cls, group: h5py.Group, path: str | PathLike[str], frames: slice = slice(None)) -> Self:
        """Read the container from a group of the file ``path``, which ``open_motion_file`` has opened."""
        known: dict[str, Any] = {
            name: read_frames(open_array(group, name, path), path, frames) for name in PER_JOINT if name in group
        }
        return cls(
            xyz=read_frames(open_array(group, "xyz", path), path, frames),
            **known,
            space=read_text(group, "space") or "world",
            camera=Camera.from_dict(read_json(group, "camera", path)) if "camera" in group.attrs else None,
            keypoints=Keypoints2D.read_group(group["keypoints"], path, frames) if "keypoints" in group else None,
            **read_motion(group, path, frames),
        )

    def to_xarray(self) -> xarray.Dataset:
        """Dataset with the dimensions of the ``movement`` library: time, space, keypoints, individuals."""
        return labelled_arrays(self, self.xyz, ["x", "y", "z"], {"units": "metre", "reference_frame": self.space})


def add_step(provenance: dict[str, Any], step: str) -> dict[str, Any]:
    """The provenance with one more step at the end of its list of steps."""
    return {**provenance, "steps": [*provenance.get("steps", []), step]}


def sliced_fps(fps: float | None, frames: slice) -> float | None:
    """The frame rate of a slice of frames: every other frame of 60 fps is 30 fps."""
    return fps if fps is None else fps / abs(frames.step or 1)
