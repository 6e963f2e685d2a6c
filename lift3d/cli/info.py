"""``lift3d info``: what a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.console import counted, report, to_text
from lift3d.cli.inputs import read_motion
from lift3d.cli.options import AsJson, Format, FrameRate, ImageSize, Layout, parse_image_size
from lift3d.cli.rig_options import Unit, holds_rig, parse_unit

if TYPE_CHECKING:
    from lift3d.poses import Keypoints2D, Poses3D


def info(
    file: Annotated[
        Path | None, typer.Argument(help="2D keypoints (a file or folder), 3D poses, a checkpoint or a rig.")
    ] = None,
    skeletons: Annotated[bool, typer.Option("--skeletons", help="List the joint layouts.")] = False,
    fps: FrameRate = None,
    image_size: ImageSize = None,
    skeleton: Layout = None,
    format: Format = None,
    unit: Unit = None,
    as_json: AsJson = False,
) -> None:
    """Say what a file holds."""
    if skeletons:
        summary, text = _skeletons()
    elif file is None:
        raise typer.BadParameter("name a file, or ask for --skeletons")
    elif file.suffix.lower() == ".safetensors":
        summary, text = _checkpoint(file)
    elif holds_rig(file, format):
        summary, text = _rig(file, format, parse_unit(unit))
    else:
        from lift3d.poses import Keypoints2D

        motion = read_motion(file, format, fps, parse_image_size(image_size), skeleton)
        summary, text = _keypoints(motion) if isinstance(motion, Keypoints2D) else _poses(motion)
    report(summary, text if skeletons else f"{file}: {text}", as_json)


def _skeletons() -> tuple[dict[str, Any], str]:
    from lift3d.skeletons import SKELETONS

    values = {
        name: {"title": layout.title, "joints": layout.joints, "parents": layout.parents}
        for name, layout in SKELETONS.items()
    }
    lines = [f"{name} ({layout.title}):\n  {' '.join(layout.joints)}" for name, layout in SKELETONS.items()]
    return {"skeletons": values}, "\n".join(lines)


def _checkpoint(file: Path) -> tuple[dict[str, Any], str]:
    from dataclasses import asdict

    from lift3d.models import checkpoint_info

    values = asdict(checkpoint_info(file))
    return {"kind": "checkpoint", **values}, f"a checkpoint\n{to_text(values, '  ')}"


def _rig(file: Path, format: str | None, unit: str | float | None) -> tuple[dict[str, Any], str]:
    from lift3d.io.rigs import read_rig

    rig = read_rig(file, format, unit)
    lines = [f"a rig of {counted(len(rig), 'camera')}, {rig.metadata['format']}"]
    for camera in rig:
        size = f"{camera.image_size[0]}x{camera.image_size[1]} pixels" if camera.image_size else "image size unknown"
        centre = ", ".join(f"{value:.3f}" for value in camera.centre)
        lens = "fisheye" if camera.fisheye else "distortion" if camera.distortion.any() else "no distortion"
        lines.append(f"  {camera.name}: {size}, focal length {camera.K[0, 0]:.1f} px, {lens}, at ({centre}) m")
    cameras = [camera.to_dict() for camera in rig]
    return {"kind": "rig", "cameras": cameras, "metadata": rig.metadata}, "\n".join(lines)


def _keypoints(keypoints: Keypoints2D) -> tuple[dict[str, Any], str]:
    from lift3d.io.summary import summarize

    values = summarize(keypoints)
    size = values["image_size"]
    lines = [
        f"2D keypoints, {values['skeleton']}, {counted(len(values['joints']), 'joint')}",
        f"  {_length(values)}, image {f'{size[0]}x{size[1]} pixels' if size else 'size unknown'}",
    ]
    for track in values["tracks"]:
        where = f"frames {track['first']} to {track['last']}" if track["frames_seen"] else "never"
        sure = f", mean confidence {track['confidence']:.2f}" if track["confidence"] is not None else ""
        lines.append(f"  person {track['id']}: {where}, seen in {track['frames_seen']}{sure}")
    if seldom := {joint: share for joint, share in values["missing"].items() if share > 0.05}:
        lines.append("  often missing: " + ", ".join(f"{joint} {share:.0%}" for joint, share in seldom.items()))
    lines += [f"  {step}" for step in values["provenance"].get("steps", [])]
    return {"kind": "keypoints", **values}, "\n".join(lines)


def _poses(poses: Poses3D) -> tuple[dict[str, Any], str]:
    import numpy as np

    seen = np.isfinite(poses.xyz).all(axis=-1)
    points = poses.xyz[seen]
    values = {
        "kind": "poses",
        "frames": poses.frames,
        "fps": poses.fps,
        "seconds": None if poses.fps is None else poses.frames / poses.fps,
        "people": poses.people,
        "track_ids": poses.track_ids,
        "skeleton": poses.skeleton.name,
        "skeleton_title": poses.skeleton.title,
        "joints": poses.skeleton.joints,
        "space": poses.space,
        "camera": None if poses.camera is None else poses.camera.to_dict(),
        "missing": 1 - float(seen.mean()) if seen.size else None,
        "extent": [points.min(axis=0), points.max(axis=0)] if len(points) else None,
        "has_keypoints": poses.keypoints is not None,
        "has_sigma": poses.sigma is not None,
        "provenance": poses.provenance,
    }
    lines = [
        f"3D poses, {poses.skeleton.name}, {counted(len(poses.skeleton), 'joint')}",
        f"  {_length(values)}, {poses.space} space" + (f" of camera {poses.camera.name!r}" if poses.camera else ""),
    ]
    if len(points):
        ranges = zip("xyz", points.min(axis=0), points.max(axis=0), strict=True)
        lines.append("  metres: " + ", ".join(f"{axis} {low:.2f} to {high:.2f}" for axis, low, high in ranges))
        lines.append(f"  {values['missing']:.1%} of the joints missing")
    lines += [f"  {step}" for step in poses.provenance.get("steps", [])]
    return values, "\n".join(lines)


def _length(values: dict[str, Any]) -> str:
    rate = f" at {values['fps']:g} fps ({values['seconds']:.2f} s)" if values["fps"] else ", frame rate unknown"
    return f"{counted(values['frames'], 'frame')}{rate}, {counted(values['people'], 'person', 'people')}"
