"""What every reader of a data set checks before it hands a recording on."""

from __future__ import annotations

from os import PathLike

import numpy as np

from lift3d.datasets.recordings import View
from lift3d.errors import FileFormatError
from lift3d.geometry.cameras import Camera
from lift3d.skeletons import Skeleton

# Frames of a recording that are projected to see whether its cameras fit: enough for a median.
CHECKED_FRAMES = 100


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


def check_projection(
    view: View,
    skeleton_2d: Skeleton,
    xyz: np.ndarray,
    skeleton_3d: Skeleton,
    limit: float,
    path: str | PathLike[str],
    field: str,
) -> None:
    """Raises FileFormatError if the camera of a view does not put the 3D where the view's 2D are.

    Args:
        view: the view; joints that both layouts name and that are there in both are compared.
        skeleton_2d, skeleton_3d: the layouts of the view and of ``xyz``.
        xyz: (frames, joints, 3) metres in the recording's space.
        limit: largest median distance in pixels that is taken for right.
        path, field: where the 2D come from, for the message.
    """
    common = [joint for joint in skeleton_2d.joints if joint in skeleton_3d.joints]
    frames = np.unique(np.linspace(0, len(xyz) - 1, min(len(xyz), CHECKED_FRAMES)).astype(int))
    projected = view.camera.project(xyz[frames][:, [skeleton_3d.index(joint) for joint in common]])
    seen = view.xy[frames][:, [skeleton_2d.index(joint) for joint in common]]
    distance = np.linalg.norm(projected - seen, axis=-1)
    there = np.isfinite(seen).all(axis=-1) & np.isfinite(xyz[frames]).all(axis=(1, 2))[:, None]
    if not there.any():
        return
    # A joint behind the camera cannot have been seen: it counts as far away.
    median = float(np.median(np.nan_to_num(distance[there], nan=np.inf)))
    if median > limit:
        apart = "behind it" if np.isinf(median) else f"{median:.0f} pixels away"
        raise FileFormatError(
            path,
            f"the camera {view.camera.name!r} does not project the 3D onto these 2D: half of the joints are {apart} "
            f"or more, where {limit:g} pixels were expected; are the cameras those of this subject and in this order?",
            field,
        )
