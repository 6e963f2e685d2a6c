"""A person who walks before four cameras, the command that shows them, and what can be read off a picture."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from command_line import lift3d
from stage_scenes import BODY, ring, standing
from typer.testing import Result

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.movies import movie
from lift3d.palette import LEFT, RIGHT
from lift3d.poses import Poses3D

FRAMES, FPS, SIZE = 12, 30, (320, 180)
# Cameras from +x (the person's left), from behind, from the right and from the front; of 320 x 180 pixels.
RIG = Rig(
    tuple(
        replace(camera, K=np.diag([0.25, 0.25, 1]) @ camera.K, image_size=SIZE, name=f"cam{i}")
        for i, camera in enumerate(ring(4))
    )
)
QUICK = ("--size", f"{SIZE[0]}x{SIZE[1]}", "--renderer", "matplotlib")


def walking(frames: int = FRAMES, people: int = 1) -> Poses3D:
    """People who walk along y, through the origin, 0.1 m a frame: 6 pixels of the cameras at the side."""
    xyz = standing(frames, people)
    xyz[..., 1] += 0.09 * np.arange(frames)[:, None, None] - 0.6
    return Poses3D(xyz, skeleton=BODY, fps=FPS, provenance={"source": "walk.h5"})


def view(*arguments: object) -> Result:
    """``lift3d view``, which has to end well."""
    result = tried(*arguments)
    assert result.exit_code == 0, result.output
    return result


def tried(*arguments: object) -> Result:
    return lift3d("view", *arguments)


def refused(result: Result, *words: str) -> None:
    """One sentence that says so, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert not result.stdout
    said = " ".join(result.stderr.split())
    assert said.count("lift3d view:") + said.count("Error:") == 1, said
    for word in words:
        assert word in said


def forearm(side: str, frame: int, camera: Camera = RIG["cam0"], person: int = 0) -> np.ndarray:
    """The pixel of the middle of a forearm, as the camera sees it; its lens bends nothing."""
    xyz = walking(frame + 1, person + 1).xyz[frame, person]
    return pixel_of((xyz[BODY.index(f"{side}_elbow")] + xyz[BODY.index(f"{side}_wrist")]) / 2, camera)


def pixel_of(place: np.ndarray, camera: Camera) -> np.ndarray:
    return np.asarray(camera.project(np.asarray(place)[None]))[0]


def is_coloured(image: np.ndarray, pixel: np.ndarray, colour: str, radius: int = 1) -> bool:
    """Whether around a pixel there is one whose hue is that of the colour."""
    x, y = np.round(pixel).astype(int)
    part = image[y - radius : y + radius + 1, x - radius : x + radius + 1, :3].reshape(-1, 3).astype(float)
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], float)
    wanted -= wanted.mean()
    found = part - part.mean(axis=1, keepdims=True)
    likeness = found @ wanted / np.maximum(np.linalg.norm(found, axis=1) * np.linalg.norm(wanted), 1e-9)
    return bool(((likeness > 0.9) & (np.linalg.norm(found, axis=1) > 25)).any())


def shows_frame(image: np.ndarray, frame: int) -> bool:
    """Whether the picture of cam0, to the person's left, has the left forearm where it is in this frame, and only
    there."""
    places = (forearm("left", frame), forearm("left", frame + 3), forearm("left", frame) - (19, 0))
    return [is_coloured(image, place, LEFT) for place in places] == [True, False, False]


def sides_are_right(image: np.ndarray, frame: int, camera: Camera) -> bool:
    """Whether both forearms have their own colour and not the other's, through a camera that sees both."""
    left, right = (forearm(side, frame, camera) for side in ("left", "right"))
    found = [is_coloured(image, place, colour) for place in (left, right) for colour in (LEFT, RIGHT)]
    return found == [True, False, False, True]


def picture(path: Path) -> np.ndarray:
    """(height, width, 3 or 4), red first."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def film(path: Path) -> tuple[np.ndarray, float]:
    """Frames (n, height, width, 3), red first, and frames a second."""
    capture = cv2.VideoCapture(str(path))
    images = []
    while (got := capture.read())[0]:
        images.append(got[1][..., ::-1])
    return np.array(images), capture.get(cv2.CAP_PROP_FPS)


def write_video(path: Path, colour: tuple[int, int, int] = (128, 128, 128), frames: int = FRAMES) -> Path:
    """An even video of the size of the cameras."""
    with movie(path, SIZE, FPS) as writer:
        for _ in range(frames):
            writer.add(np.full((SIZE[1], SIZE[0], 3), colour, np.uint8))
    return path
