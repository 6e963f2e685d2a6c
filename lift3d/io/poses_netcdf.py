"""3D poses as NetCDF, the data set of the ``movement`` library as xarray writes it.

Dimensions ``time, space, keypoints, individuals``; variables ``position`` and ``confidence`` and, where known,
``sigma``, ``covariance``, ``reprojection_error``, ``cameras_used`` and ``source`` (see ``Poses3D.to_xarray``).
Attributes beside those of movement: ``units`` and ``reference_frame`` ("world", Z up, or "camera"), and as JSON texts
``skeleton``, ``camera`` and ``provenance``, so that the poses come back whole but for their 2D keypoints.

Files that ``movement`` itself saved are read too: 3D positions, in the unit that ``units`` names.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import FileFormatError, MissingDependencyError, ShapeError
from lift3d.io.files import atomic_path
from lift3d.io.hdf5_files import check_dataset, hdf5_errors, open_hdf5
from lift3d.io.poses_record import from_record, layout_of, to_record
from lift3d.poses import PER_JOINT, Poses3D

if TYPE_CHECKING:
    import xarray

DIMENSIONS = ("time", "individuals", "keypoints", "space", "space_2")
UNITS = {"metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "m": 1.0, "cm": 0.01, "mm": 0.001}
JSON_FIELDS = ("skeleton", "camera", "provenance")


def write_netcdf(poses: Poses3D, path: Path, overwrite: bool = False) -> None:
    """Write the poses as NetCDF 4.

    Raises:
        MissingDependencyError: xarray or h5netcdf is not installed.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: there are no frames or no people; in NetCDF an empty dimension is one that may grow.
    """
    _require_libraries()
    if not poses.frames or not poses.people:
        raise ShapeError(f"{poses.frames} frames of {poses.people} people make no data set")
    dataset = poses.to_xarray()
    record = to_record(poses)
    dataset.attrs |= {name: json.dumps(record[name]) for name in JSON_FIELDS if record[name] is not None}
    packed = {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}
    with atomic_path(path, overwrite) as temporary:
        dataset.to_netcdf(
            temporary, engine="h5netcdf", encoding={str(name): dict(packed) for name in dataset.data_vars}
        )


def read_netcdf(path: Path) -> Poses3D:
    """Read the poses of a NetCDF file.

    Raises:
        MissingDependencyError: xarray or h5netcdf is not installed.
        FileFormatError: no NetCDF 4, cut off, damaged, or not a data set of 3D poses; the message names the variable.
    """
    _require_libraries()
    import h5py
    import xarray

    with open_hdf5(path) as file:
        for name, dataset in file.items():
            if isinstance(dataset, h5py.Dataset):
                check_dataset(dataset, path, name)
    with hdf5_errors(path), xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
        return _from_dataset(dataset, path)


def _from_dataset(dataset: xarray.Dataset, path: Path) -> Poses3D:
    position = _array(dataset, "position", path)
    if list(dataset.coords["space"].values) != ["x", "y", "z"]:
        raise FileFormatError(path, f"holds {dataset.sizes['space']}D points; 3D poses have x, y, z", "space")
    attributes = dict(dataset.attrs)
    joints = [str(name) for name in dataset.coords["keypoints"].values]
    people = [str(name) for name in dataset.coords["individuals"].values]
    record: dict[str, Any] = {name: json.loads(attributes[name]) for name in JSON_FIELDS if name in attributes}
    steps = []
    unit = str(attributes.get("units", ""))
    if unit not in UNITS:
        steps.append(f"the unit {unit!r} is unknown, taken as metres" if unit else "names no unit, taken as metres")
    if record.get("skeleton", {}).get("joints") != joints:
        record["skeleton"] = layout_of(joints).to_dict()
    numbered = [re.fullmatch(r"id_(\d{1,18})", name) for name in people]
    record["track_ids"] = [int(match[1]) for match in numbered if match] if all(numbered) else None
    if "provenance" not in record:
        names = {} if all(numbered) else {"track_names": people}
        record["provenance"] = {"source": str(path), "format": "NetCDF", **names, "steps": steps}
    record["fps"] = attributes.get("fps", _rate(dataset))
    record["space"] = attributes.get("reference_frame", "world")
    arrays = {name: _array(dataset, name, path) for name in ("confidence", *PER_JOINT) if name in dataset.data_vars}
    if "confidence" in arrays and np.isnan(arrays["confidence"]).all():
        del arrays["confidence"]  # movement's way to say that there is none
    return from_record(record, {"xyz": position * UNITS.get(unit, 1.0), **arrays}, path)


def _array(dataset: xarray.Dataset, name: str, path: Path) -> np.ndarray:
    """A variable with its axes in the order of ``Poses3D``."""
    if name not in dataset.data_vars:
        raise FileFormatError(path, "the variable is missing; is this a data set of movement's poses?", name)
    variable = dataset[name]
    needed = DIMENSIONS[: {"position": 4, "covariance": 5}.get(name, 3)]
    if variable.dtype.kind not in "fiu" or set(variable.dims) != set(needed):
        found = f"{variable.dtype} over {', '.join(map(str, variable.dims))}"
        raise FileFormatError(path, f"expected numbers over {', '.join(needed)}, found {found}", name)
    return np.asarray(variable.transpose(*needed).values)


def _rate(dataset: xarray.Dataset) -> float | None:
    """Frames per second by the times; None if they count frames or are too few."""
    times = np.asarray(dataset.coords["time"].values, dtype=np.float64)
    if dataset.attrs.get("time_unit") != "seconds" or len(times) < 2 or not times[-1] > times[0]:
        return None
    return round(float((len(times) - 1) / (times[-1] - times[0])), 9)


def _require_libraries() -> None:
    if any(find_spec(name) is None for name in ("xarray", "h5netcdf")):
        raise MissingDependencyError("NetCDF needs xarray and h5netcdf: pip install 'lift3d[export]'")
