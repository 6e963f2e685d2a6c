"""What can be wrong with one camera of a calibration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lift3d.calibration.findings import LIMITS, Finding, Severity
from lift3d.calibration.measures import (
    CELLS,
    CORNER_NAMES,
    coverage,
    empty_corners,
    images_found,
    images_used,
    views_of,
)
from lift3d.calibration.solution import Solution
from lift3d.calibration.volume import image_size
from lift3d.geometry.cameras import Camera

# An image diagonal below this, pixels, counts as this: corners are not found better because the image is smaller.
LEAST_DIAGONAL = 1400.0


def diagonal(camera: Camera) -> float:
    """The image diagonal to which errors in pixels are compared."""
    return max(float(np.linalg.norm(image_size(camera))), LEAST_DIAGONAL)


def check_camera(solution: Solution, index: int) -> Iterator[Finding]:
    """All findings about the camera of that index by itself, as it was filmed and as it came out."""
    camera = solution.rig.cameras[index]
    solved = solution.standard_errors(camera.name)
    yield from _errors(solution, index)
    yield from _filmed(solution, index, solved)
    yield from _known(camera, solved)
    yield from _plausible(camera, solved)


def found(kind: str, value: float, cameras: tuple[str, ...], problem: str, advice: str) -> Iterator[Finding]:
    """A finding, if the value is beyond its limit."""
    severity = LIMITS[kind].severity(value)
    if severity is not None:
        yield Finding(kind, severity, cameras, problem, advice)


def _errors(solution: Solution, index: int) -> Iterator[Finding]:
    camera = solution.rig.cameras[index]
    one = (camera.name,)
    rmse = float(solution.camera_rmse()[index])
    yield from found(
        "reprojection",
        100 * rmse / diagonal(camera),
        one,
        f"the corners are off by {rmse:.2f} px where they should be",
        "Is the board flat, and of the size and kind that was given? Film slowly, in good light, in focus, without "
        "zoom or autofocus.",
    )
    seen, used = solution.observations.seen[index], solution.used[index]
    images, kept = images_found(solution)[index], images_used(solution)[index]
    whole = images & ~kept
    if images.any():
        share = 100 * float(whole.sum() / images.sum())
        moments = [str(solution.observations.frames[moment]) for moment in np.flatnonzero(whole)]
        listed = ", ".join(moments[:6]) + (f" and {len(moments) - 6} more" if len(moments) > 6 else "")
        words = f"{len(moments)} of {int(images.sum())} images with a board were left out ({listed})"
        advice = (
            "Look at these images: is the board blurred, partly hidden or mistaken for something else? Do images of "
            "one number show one moment in all cameras?"
        )
        findings = list(found("dropped_images", share, one, words, advice))
        if moments and not findings:
            findings = [Finding("dropped_images", Severity.NOTE, one, words, advice)]
        yield from findings
    partly = seen & (kept | ~images)[:, None]
    if partly.any():
        share = 100 * float((partly & ~used).sum() / partly.sum())
        yield from found(
            "dropped_corners",
            share,
            one,
            f"{share:.0f} % of the corners do not fit and were left out",
            "Is the board flat, sharp and of the kind that was given? If the lens bends straight lines a lot, try the "
            "rational or the fisheye lens model.",
        )


def _filmed(solution: Solution, index: int, solved: dict[str, float]) -> Iterator[Finding]:
    camera = solution.rig.cameras[index]
    one = (camera.name,)
    count = int(images_used(solution)[index].sum())
    yield from found(
        "images" if "fx" in solved else "images_held",
        count,
        one,
        f"only {count} images show the board",
        "Film the board longer with this camera, 20 images or more: everywhere in the image, near and far, tilted.",
    )
    if "fx" not in solved or not count:
        return
    views = views_of(solution, index)
    parallel = float(np.percentile(views.tilt, 90)) < 2 * LIMITS["variety"].doubtful
    held = "nearly parallel to the image" if parallel else "at the same angle"
    yield from found(
        "variety",
        views.variety,
        one,
        f"the board was always held {held} (its directions spread by {views.variety:.0f} degrees), which leaves open "
        "how long the focal length is and how far the board was",
        "Tilt the board by 30 to 45 degrees, to the left, to the right, up and down.",
    )
    yield from found(
        "far_to_near",
        views.far_to_near,
        one,
        f"the board was always at the same distance (far over near: {views.far_to_near:.2f}), which lets focal length "
        "and distance stand in for each other",
        "Film the board near, where it fills the image, and far, and tilted.",
    )
    corners = solution.observations.xy[index][solution.used[index]]
    counts = coverage(camera, corners)
    share = 100 * float((counts > 0).mean())
    yield from found(
        "coverage",
        share,
        one,
        f"the board was in {share:.0f} % of the image ({int((counts > 0).sum())} of {CELLS[0] * CELLS[1]} cells)",
        "Carry the board through the whole image, up to its edges.",
    )
    empty = empty_corners(camera, corners)
    if "k1" in solved and empty:
        severity = LIMITS["empty_corners"].severity(len(empty)) or Severity.NOTE
        where = " and ".join([", ".join(empty[:-1]), empty[-1]] if empty[:-1] else empty)
        yield Finding(
            "empty_corners",
            severity,
            one,
            f"the board was never in the {where} of the image: the lens distortion there is extrapolated",
            "Hold the board into these ends of the image, so that it touches their edges.",
        )


def _known(camera: Camera, solved: dict[str, float]) -> Iterator[Finding]:
    one = (camera.name,)
    if "fx" in solved:
        percent = 100 * max(solved["fx"] / camera.K[0, 0], solved["fy"] / camera.K[1, 1])
        yield from found(
            "focal",
            percent,
            one,
            _only("focal length", f"{percent:.1f} %"),
            "Film more images with the board tilted by 30 to 45 degrees, near and far.",
        )
    if "cx" in solved:
        off = max(solved["cx"], solved["cy"])
        yield from found(
            "centre",
            100 * off / float(image_size(camera)[0]),
            one,
            _only("principal point", f"{off:.0f} px"),
            "Film more images with the board tilted in all directions, and turned by a quarter.",
        )


def _only(what: str, error: str) -> str:
    unknown = error.startswith("inf")
    return f"the images say nothing about the {what}" if unknown else f"the {what} is known only to {error}"


def _plausible(camera: Camera, solved: dict[str, float]) -> Iterator[Finding]:
    one = (camera.name,)
    size = image_size(camera)
    if "fx" in solved:
        percent = 100 * abs(float(camera.K[1, 1] / camera.K[0, 0]) - 1)
        yield from found(
            "aspect",
            percent,
            one,
            f"fx and fy differ by {percent:.1f} %, as if the pixels were not square",
            "Was the video stretched or scaled? If not, film more images with the board tilted and turned.",
        )
    off = (camera.K[:2, 2] - (size - 1) / 2) / size[0]
    percent = 100 * float(np.linalg.norm(off))
    yield from found(
        "off_centre",
        percent,
        one,
        f"the principal point lies {percent:.0f} % of the image width from the middle",
        "Was the video cropped? If not, film more images with the board tilted in all directions.",
    )
    blind, where = _blind(camera)
    yield from found(
        "blind",
        100 * blind,
        one,
        f"the lens model breaks down in {100 * blind:.0f} % of the image{where}: what is filmed there is lost",
        "Hold the board into the corners of the image, or try another lens model (fisheye for wide lenses).",
    )


def _blind(camera: Camera) -> tuple[float, str]:
    """The share of the image that has no undistorted place, and at which ends of the image."""
    width, height = image_size(camera)
    x, y = np.meshgrid(np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 25))
    lost = ~np.isfinite(camera.unproject(np.stack([x, y], axis=-1))).all(axis=-1)
    ends = [name for name, gone in zip(CORNER_NAMES, lost[[0, 0, -1, -1], [0, -1, 0, -1]], strict=True) if gone]
    return float(lost.mean()), f" ({', '.join(ends)})" if ends else ""
