"""Whether the cameras of a recording put its poses where its keypoints are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lift3d.datasets.recordings import DataSetInfo, Recording, View
from lift3d.errors import FileFormatError
from lift3d.skeletons import get_skeleton

# Frames that are compared of each view, spread evenly: enough for a median.
FRAMES = 100
LEAST_JOINTS = 3
# The median distance between projected and given keypoints, as a share of the body's size in the image. Projections
# are exact up to rounding. Detectors err by 1 to 3 % and put hips and knees some percent off the joints of motion
# capture. Cameras of another recording, another order or another unit are off by half a body or more.
TRUTH_LIMIT = 0.02
DETECTION_LIMIT = 0.12


def check_projections(recording: Recording, info: DataSetInfo, source: Path) -> dict[str, tuple[float, float]]:
    """Compare the projected poses of a recording with the keypoints of each of its views.

    Joints that both layouts name are compared, in frames in which both are there. The size of the body is the diagonal
    of the box around those joints in the image.

    Returns:
        For each camera name the median distance in pixels, and as a share of the body's size; views with fewer than
        three joints to compare are left out.

    Raises:
        FileFormatError: a camera does not project the poses onto the keypoints; names recording and camera.
    """
    skeleton_3d, skeleton_2d = get_skeleton(info.skeleton_3d), get_skeleton(info.skeleton_2d)
    common = [joint for joint in skeleton_2d.joints if joint in skeleton_3d.joints]
    joints_3d, joints_2d = ([skeleton.index(joint) for joint in common] for skeleton in (skeleton_3d, skeleton_2d))
    exact = "ground truth" in info.keypoints.lower()
    limit = TRUTH_LIMIT if exact else DETECTION_LIMIT
    found = {}
    for view in recording.views:
        errors = _errors(recording.xyz, view, joints_3d, joints_2d)
        if errors is None:
            continue
        pixels, share = errors
        if share > limit:
            apart = (
                f"{pixels:.0f} pixels ({share:.0%} of the body's size) apart, where at most {limit:.0%} are expected"
                if np.isfinite(share)
                else "behind the camera"
            )
            raise FileFormatError(
                source,
                f"cameras do not project onto the 2D: half of the joints are {apart}; are the cameras those of this "
                "recording, and in this order?",
                f"{recording.name}, camera {view.camera.name}",
            )
        found[view.camera.name] = errors
    return found


def _errors(xyz: np.ndarray, view: View, joints_3d: list[int], joints_2d: list[int]) -> tuple[float, float] | None:
    """Median distance in pixels and as a share of the body's size; None where there are too few joints."""
    points, seen = xyz[:, joints_3d], view.xy[:, joints_2d]
    both = np.isfinite(points).all(-1) & np.isfinite(seen).all(-1)
    usable = np.flatnonzero(both.sum(1) >= LEAST_JOINTS)
    if not usable.size:
        return None
    frames = usable[np.unique(np.linspace(0, usable.size - 1, min(usable.size, FRAMES)).astype(int))]
    points, seen, both = points[frames], seen[frames], both[frames]
    # A joint behind the camera cannot have been seen: it counts as infinitely far away.
    distance = np.linalg.norm(view.camera.project(points) - seen, axis=-1)
    distance = np.where(both & np.isnan(distance), np.inf, distance)
    boxed = np.where(both[..., None], seen, np.nan)
    size = np.linalg.norm(np.nanmax(boxed, axis=1) - np.nanmin(boxed, axis=1), axis=-1)[:, None]
    share = distance / np.maximum(size, 1e-6)
    return float(np.median(distance[both])), float(np.median(share[both]))
