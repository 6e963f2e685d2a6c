"""Whole recordings of a board: what is looked at, what is kept, and the file that keeps it."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from board_views import View, pose, view
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lift3d.calibration.boards import Board, BoardError
from lift3d.calibration.observations import Observations, merge
from lift3d.calibration.observing import observe
from lift3d.calibration.selection import select_moments
from lift3d.errors import FileFormatError, Lift3DError, OutputExistsError, ShapeError

BOARD = Board("chessboard", (6, 5), 0.04)
CHARUCO = Board("charuco", (4, 5), 0.05, 0.038)
TURNS = [(10, 20, 5), (-20, 5, 100), (5, -25, 200), (20, 20, -80)]


@pytest.fixture(scope="module")
def views() -> dict[str, list[View]]:
    """What two cameras see of the same four poses."""
    left = [view(BOARD, *pose(BOARD, 0.6, turn)) for turn in TURNS]
    right = [view(BOARD, *pose(BOARD, 0.7, turn, (0.05, 0))) for turn in TURNS]
    return {"left": left, "right": right}


@pytest.fixture
def folders(views: dict[str, list[View]], tmp_path: Path) -> dict[str, Path]:
    for name, images in views.items():
        (tmp_path / name).mkdir()
        for number, seen in enumerate(images):
            cv2.imwrite(str(tmp_path / name / f"{name}_{number}.png"), seen.image)
    return {name: tmp_path / name for name in views}


def test_folders_of_two_cameras(views: dict[str, list[View]], folders: dict[str, Path]) -> None:
    steps: list[tuple[int, int]] = []
    found = observe(folders, BOARD, progress=lambda done, total: steps.append((done, total)))
    assert found.cameras == ("left", "right")
    assert found.image_sizes == ((640, 480), (640, 480))
    assert found.frames == ("0", "1", "2", "3")
    assert found.images == (4, 4)
    assert found.seen.all()
    truth = np.array([[seen.xy for seen in views[name]] for name in found.cameras])
    assert np.abs(found.xy - truth).max() < 0.1
    assert steps == [(done, 8) for done in range(1, 9)]
    alone = observe(folders, BOARD, simultaneous=False, workers=1)
    assert alone.xy.shape[:2] == (2, 8)
    assert alone.frames[5] == "right/right_1.png"
    assert (alone.seen.any(axis=2).sum(axis=0) == 1).all()


def test_videos_are_thinned_and_blurred_frames_left_out(views: dict[str, list[View]], tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "left.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    for frame in range(24):
        image = views["left"][frame % 4].image
        image = cv2.blur(image, (9, 9)) if frame in (5, 6) else image
        writer.write(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    writer.release()
    found = observe({"left": tmp_path / "left.avi"}, BOARD)
    assert found.images == (24,)
    assert found.frames == tuple(str(frame) for frame in range(24) if frame not in (5, 6))
    few = observe({"left": tmp_path / "left.avi"}, BOARD, max_moments=4)
    assert len(few.frames) == 4
    assert len({int(frame) % 4 for frame in few.frames}) >= 3


def expect(message: str, error: type[Exception], run: Callable[[], object]) -> None:
    with pytest.raises(error, match=message):
        run()


def test_what_cannot_be_observed(folders: dict[str, Path], tmp_path: Path) -> None:
    symmetric = Board("chessboard", (6, 6), 0.04)
    expect("half a turn", BoardError, lambda: observe(folders, symmetric))
    expect("no camera", BoardError, lambda: observe({}, BOARD))
    wrong = Board("chessboard", (7, 6), 0.04)
    expect(
        "camera 'left' saw the board in none of 4 images.*show a chessboard of 5x4 inner corners.*say 6x5",
        BoardError,
        lambda: observe(folders, wrong),
    )
    twice = {"a": folders["left"], "b": folders["left"]}
    expect("both camera 'a' and camera 'b'", FileFormatError, lambda: observe(twice, BOARD))
    (tmp_path / "apart").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "apart" / f"a{number + 50}.png"), np.zeros((48, 64), np.uint8))
    apart = {"left": folders["left"], "x": tmp_path / "apart"}
    expect("same numbers in their names", FileFormatError, lambda: observe(apart, BOARD))
    cv2.imwrite(str(folders["left"] / "left_9.png"), np.zeros((640, 480), np.uint8))
    expect(
        r"480x640 pixels, but .*left_\d.png has 640x480", FileFormatError, lambda: observe(folders, BOARD, workers=1)
    )
    (folders["right"] / "right_2.png").write_bytes(b"no picture")
    (folders["left"] / "left_9.png").unlink()
    expect("right_2.png: not an image", FileFormatError, lambda: observe(folders, BOARD))


def test_mirrored_footage_is_named(tmp_path: Path) -> None:
    for number, turn in enumerate(TURNS[:2]):
        image = view(CHARUCO, *pose(CHARUCO, 0.6, turn)).image
        cv2.imwrite(str(tmp_path / f"{number}.png"), image[:, ::-1])
    expect("mirrored: switch the mirror off", BoardError, lambda: observe({"cam": tmp_path}, CHARUCO))


def random_observations(seed: int = 0, frames: int = 3, cameras: tuple[str, ...] = ("cam2", "cam10")) -> Observations:
    generator = np.random.default_rng(seed)
    xy = generator.uniform(0, 400, (len(cameras), frames, len(BOARD.points), 2))
    xy[generator.random(xy.shape[:3]) < 0.2] = np.nan
    sizes = tuple((640, 480 + len(name)) for name in cameras)
    labels = tuple(f"moment {k}" for k in range(frames))
    return Observations(BOARD, cameras, sizes, xy, labels, tuple(range(5, 5 + len(cameras))))


def test_observations_survive_their_file(tmp_path: Path) -> None:
    written = random_observations()
    for observations in (written, written.select([]), written.select([2, 0])):
        observations.save(tmp_path / "seen.h5", overwrite=True)
        read = Observations.load(tmp_path / "seen.h5")
        assert np.array_equal(read.xy, observations.xy, equal_nan=True)
        for name in ("board", "cameras", "image_sizes", "frames", "images"):
            assert getattr(read, name) == getattr(observations, name)
    with pytest.raises(OutputExistsError):
        written.save(tmp_path / "seen.h5")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_a_named_error_or_reads(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "seen.h5"
    random_observations().save(path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    with contextlib.suppress(Lift3DError):
        Observations.load(path)


def test_cameras_come_in_natural_order_and_moments_are_selected() -> None:
    ordered = random_observations()
    swapped = Observations(BOARD, ("cam10", "cam2"), ((640, 485), (640, 484)), ordered.xy[::-1], ordered.frames, (6, 5))
    assert swapped.cameras == ("cam2", "cam10")
    assert np.array_equal(swapped.xy, ordered.xy, equal_nan=True)
    assert (swapped.image_sizes, swapped.images) == (ordered.image_sizes, ordered.images)
    chosen = ordered.select(np.array([True, False, True]))
    assert chosen.frames == ("moment 0", "moment 2")
    assert np.array_equal(chosen.xy, ordered.xy[:, [0, 2]], equal_nan=True)


def test_impossible_observations() -> None:
    good = random_observations()
    for change, message in [
        ({"xy": good.xy[:, :2]}, "xy must be"),
        ({"xy": np.where(np.isnan(good.xy), np.inf, good.xy)}, "infinite"),
        ({"cameras": ("a", "a")}, "same name: a"),
        ({"image_sizes": ((640, 480),)}, "one entry for each camera"),
        ({"image_sizes": ((640, 0), (640, 480))}, "image_sizes must be"),
    ]:
        fields = {name: getattr(good, name) for name in Observations.__dataclass_fields__} | change
        with pytest.raises(ShapeError, match=message):
            Observations(**fields)


def test_two_recordings_one_after_the_other() -> None:
    first, second = random_observations(1), random_observations(2, 2, ("cam2", "cam3"))
    both = merge(first, second)
    assert both.cameras == ("cam2", "cam3", "cam10")
    assert both.frames == ("1:moment 0", "1:moment 1", "1:moment 2", "2:moment 0", "2:moment 1")
    assert both.images == (10, 6, 6)
    assert np.array_equal(both.xy[0, :3], first.xy[0], equal_nan=True)
    assert np.array_equal(both.xy[1, 3:], second.xy[1], equal_nan=True)
    assert not both.seen[2, 3:].any()
    other = Observations(BOARD, ("cam2",), ((1, 1),), second.xy[:1], second.frames, (2,))
    with pytest.raises(ShapeError, match="camera 'cam2' has images of 640x484 pixels"):
        merge(first, other)
    with pytest.raises(BoardError, match="two boards"):
        merge(
            first,
            Observations(Board("chessboard", (6, 5), 0.05), ("cam2",), ((640, 484),), second.xy[:1], ("", ""), (2,)),
        )


def test_selection_covers_what_is_rare() -> None:
    """Of 200 moments in one corner of the image and a few elsewhere, tilted or seen by two, the few are kept."""
    points = BOARD.points
    common = 300 * points[None, :, :2] / points.max() * 0.2 + [20, 20]
    xy = np.full((2, 206, len(points), 2), np.nan)
    xy[0, :200] = common + np.random.default_rng(0).uniform(0, 4, (200, 1, 2))
    for k, place in enumerate([(500, 20), (20, 380), (500, 380)]):
        xy[0, 200 + k] = common[0] + place
    xy[0, 203] = common[0] * [1, 0.5]  # tilted
    xy[:, 204] = common[0]  # seen by both
    xy[0, 205] = 3 * common[0]  # close
    chosen = select_moments(xy, points, ((640, 480), (640, 480)), 20)
    assert len(chosen) == 20
    assert (np.diff(chosen) > 0).all()
    assert {200, 201, 202, 203, 204, 205} <= set(chosen)
    assert np.array_equal(select_moments(xy, points, ((640, 480), (640, 480)), 500), np.arange(206))
