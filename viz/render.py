"""Pictures and films of a stage without a screen: by Open3D where it can draw, else by matplotlib."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Protocol

import numpy as np

from lift3d.errors import Lift3DError, UnknownFormatError
from lift3d.io.files import atomic_path, check_output
from lift3d.viz.camera_paths import ASSUMED_FPS, CameraPath, camera_path
from lift3d.viz.captions import draw_caption, draw_error_legend
from lift3d.viz.drawing import Drawing
from lift3d.viz.scene import describe
from lift3d.viz.stage import Stage
from lift3d.viz.viewpoint import Viewpoint

RENDERERS = ("open3d", "matplotlib")
ENDINGS = (".png", ".mp4", ".gif")
BACKGROUNDS = ("white", "transparent")
SMALLEST, LARGEST = 32, 8192
# A film has no more frames a second than this; faster clips show every so many frames.
MOST_FPS = {".mp4": 60.0, ".gif": 25.0}
NUMBERED = re.compile(r"%0?\d*d")


class Renderer(Protocol):
    """What draws frames: ``lift3d.viz.open3d_frames.Open3DFrames`` or ``lift3d.viz.flat_frames.FlatFrames``."""

    @property
    def name(self) -> str: ...

    def draw(self, backdrop: Drawing, drawing: Drawing, viewpoint: Viewpoint) -> np.ndarray:
        """One frame, (height, width, 3) uint8, or 4 with transparency."""
        ...


def make_renderer(
    size: tuple[int, int], transparent: bool = False, renderer: str | None = None
) -> tuple[Renderer, str]:
    """The best renderer that this machine has, and one sentence on why it is not Open3D; empty if it is, or was named.

    Args:
        size: (width, height) of the frames in pixels.
        transparent: whether frames have an alpha channel and no background.
        renderer: "open3d" or "matplotlib"; None for the best.

    Raises:
        Lift3DError: the renderer is unknown, or is Open3D and cannot draw here.
    """
    if renderer not in (None, *RENDERERS):
        raise Lift3DError(f"there is no renderer {renderer!r}; use {' or '.join(RENDERERS)}")
    why = ""
    if renderer != "matplotlib":
        from lift3d.viz.open3d_probe import probe_open3d

        found = probe_open3d()
        # Who asks for it by name may have it slow, but not if it would end this process.
        if found.usable or (renderer == "open3d" and found.seconds is not None):
            from lift3d.viz.open3d_frames import Open3DFrames

            return Open3DFrames(size, transparent), ""
        if renderer == "open3d":
            raise Lift3DError(f"Open3D cannot draw here: {found.reason}; use the renderer matplotlib")
        why = found.reason
    from lift3d.viz.flat_frames import FlatFrames

    return FlatFrames(size, transparent), why


def save_frames(
    stage: Stage,
    path: str | PathLike[str],
    *,
    size: tuple[int, int] = (1280, 720),
    viewpoint: str | Viewpoint = "front",
    path_of_camera: str | Sequence[str | Viewpoint] | None = None,
    background: str = "white",
    frames: slice = slice(None),
    frame: int | None = None,
    speed: float = 1.0,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    renderer: str | Renderer | None = None,
    tell: Callable[[str], None] | None = None,
) -> str:
    """Save one frame (.png), a numbered series (``frame-%04d.png``) or a film (.mp4, .gif) of a stage.

    Memory does not grow with the clip's length.

    Args:
        stage: the stage.
        path: the file; its ending names the kind.
        size: (width, height) in pixels; films need even numbers.
        viewpoint: a name from ``stage.viewpoints``, or a viewpoint.
        path_of_camera: None to stay there; "orbit" to turn slowly; "follow" to go with the people; or viewpoints to go
            through from the first frame to the last.
        background: "white", or "transparent" for .png and .gif.
        frames: the frames of a series or a film.
        frame: the frame of a single picture; default: the middle one of ``frames``.
        speed: how many seconds of the clip a second of film shows.
        overwrite: whether an existing file may be replaced.
        progress: called with (frames done, frames in total).
        renderer: "open3d", "matplotlib", one of ``make_renderer``, or None for the best that works here.
        tell: called, before anything is drawn, with a sentence on why it is not Open3D, if the choice was left open.

    Returns:
        The renderer's name.

    Raises:
        UnknownFormatError: the ending is none of the three.
        OutputExistsError: the file exists and ``overwrite`` is False.
        Lift3DError: an option is impossible; the message says which.
    """
    ending = Path(path).suffix.lower()
    _check(path, ending, size, background, speed)
    transparent = background == "transparent"
    chosen = range(*frames.indices(stage.frames))
    if frame is not None and not 0 <= frame < stage.frames:
        raise Lift3DError(f"the clip has no frame {frame}; it has {stage.frames}, counted from 0")
    if not chosen:
        raise Lift3DError(f"no frame of the clip's {stage.frames} lies in the range asked for")
    series = ending == ".png" and NUMBERED.search(Path(path).name) is not None
    if ending == ".png" and not series:
        middle = chosen[len(chosen) // 2] if frame is None else frame
        chosen = range(middle, middle + 1)
    fps = (stage.fps or ASSUMED_FPS) * speed / abs(chosen.step)
    if ending in MOST_FPS:
        step = int(np.ceil(fps / MOST_FPS[ending] - 1e-6))
        chosen, fps = chosen[::step], fps / step
    for target in [_numbered(Path(path), number) for number in chosen] if series else [path]:
        check_output(target, overwrite)
    way = camera_path(stage, size[0] / size[1], viewpoint, path_of_camera)
    if renderer is None or isinstance(renderer, str):
        renderer, why = make_renderer(size, transparent, renderer)
        if why and tell is not None:
            tell(why)
    images = _images(stage, renderer, way, chosen)
    if series:
        for number, image in zip(chosen, images, strict=True):
            _save_png(_numbered(Path(path), number), image, overwrite)
            _tell(progress, chosen, number)
    elif ending == ".png":
        _save_png(Path(path), next(images), overwrite)
        _tell(progress, chosen, chosen[0])
    else:
        from lift3d.io.movies import movie

        with movie(path, size, fps, overwrite) as film:
            for number, image in zip(chosen, images, strict=True):
                film.add(image)
                _tell(progress, chosen, number)
    return renderer.name


def draw_frame(stage: Stage, renderer: Renderer, frame: int, viewpoint: Viewpoint) -> np.ndarray:
    """One frame with its caption: (height, width, 3) uint8, or 4 with transparency."""
    through = None if viewpoint.camera is None else viewpoint.camera.name
    image = renderer.draw(stage.backdrop, stage.drawing(frame, through), viewpoint)
    time = f"frame {frame}" if stage.fps is None else f"{frame / stage.fps:.2f} s"
    name = describe(stage.clip)[0]
    name = name if len(name) <= 40 else f"{name[:39]}…"
    draw_caption(image, f"{time}   {name}" if name else time)
    draw_error_legend(image, stage.error_legend)
    return image


def _images(stage: Stage, renderer: Renderer, way: CameraPath, frames: range) -> Iterator[np.ndarray]:
    for done, frame in enumerate(frames):
        yield draw_frame(stage, renderer, frame, way(frame, done / max(1, len(frames) - 1)))


def _check(path: str | PathLike[str], ending: str, size: tuple[int, int], background: str, speed: float) -> None:
    if ending not in ENDINGS:
        raise UnknownFormatError(path, f"no frames can be saved as {ending!r}; use one of {', '.join(ENDINGS)}")
    if background not in BACKGROUNDS:
        raise Lift3DError(f"the background must be {' or '.join(BACKGROUNDS)}, not {background!r}")
    if background == "transparent" and ending == ".mp4":
        raise Lift3DError(f"{path}: an MP4 cannot be transparent; save a .gif, or pictures as frame-%04d.png")
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise Lift3DError(f"the size must be {SMALLEST} to {LARGEST} pixels each way, not {size[0]} x {size[1]}")
    if ending == ".mp4" and any(side % 2 for side in size):
        raise Lift3DError(f"the sides of an MP4 must be even numbers of pixels, not {size[0]} x {size[1]}")
    if not (np.isfinite(speed) and speed > 0):
        raise Lift3DError(f"the speed must be more than 0, not {speed}")


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(NUMBERED.sub(lambda found: found.group() % number, path.name, count=1))


def _save_png(path: Path, image: np.ndarray, overwrite: bool) -> None:
    from PIL import Image

    with atomic_path(path, overwrite) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def _tell(progress: Callable[[int, int], None] | None, frames: range, frame: int) -> None:
    if progress is not None:
        progress(frames.index(frame) + 1, len(frames))
