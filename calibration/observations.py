"""What cameras saw of a board, moment by moment, and its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import Any, Self

import numpy as np

from lift3d.calibration.boards import Board, BoardError
from lift3d.errors import FileFormatError, ShapeError
from lift3d.geometry.rigs import natural_key
from lift3d.io.hdf5_files import read_dataset, texts
from lift3d.io.motion_file import create_motion_file, open_motion_file, read_json, write_text

KIND = "board_observations"


@dataclass(frozen=True, eq=False)
class Observations:
    """The corners of a board in the images of one or more cameras.

    Attributes:
        board: the board.
        cameras: the cameras' names, in natural order.
        image_sizes: (width, height) of each camera's images, pixels.
        xy: (cameras, frames, corners, 2) float64 pixels, pixel centres at whole numbers; NaN where not seen.
        frames: a label for each moment; all cameras saw the board at the same place in one moment.
        images: number of images that were looked at of each camera.

    Raises:
        ShapeError: a shape, a name or an infinite value breaks this contract.
    """

    board: Board
    cameras: tuple[str, ...]
    image_sizes: tuple[tuple[int, int], ...]
    xy: np.ndarray
    frames: tuple[str, ...]
    images: tuple[int, ...]

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        xy = np.asarray(self.xy, dtype=np.float64)
        expected = (len(self.cameras), len(self.frames), len(self.board.points), 2)
        if xy.shape != expected:
            raise ShapeError(f"xy must be (cameras, frames, corners, 2) = {expected}, not {xy.shape}")
        if np.isinf(xy).any():
            raise ShapeError("xy holds infinite values; a corner that is not seen is NaN")
        if len(set(self.cameras)) != len(self.cameras):
            twice = sorted({name for name in self.cameras if self.cameras.count(name) > 1})
            raise ShapeError(f"two cameras have the same name: {', '.join(twice)}")
        if len(self.image_sizes) != len(self.cameras) or len(self.images) != len(self.cameras):
            raise ShapeError("image_sizes and images must hold one entry for each camera")
        sizes = tuple((int(width), int(height)) for width, height in self.image_sizes)
        if min((side for size in sizes for side in size), default=1) < 1:
            raise ShapeError(f"image_sizes must be (width, height) in pixels, not {self.image_sizes}")
        # One meaning of "not seen": both coordinates NaN.
        seen = np.asarray(np.isfinite(xy).all(axis=-1))
        xy = np.where(seen[..., None], xy, np.nan)
        order = sorted(range(len(self.cameras)), key=lambda index: natural_key(self.cameras[index]))
        if order != list(range(len(order))):
            xy = xy[order]
        set_field(self, "xy", xy)
        set_field(self, "cameras", tuple(str(self.cameras[index]) for index in order))
        set_field(self, "image_sizes", tuple(sizes[index] for index in order))
        set_field(self, "images", tuple(int(self.images[index]) for index in order))
        set_field(self, "frames", tuple(map(str, self.frames)))

    @cached_property
    def seen(self) -> np.ndarray:
        """(cameras, frames, corners) bool: which corners were seen."""
        return np.asarray(np.isfinite(self.xy).all(axis=-1))

    def select(self, frames: slice | Sequence[int] | np.ndarray) -> Self:
        """The moments of a slice, of indices, or of a boolean mask."""
        every = np.arange(len(self.frames))
        chosen = every[frames] if isinstance(frames, slice) else every[np.asarray(frames)] if len(frames) else every[:0]
        return replace(self, xy=self.xy[:, chosen], frames=tuple(self.frames[index] for index in chosen))

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Write an HDF5 file. Raises OutputExistsError if it exists and ``overwrite`` is False."""
        with create_motion_file(path, overwrite) as file:
            write_text(file, "format", "lift3d")
            write_text(file, "kind", KIND)
            file.attrs["version"] = 1
            write_text(file, "board", json.dumps(self.board.to_dict()))
            write_text(file, "cameras", json.dumps(self.cameras))
            file.attrs["image_sizes"] = np.array(self.image_sizes, dtype=np.int64).reshape(-1, 2)
            file.attrs["images"] = np.array(self.images, dtype=np.int64)
            packed = {"compression": "gzip", "shuffle": True, "fletcher32": True}
            whole = self.xy.size == 0  # HDF5 has no chunks of nothing
            file.create_dataset("xy", data=self.xy, **({} if whole else packed))
            write_text(file["xy"], "units", "pixel")
            labels = np.array([label.encode() for label in self.frames], dtype=np.bytes_)
            file.create_dataset("frames", data=labels, **({} if whole else packed))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read the file of ``save``. Raises FileFormatError that names the field that is wrong."""
        with open_motion_file(path, KIND) as file:
            try:
                board = Board.from_dict(dict(read_json(file, "board", path)))
            except BoardError as error:
                raise FileFormatError(path, str(error), "board") from error
            xy = read_dataset(file, "xy", path)
            if xy.dtype.kind != "f":
                raise FileFormatError(path, f"expected floats, found {xy.dtype}", "xy")
            return cls(
                board=board,
                cameras=tuple(map(str, read_json(file, "cameras", path))),
                image_sizes=tuple((int(width), int(height)) for width, height in file.attrs["image_sizes"]),
                xy=xy,
                frames=tuple(texts(read_dataset(file, "frames", path))),
                images=tuple(int(count) for count in file.attrs["images"]),
            )


def merge(first: Observations, second: Observations) -> Observations:
    """Two recordings of one board, one after the other in time; cameras are matched by name.

    A camera that took no part in one of them saw nothing in it. Labels that both have are told apart.

    Raises:
        BoardError: the boards differ.
        ShapeError: a camera's image sizes differ.
    """
    if first.board != second.board:
        raise BoardError(f"the recordings show two boards: {first.board.describe()}, and {second.board.describe()}")
    cameras = sorted({*first.cameras, *second.cameras}, key=natural_key)
    sizes: dict[str, tuple[int, int]] = {}
    for part in (first, second):
        for name, size in zip(part.cameras, part.image_sizes, strict=True):
            if sizes.setdefault(name, size) != size:
                a, b = ("{}x{}".format(*each) for each in (sizes[name], size))
                raise ShapeError(f"camera {name!r} has images of {a} pixels in one recording and of {b} in the other")

    def widened(part: Observations) -> np.ndarray:
        xy = np.full((len(cameras), *part.xy.shape[1:]), np.nan)
        xy[[cameras.index(name) for name in part.cameras]] = part.xy
        return xy

    def looked(part: Observations) -> dict[str, Any]:
        return dict(zip(part.cameras, part.images, strict=True))

    shared = set(first.frames) & set(second.frames)
    labels = [
        f"{number}:{label}" if shared else label
        for number, part in enumerate((first, second), start=1)
        for label in part.frames
    ]
    return Observations(
        board=first.board,
        cameras=tuple(cameras),
        image_sizes=tuple(sizes[name] for name in cameras),
        xy=np.concatenate([widened(first), widened(second)], axis=1),
        frames=tuple(labels),
        images=tuple(looked(first).get(name, 0) + looked(second).get(name, 0) for name in cameras),
    )
