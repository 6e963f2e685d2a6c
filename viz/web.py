"""One self-contained HTML page that plays a clip, offline, in any browser."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from os import PathLike
from typing import Any

import numpy as np

from lift3d.errors import UnknownFormatError
from lift3d.io.files import atomic_path
from lift3d.palette import MIDDLE, TRUTH, shade, side_colours
from lift3d.poses import Keypoints2D, Poses3D
from lift3d.skeletons import Skeleton
from lift3d.viz.bones import drawn_bones
from lift3d.viz.scene import check_truth, describe, floor_height, front_view, root_path, sampled, seen_frames, upright

PAGE_BYTES = 50_000_000
STEP_METRES = 1e-4
MISSING = -32768
SCRIPTS = ("clip.js", "camera.js", "stage.js", "panel.js", "player.js")


def save_page(
    motion: Poses3D | Keypoints2D, path: str | PathLike[str], overwrite: bool = False, truth: Poses3D | None = None
) -> None:
    """Save one HTML file that plays a clip in any browser, without a network: 3D to orbit, 2D input in step with it.

    Coordinates are stored to 0.1 mm about each body's root (coarser only for bodies of more than 6.5 m). Of a clip
    whose page would grow beyond 50 MB only every n-th frame is kept, and the page says so.

    Args:
        motion: 3D poses (with their 2D keypoints, if they carry them) or 2D keypoints alone.
        path: the file, .html.
        overwrite: whether an existing file may be replaced.
        truth: poses to draw beside it in grey, with as many frames and in the same space.

    Raises:
        UnknownFormatError: the ending is not .html.
        OutputExistsError: the file exists and ``overwrite`` is False.
        ShapeError: ``truth`` does not fit ``motion``.
        Lift3DError: no joint is seen in the whole clip.
    """
    if not str(path).lower().endswith(".html"):
        raise UnknownFormatError(path, "a page needs the ending .html")
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(make_page(motion, truth).encode("utf-8", "replace"))


def make_page(motion: Poses3D | Keypoints2D, truth: Poses3D | None = None, page_bytes: int = PAGE_BYTES) -> str:
    """The text of the page that ``save_page`` saves (same errors), of at most about ``page_bytes`` bytes."""
    check_truth(motion, truth)
    seen_frames(motion.xyz if isinstance(motion, Poses3D) else motion.xy)
    name, line = describe(motion)
    step = int(np.ceil(_frame_bytes(motion, truth) * motion.frames / page_bytes))
    if step > 1:
        motion = motion.select(slice(None, None, step))
        truth = None if truth is None else truth.select(slice(None, None, step))
    clip = _clip(motion, truth) | {"name": name or "lift3d", "line": line, "step": step}
    if step > 1:
        clip["note"] = f"One frame in {step} is shown: with all of them the page would be too large."

    page = resources.files("lift3d.viz") / "page"
    style = (page / "page.css").read_text("utf-8")
    script = "'use strict';\n" + "\n".join((page / part).read_text("utf-8") for part in SCRIPTS)
    parts = {
        "TITLE": html.escape(f"{name} · lift3d" if name else "lift3d"),
        "STYLE": style,
        "STYLE_HASH": _hash(style),
        "SCRIPT": script,
        "SCRIPT_HASH": _hash(script),
        "CLIP": _script_safe(json.dumps(clip, allow_nan=False, separators=(",", ":"))),
    }
    # One pass over the template: what stands in the clip is never taken for a place to fill.
    return re.sub(r"\{\{([A-Z_]+)\}\}", lambda match: parts[match[1]], (page / "page.html").read_text("utf-8"))


def _script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in, whatever strings it holds."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """The page's own script and style by their hashes, so that the browser runs no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _frame_bytes(motion: Poses3D | Keypoints2D, truth: Poses3D | None) -> float:
    """Bytes of one frame on the page, in base64."""
    count = 0
    for poses in (motion, truth):
        if isinstance(poses, Poses3D):
            count += poses.people * (3 * 4 + len(poses.skeleton) * 3 * 2)
    keypoints = motion if isinstance(motion, Keypoints2D) else motion.keypoints
    if keypoints is not None:
        count += keypoints.people * len(keypoints.skeleton) * 2 * 2
    return count * 4 / 3


def _clip(motion: Poses3D | Keypoints2D, truth: Poses3D | None) -> dict[str, Any]:
    keypoints = motion if isinstance(motion, Keypoints2D) else motion.keypoints
    clip: dict[str, Any] = {
        "frames": motion.frames,
        "fps": motion.fps,
        "people": [
            {"name": f"person {track}", "colours": _both_themes(side_colours(person, motion.people))}
            for person, track in enumerate(motion.track_ids)
        ],
        "truthColours": _both_themes(dict.fromkeys(("left", "right", "middle"), TRUTH)),
    }
    if keypoints is not None:
        clip["keypoints"] = _drawn(keypoints.skeleton) | _pack_pixels(keypoints)
    if isinstance(motion, Poses3D):
        points = upright(motion.xyz, motion.space)
        into = front_view(points, motion.skeleton, motion.space)
        clip |= {
            "poses": _drawn(motion.skeleton) | _pack_poses(motion),
            "truth": None if truth is None else _drawn(truth.skeleton) | _pack_poses(truth),
            "floor": floor_height(points, motion.skeleton, motion.space),
            "front": float(np.arctan2(into[0], into[1])),
            "camera": _camera(motion),
            "thickness": _thickness(motion),
        }
    return clip


def _both_themes(colours: dict[str, str]) -> dict[str, dict[str, str]]:
    """The colours on a light and on a dark page, where dark grey would not be seen."""
    dark = {side: "#C9CDD3" if colour == MIDDLE else shade(colour, 0.12) for side, colour in colours.items()}
    return {"light": colours, "dark": dark}


def _drawn(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "joints": list(skeleton.joints),
        "sides": [skeleton.side(joint) for joint in range(len(skeleton))],
        "bones": [list(bone) for bone in drawn_bones(skeleton)],
    }


def _camera(motion: Poses3D) -> dict[str, float | None] | None:
    """The vertical field of view in radians of the camera of camera space, None where it is not known."""
    if motion.space != "camera":
        return None
    camera = motion.camera
    if camera is None or camera.image_size is None or camera.fisheye:
        return {"view": None, "aspect": None}
    width, height = camera.image_size
    return {"view": 2 * float(np.arctan(height / 2 / camera.K[1, 1])), "aspect": width / height}


def _thickness(motion: Poses3D) -> float:
    """The radius in metres of a drawn bone: in proportion to the bodies, 2.5 cm for an adult's thigh of 45 cm."""
    xyz = motion.xyz[sampled(motion.frames, 100)]
    lengths = [np.linalg.norm(xyz[..., a, :] - xyz[..., b, :], axis=-1).ravel() for a, b in motion.skeleton.bones]
    seen = [float(np.median(known)) for length in lengths if len(known := length[np.isfinite(length)])]
    return float(np.clip(np.percentile(seen, 90) * 0.055, 1e-4, 1.0)) if seen else 0.025


def _pack_poses(motion: Poses3D) -> dict[str, Any]:
    """Roots as float32 and joints as int16 steps from their root; a missing joint is ``MISSING``."""
    points = upright(motion.xyz, motion.space)
    root = root_path(points, motion.skeleton).astype(np.float32)
    offsets = points - root[:, :, None]
    largest = float(np.fmax.reduce(np.abs(offsets), axis=None, initial=0))
    step = max(STEP_METRES, largest / 32767)
    return {"people": motion.people, "root": _base64(root, "<f4"), "step": step, "offsets": _steps(offsets / step)}


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
        "xy": _steps((keypoints.xy - middle) / step),
    }


def _steps(values: np.ndarray) -> str:
    return _base64(np.where(np.isfinite(values), np.rint(values), MISSING), "<i2")


def _base64(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
