"""A clip as the page's JSON: its joints as small numbers, and what the drawing of them needs to know."""

from __future__ import annotations

from typing import Any

import numpy as np

from lift3d.palette import MIDDLE, TRUTH, shade, side_colours
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import Skeleton
from lift3d.viz.bones import drawn_bones
from lift3d.viz.look import ERROR_SCALE, body_parts
from lift3d.viz.page_numbers import pack, pack_steps, step_for
from lift3d.viz.scene import floor_height, front_view, root_path, sampled, upright
from lift3d.viz.stage import ERROR_LIMITS
from lift3d.viz.truth_match import Match

STEP_METRES = 1e-4
# The six different numbers of a symmetric 3 x 3 matrix.
ROWS, COLUMNS = (0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2)


def pack_clip(motion: Poses3D | Keypoints2D, truth: Poses3D | None, match: Match | None) -> dict[str, Any]:
    """The clip, its truth and its 2D keypoints; ``match`` says who and what of the truth belongs to the clip."""
    keypoints = motion if isinstance(motion, Keypoints2D) else motion.keypoints
    clip: dict[str, Any] = {
        "frames": motion.frames,
        "fps": motion.fps,
        "people": [
            {"name": f"person {track}", "colours": both_themes(side_colours(person, motion.people))}
            for person, track in enumerate(motion.track_ids)
        ],
        "truthColours": both_themes(dict.fromkeys(("left", "right", "middle"), TRUTH)),
        "sideColours": both_themes(side_colours(0, 1)),
    }
    if keypoints is not None:
        clip["keypoints"] = _drawn(keypoints.skeleton) | _pack_pixels(keypoints)
    if isinstance(motion, Poses3D):
        points = upright(motion.xyz, motion.space)
        into = front_view(points, motion.skeleton, motion.space)
        clip |= {
            "space": motion.space,
            "poses": _drawn(motion.skeleton) | _pack_poses(motion) | _pack_error_bars(motion),
            "truth": None if truth is None else _drawn(truth.skeleton) | _pack_poses(truth),
            "compare": None if truth is None or match is None else _pack_match(motion, truth, match),
            "floor": floor_height(points, motion.skeleton, motion.space),
            "front": float(np.arctan2(into[0], into[1])),
            "thickness": _thickness(motion),
        }
    return clip


def both_themes(colours: dict[str, str]) -> dict[str, dict[str, str]]:
    """The colours on a light and on a dark page, where dark grey would not be seen."""
    dark = {side: "#C9CDD3" if colour == MIDDLE else shade(colour, 0.12) for side, colour in colours.items()}
    return {"light": colours, "dark": dark}


def frame_bytes(motion: Poses3D | Keypoints2D, truth: Poses3D | None) -> float:
    """Bytes of one frame on the page without its angles, in base64; the poses need hold no frame."""
    count = 0
    for poses in (motion, truth):
        if isinstance(poses, Poses3D):
            count += poses.people * (3 * 4 + len(poses.skeleton) * 3 * 2)
    if isinstance(motion, Poses3D):
        numbers = 6 if motion.has("covariance") else 1 if motion.has("sigma") else 0
        count += motion.people * len(motion.skeleton) * numbers * 2
    keypoints = motion if isinstance(motion, Keypoints2D) else motion.keypoints
    if keypoints is not None:
        count += keypoints.people * len(keypoints.skeleton) * 2 * 2
    return count * 4 / 3


def _drawn(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "joints": list(skeleton.joints),
        "sides": [skeleton.side(joint) for joint in range(len(skeleton))],
        "parts": body_parts(skeleton),
        "bones": [list(bone) for bone in drawn_bones(skeleton)],
    }


def _thickness(motion: Poses3D) -> float:
    """The radius in metres of a drawn bone: in proportion to the bodies, 2.5 cm for an adult's thigh of 45 cm."""
    xyz = motion.xyz[sampled(motion.frames, 100)]
    lengths = [np.linalg.norm(xyz[..., a, :] - xyz[..., b, :], axis=-1).ravel() for a, b in motion.skeleton.bones]
    seen = [float(np.median(known)) for length in lengths if len(known := length[np.isfinite(length)])]
    return float(np.clip(np.percentile(seen, 90) * 0.055, 1e-4, 1.0)) if seen else 0.025


def _pack_poses(motion: Poses3D) -> dict[str, Any]:
    """Roots as float32 and joints as steps from their root."""
    points = upright(motion.xyz, motion.space)
    root = root_path(points, motion.skeleton).astype(np.float32)
    offsets = points - root[:, :, None]
    step = step_for(offsets, STEP_METRES)
    return {"people": motion.people, "root": pack(root, "<f4"), "step": step, "offsets": pack_steps(offsets, step)}


def _pack_error_bars(motion: Poses3D) -> dict[str, Any]:
    """The symmetric square root of each joint's covariance, metres: six numbers a joint; sigma alone: one number."""
    if motion.covariance is None:
        if motion.sigma is None:
            return {}
        return _packed_spread(motion.sigma[..., None])
    spread = np.full((*motion.xyz.shape[:3], 6), np.nan, np.float32)
    if motion.sigma is not None:
        spread[..., [0, 3, 5]] = motion.sigma[..., None]
        spread[..., [1, 2, 4]] = np.where(np.isfinite(motion.sigma), 0, np.nan)[..., None]
    known = np.isfinite(motion.covariance).all(axis=(-1, -2))
    values, vectors = np.linalg.eigh(motion.covariance[known])
    vectors = upright(vectors.swapaxes(-1, -2), motion.space).swapaxes(-1, -2)
    root = (vectors * np.sqrt(np.maximum(values, 0))[:, None, :]) @ vectors.swapaxes(-1, -2)
    spread[known] = root[:, ROWS, COLUMNS]
    return _packed_spread(spread)


def _packed_spread(spread: np.ndarray) -> dict[str, Any]:
    if not np.isfinite(spread).any():
        return {}
    step = step_for(spread, STEP_METRES / 10)
    return {"spread": {"numbers": spread.shape[-1], "step": step, "values": pack_steps(spread, step)}}


def _pack_match(motion: Poses3D, truth: Poses3D, match: Match) -> dict[str, Any] | None:
    """Who and what is compared, and the colours of the distances with what the last of them stands for, in metres."""
    frames = sampled(motion.frames)
    away = match.distances(motion.xyz[frames], truth.xyz[frames])
    away = away[np.isfinite(away)]
    if not len(away):
        return None
    most = float(np.percentile(away, 95))
    light = ["#" + "".join(f"{round(255 * float(channel)):02X}" for channel in colour) for colour in ERROR_SCALE]
    return {
        "people": np.stack([match.people, match.truth_people], axis=1).tolist(),
        "joints": np.stack([match.joints, match.truth_joints], axis=1).tolist(),
        "limit": next((limit for limit in ERROR_LIMITS if limit >= most), ERROR_LIMITS[-1]),
        "scale": {"light": light, "dark": [shade(colour, 0.3) for colour in light]},
    }


def _pack_pixels(keypoints: Keypoints2D) -> dict[str, Any]:
    low, high = (np.nan_to_num(f.reduce(keypoints.xy, axis=(0, 1, 2))) for f in (np.fmin, np.fmax))
    step = max(1e-3, float((high - low).max()) / 65000)
    middle = (low + high) / 2
    return {
        "people": keypoints.people,
        "step": step,
        "middle": middle.tolist(),
        "window": [*low.tolist(), *high.tolist()],
        "size": None if keypoints.image_size is None else list(keypoints.image_size),
        "xy": pack_steps(keypoints.xy - middle, step),
    }
