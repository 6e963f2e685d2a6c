"""What every reader of a data set checks before it hands a recording on."""

from __future__ import annotations

from os import PathLike

import numpy as np

from lift3d.datasets.recordings import View
from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera


def check_targets(xyz: np.ndarray, path: str | PathLike[str], field: str) -> None:
    """Raises FileFormatError if positions (frames, joints, 3) have no frame or are not all finite."""
    if not len(xyz):
        raise FileFormatError(path, "the action has no frames; was the file cut off while it was made?", field)
    finite = np.isfinite(xyz).all(axis=(1, 2))
    if not finite.all():
        raise FileFormatError(
            path,
            f"{np.count_nonzero(~finite)} of {len(xyz)} frames have 3D targets that are not numbers, the first is "
            f"frame {int(np.argmin(finite))}; make the file anew from the original data set",
            field,
        )


def make_view(camera: Camera, xy: np.ndarray, confidence: np.ndarray | None = None) -> View:
    """A view of pixels (frames, joints, 2): NaN in both coordinates and confidence 0 where one of them is missing.

    Args:
        camera: the camera.
        xy: (frames, joints, 2) pixels; what is not finite is missing.
        confidence: (frames, joints), clipped to 0..1; 1 where a joint is there if None.
    """
    seen = np.isfinite(xy).all(axis=-1)
    if confidence is None:
        confidence = np.ones(xy.shape[:-1])
    confidence = np.where(seen, np.clip(np.nan_to_num(confidence), 0, 1), 0)
    return View(camera, np.where(seen[..., None], xy, np.nan).astype(np.float32), confidence.astype(np.float32))
