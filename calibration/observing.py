"""From the footage of cameras to ``Observations`` of a board: what to look at, where, and what to keep."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np

from lift3d.calibration.boards import CHESSBOARD, Board, BoardError
from lift3d.calibration.detection import Detection, detect_board
from lift3d.calibration.diagnosis import explain
from lift3d.calibration.footage import Footage, Images, Source, Video, open_footage
from lift3d.calibration.moments import Moment, match_moments, single_moments
from lift3d.calibration.observations import Observations
from lift3d.calibration.selection import LEAST_CORNERS, select_moments
from lift3d.errors import FileFormatError
from lift3d.geometry.rigs import natural_key

MAX_CANDIDATES = 600  # moments that are looked at
# Of a camera with more images than this each is looked at once and fast. If the board is found in fewer than ENOUGH
# of them, the rest is looked at thoroughly.
QUICK_FROM = 100
ENOUGH = 30
# A frame of a video is blurred if it is less sharp than this share of the camera's median.
LEAST_SHARPNESS = 0.5
TRIED = 5  # images in which a board that was not found is explained
CHECK = (
    "Check the board's type, its corners or squares = [columns, rows], inverted and dictionary, and that it is sharp "
    "and in the picture, a chessboard whole and with a bright margin."
)

Progress = Callable[[int, int], None]


def observe(
    sources: Mapping[str, Source],
    board: Board,
    *,
    simultaneous: bool = True,
    timestamps: str | PathLike[str] | None = None,
    max_moments: int = 150,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Observations:
    """The corners of a board in the footage of one or more cameras.

    Of long recordings moments are looked at that are evenly spread, frames of videos that are blurred are left out,
    and of the others those are kept that cover images, poses of the board and pairs of cameras best
    (``select_moments``). One image a thread is in memory at a time.

    Args:
        sources: the cameras by name; each a video, a folder of images, a pattern such as ``dir/left*.jpg``, or a list
            of images.
        board: the board.
        simultaneous: whether the cameras filmed at the same time; images of one moment are then matched
            (``match_moments``). Otherwise every image is a moment of its own.
        timestamps: Caliscope's ``timestamps.csv``; by default the one beside the videos.
        max_moments: how many moments are kept at most, of each camera if they are not simultaneous.
        progress: called with (images done, images in all).
        workers: number of threads, by default one a processor.

    Returns:
        The observations, with the moments in which a camera saw the board.

    Raises:
        BoardError: a camera never saw the board, or the board cannot be used with several cameras.
        FileFormatError: a file cannot be read, the images of a camera differ in size, or nothing can be matched.
    """
    names = sorted(sources, key=natural_key)
    if not names:
        raise BoardError("no camera is given")
    if board.ambiguous and simultaneous and len(names) > 1:
        columns, rows = board.corners
        raise BoardError(
            f"a chessboard of {columns}x{rows} inner corners looks the same after half a turn, so several cameras "
            "cannot agree on its corners: use one with an odd and an even count, such as 9x6, or a ChArUco board"
        )
    footage = {name: open_footage(sources[name]) for name in names}
    _check_apart(footage)
    groups = [match_moments(footage, timestamps)] if simultaneous else _each_alone(footage)
    if simultaneous and len(names) > 1 and all(len(seen) < 2 for _, seen in groups[0]):
        raise FileFormatError(
            footage[names[0]].path,
            "no image of this camera has the number of an image of another: cameras that filmed together need the same "
            "numbers in their names (left01.jpg, right01.jpg)",
        )
    candidates = [group[:: -(-len(group) // MAX_CANDIDATES)] for group in groups]
    wanted = {name: [seen[name] for group in candidates for _, seen in group if name in seen] for name in names}
    found, sizes = _look(footage, wanted, board, progress, workers)
    _check_found(footage, wanted, found, board)
    _keep_one_variant(found)
    _drop_blurred(footage, found)
    chosen = [moment for group in candidates for moment in _choose(group, names, found, board, sizes, max_moments)]
    return Observations(
        board=board,
        cameras=tuple(names),
        image_sizes=tuple(sizes[name] for name in names),
        xy=_corners(chosen, names, found, board),
        frames=tuple(label for label, _ in chosen),
        images=tuple(len(wanted[name]) for name in names),
    )


Found = dict[str, dict[int, Detection]]


def _each_alone(footage: Mapping[str, Footage]) -> list[list[Moment]]:
    return [single_moments({name: item}) for name, item in footage.items()]


def _check_apart(footage: Mapping[str, Footage]) -> None:
    """Raises FileFormatError if two cameras read the same file."""
    owners: dict[Path, str] = {}
    for name, item in footage.items():
        for path in item.files if isinstance(item, Images) else (item.path,):
            other = owners.setdefault(path.resolve(), name)
            if other != name:
                raise FileFormatError(path, f"both camera {other!r} and camera {name!r} are to read this file")


def _look(
    footage: Mapping[str, Footage],
    wanted: Mapping[str, list[int]],
    board: Board,
    progress: Progress | None,
    workers: int | None,
) -> tuple[Found, dict[str, tuple[int, int]]]:
    """What each image shows of the board, and (width, height) of each camera's images."""
    found: Found = {name: {} for name in footage}
    sizes: dict[str, tuple[int, int]] = {}
    first: dict[str, int] = {}
    quick = {name for name in footage if board.type == CHESSBOARD and len(wanted[name]) > QUICK_FROM}
    passes = [(set(footage) - quick, True), (quick, False)]
    total, done = sum(map(len, wanted.values())), 0
    while passes:
        cameras, thorough = passes.pop(0)
        todo = {name: [i for i in wanted[name] if i not in found[name]] for name in sorted(cameras, key=natural_key)}
        for name, index, size, detection in _detect_all(footage, todo, board, thorough, workers):
            if sizes.setdefault(name, size) != size:
                a, b = ("{}x{}".format(*each) for each in (sizes[name], size))
                raise FileFormatError(
                    footage[name].name(index),
                    f"an image of {b} pixels, but {footage[name].name(first[name])} has {a}: the images of camera "
                    f"{name!r} must be of one size and turned the same way; remove or convert the others",
                )
            first.setdefault(name, index)
            if detection.count >= LEAST_CORNERS:
                found[name][index] = detection
            done += 1
            if progress is not None:
                progress(done, total)
        if not thorough and (scarce := {name for name in cameras if len(found[name]) < ENOUGH}):
            passes.append((scarce, True))
            total += sum(len(wanted[name]) - len(found[name]) for name in scarce)
    return found, sizes


def _detect_all(
    footage: Mapping[str, Footage], todo: Mapping[str, list[int]], board: Board, thorough: bool, workers: int | None
) -> Iterator[tuple[str, int, tuple[int, int], Detection]]:
    """(camera, index, (width, height), what is seen) of each image, in any order.

    Each thread takes the next image of a camera, one thread at a time from the same camera, and looks for the board in
    it while others read. OpenCV lets go of Python's lock while it works, so that threads use all processors.
    """
    feeds = [(name, footage[name].read(todo[name]), threading.Lock()) for name in todo if todo[name]]
    results: queue.SimpleQueue[tuple[str, int, tuple[int, int], Detection] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def work(start: int) -> None:
        try:
            for name, feed, lock in feeds[start:] + feeds[:start]:
                while not stop.is_set():
                    with lock:
                        item = next(feed, None)
                    if item is None:
                        break
                    index, image = item
                    results.put((name, index, image.shape[1::-1], detect_board(image, board, thorough)))
        except BaseException as error:
            results.put(error)
        finally:
            results.put(None)

    count = min(workers or os.cpu_count() or 1, sum(map(len, todo.values())))
    with _one_thread_in_opencv(), ThreadPoolExecutor(max(count, 1)) as pool:
        try:
            for number in range(count):
                pool.submit(work, number % len(feeds))
            running = count
            while running:
                result = results.get()
                if isinstance(result, BaseException):
                    raise result
                if result is None:
                    running -= 1
                else:
                    yield result
        finally:
            stop.set()


@contextmanager
def _one_thread_in_opencv() -> Iterator[None]:
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _check_found(footage: Mapping[str, Footage], wanted: Mapping[str, list[int]], found: Found, board: Board) -> None:
    """Raises BoardError that names the cameras that never saw the board, and says why if that can be told."""
    blind = [name for name in footage if not found[name]]
    if not blind:
        return
    first, indices = blind[0], wanted[blind[0]]
    if not indices:
        raise BoardError(f"camera {first!r}: none of its images belongs to the moments that were looked at")
    tried = indices[:: -(-len(indices) // TRIED)]
    reason = explain([image for _, image in footage[first].read(tried)], board)
    others = f" Nor was it by {', '.join(map(repr, blind[1:]))}." if blind[1:] else ""
    raise BoardError(
        f"camera {first!r} saw the board in none of {len(indices)} images that were looked at ({board.describe()}). "
        + (f"{reason}." if reason else CHECK)
        + others
    )


def _keep_one_variant(found: Found) -> None:
    """Keep what shows the variant of the print that was seen most: there is one board."""
    votes: dict[int, int] = {}
    for detections in found.values():
        for detection in detections.values():
            votes[detection.variant] = votes.get(detection.variant, 0) + detection.count
    best = max(votes, key=lambda variant: votes[variant])
    for detections in found.values():
        for index in [i for i, detection in detections.items() if detection.variant != best]:
            del detections[index]


def _drop_blurred(footage: Mapping[str, Footage], found: Found) -> None:
    for name, item in footage.items():
        if isinstance(item, Video) and found[name]:
            least = LEAST_SHARPNESS * float(np.median([detection.sharpness for detection in found[name].values()]))
            for index in [i for i, detection in found[name].items() if detection.sharpness < least]:
                del found[name][index]


def _choose(
    moments: Sequence[Moment],
    names: Sequence[str],
    found: Found,
    board: Board,
    sizes: Mapping[str, tuple[int, int]],
    max_moments: int,
) -> list[Moment]:
    """The moments in which the board was seen, if there are too many of them those that say most."""
    seen = [moment for moment in moments if any(index in found[name] for name, index in moment[1].items())]
    present = [name for name in names if any(name in where for _, where in seen)]
    if not present:
        return []
    xy = _corners(seen, present, found, board)
    chosen = select_moments(xy, board.points, tuple(sizes[name] for name in present), max_moments)
    return [seen[index] for index in chosen]


def _corners(moments: Sequence[Moment], names: Sequence[str], found: Found, board: Board) -> np.ndarray:
    """(cameras, moments, corners, 2) pixels, NaN where not seen."""
    xy = np.full((len(names), len(moments), len(board.points), 2), np.nan)
    for camera, name in enumerate(names):
        for moment, (_, where) in enumerate(moments):
            if (detection := found[name].get(where.get(name, -1))) is not None:
                xy[camera, moment] = detection.xy
    return xy
