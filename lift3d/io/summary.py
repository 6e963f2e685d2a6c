"""What a recording of 2D keypoints holds, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lift3d.poses import Keypoints2D


def summarize(keypoints: Keypoints2D) -> dict[str, Any]:
    """The content of a recording as JSON values.

    Args:
        keypoints: the recording.

    Returns:
        ``frames``, ``fps``, ``seconds``, ``people``, ``skeleton`` and ``joints``, ``image_size``, ``missing`` (share of
        the frames of a person's span in which each joint is not seen), ``tracks`` (first and last frame, frames seen
        and mean confidence of each person), ``confidence`` (mean, median and the 5 % quantile of seen keypoints),
        ``extent`` (smallest and largest x and y, pixels) and ``provenance``.
    """
    seen = np.isfinite(keypoints.xy).all(axis=-1)
    present = seen.any(axis=2)
    tracks = []
    inside = np.zeros_like(present)
    for person, track in enumerate(keypoints.track_ids):
        frames = np.flatnonzero(present[:, person])
        if frames.size:
            inside[frames[0] : frames[-1] + 1, person] = True
        sure = keypoints.confidence[:, person][seen[:, person]]
        tracks.append(
            {
                "id": track,
                "first": int(frames[0]) if frames.size else None,
                "last": int(frames[-1]) if frames.size else None,
                "frames_seen": int(frames.size),
                "confidence": _rounded(sure.mean()) if sure.size else None,
            }
        )
    span = max(int(inside.sum()), 1)
    missing = 1 - (seen & inside[..., None]).sum(axis=(0, 1)) / span
    sure = keypoints.confidence[seen]
    points = keypoints.xy[seen]
    return {
        "frames": keypoints.frames,
        "fps": keypoints.fps,
        "seconds": None if keypoints.fps is None else _rounded(keypoints.frames / keypoints.fps),
        "people": keypoints.people,
        "skeleton": keypoints.skeleton.name,
        "skeleton_title": keypoints.skeleton.title,
        "joints": list(keypoints.skeleton.joints),
        "image_size": None if keypoints.image_size is None else list(keypoints.image_size),
        "missing": {joint: _rounded(share) for joint, share in zip(keypoints.skeleton.joints, missing, strict=True)},
        "tracks": tracks,
        "confidence": None
        if not sure.size
        else {
            "mean": _rounded(sure.mean()),
            "median": _rounded(np.median(sure)),
            "quantile_05": _rounded(np.quantile(sure, 0.05)),
        },
        "extent": None
        if not len(points)
        else {
            "x": [_rounded(points[:, 0].min(), 1), _rounded(points[:, 0].max(), 1)],
            "y": [_rounded(points[:, 1].min(), 1), _rounded(points[:, 1].max(), 1)],
        },
        "provenance": keypoints.provenance,
    }


def _rounded(value: Any, digits: int = 4) -> float:
    return round(float(value), digits)
