"""Motion as a labelled data set of xarray, in the dimension names of the ``movement`` library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.errors import MissingDependencyError

if TYPE_CHECKING:
    import xarray

    from lift3d.poses import Keypoints2D, Poses3D


def labelled_arrays(
    motion: Keypoints2D | Poses3D, points: np.ndarray, space: list[str], attributes: dict[str, Any]
) -> xarray.Dataset:
    """The data set that ``to_xarray`` of both containers gives.

    Args:
        motion: the container.
        points: (frames, people, joints, d) its coordinates.
        space: the names of the d axes.
        attributes: what the data set says of itself beside its rate.

    Raises:
        MissingDependencyError: xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise MissingDependencyError("to_xarray needs xarray: pip install 'lift3d[export]'") from error
    per_joint = ("time", "keypoints", "individuals")
    arrays = {
        "position": (("time", "space", "keypoints", "individuals"), points.transpose(0, 3, 2, 1)),
        "confidence": (per_joint, motion.confidence.transpose(0, 2, 1)),
    }
    space_2 = {}
    known = motion.per_joint() if hasattr(motion, "per_joint") else {}
    for name, array in known.items():
        if name == "covariance":
            arrays[name] = (("time", "space", "space_2", "keypoints", "individuals"), array.transpose(0, 3, 4, 2, 1))
            space_2 = {"space_2": space}
        else:
            arrays[name] = (per_joint, array.transpose(0, 2, 1))
    frames = np.arange(motion.frames)
    return xarray.Dataset(
        arrays,
        coords={
            "time": frames if motion.fps is None else frames / motion.fps,
            "space": space,
            **space_2,
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
