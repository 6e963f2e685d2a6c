"""Corners found in rendered views, against where they truly are."""

import cv2
import numpy as np
import pytest
from board_views import CAMERA, pose, view

from lift3d.calibration.boards import Board
from lift3d.calibration.chessboards import board_size, find_chessboard
from lift3d.calibration.detection import detect, detect_board
from lift3d.calibration.diagnosis import explain
from lift3d.calibration.markers import charuco_board
from lift3d.errors import ShapeError
from lift3d.geometry.cameras import Camera

CHESSBOARD = Board("chessboard", (9, 6), 0.028)
BOARDS = {
    "chessboard": CHESSBOARD,
    "chessboard, inverted": Board("chessboard", (8, 5), 0.03, inverted=True),
    "charuco": Board("charuco", (5, 7), 0.035, 0.026),
    "charuco, even rows, inverted": Board("charuco", (6, 6), 0.035, 0.025, "DICT_5X5_100", inverted=True),
    "aprilgrid": Board("aprilgrid", (4, 4), 0.045, 0.035),
    "aruco": Board("aruco", (3, 4), 0.055, 0.042),
    "apriltags": Board("aruco", (3, 3), 0.06, 0.045, "DICT_APRILTAG_36h11"),
}
TURNS = [(0, 0, 7), (30, 20, 40), (-35, 10, -100), (10, -40, 180)]


def errors(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(found - true, axis=1)
    return distance[np.isfinite(distance)]


@pytest.mark.parametrize("name", BOARDS)
def test_corners_to_a_tenth_of_a_pixel(name: str) -> None:
    board = BOARDS[name]
    for turn in TURNS:
        seen = view(board, *pose(board, 0.6, turn))
        found = detect(seen.image, board)
        assert np.isfinite(found).all()
        distances = errors(found, seen.xy)
        assert np.sqrt(np.mean(distances**2)) < 0.05
        assert distances.max() < 0.1


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.type != "chessboard"])
def test_a_part_of_a_board_with_markers(name: str) -> None:
    board = BOARDS[name]
    seen = view(board, *pose(board, 0.45, (5, 25, 15), (0.12, 0.05)))
    found = detect(seen.image, board)
    assert not seen.inside.all()
    assert np.isfinite(found[:, 0]).sum() >= 4
    assert errors(found, seen.xy).max() < 0.15


def test_a_part_of_a_chessboard_is_not_taken_for_all() -> None:
    seen = view(CHESSBOARD, *pose(CHESSBOARD, 0.45, (5, 25, 15), (0.12, 0.05)))
    assert np.isnan(detect(seen.image, CHESSBOARD)).all()


def test_a_lens_that_bends() -> None:
    camera = Camera(CAMERA.K, np.array([-0.3, 0.1, 0.001, -0.001, 0]), image_size=CAMERA.image_size)
    for board in (CHESSBOARD, BOARDS["charuco"], BOARDS["aprilgrid"], BOARDS["aruco"]):
        seen = view(board, *pose(board, 0.5, (20, -20, 10)), camera)
        found = detect(seen.image, board)
        assert np.isfinite(found[:, 0]).mean() > 0.7
        assert errors(found, seen.xy).max() < 0.15


@pytest.mark.parametrize("squares", [(8, 6), (6, 8), (8, 5), (5, 8)])
def test_the_first_corner_is_the_same_however_the_board_is_turned(squares: tuple[int, int]) -> None:
    """Where the colours tell the ends apart, each corner is found where it truly is; else all turn together."""
    board = Board("chessboard", squares, 0.03)
    for angle in range(5, 365, 45):
        seen = view(board, *pose(board, 0.7, (0, 0, angle)))
        found = detect(seen.image, board)
        if board.ambiguous:
            assert min(errors(found, seen.xy).max(), errors(found, seen.xy[::-1]).max()) < 0.1
        else:
            assert errors(found, seen.xy).max() < 0.1


def test_counts_given_in_the_other_order_find_the_same_corners() -> None:
    board = Board("chessboard", (8, 5), 0.03)
    other = Board("chessboard", (5, 8), 0.03)
    seen = view(board, *pose(board, 0.7, (10, 20, 30)))
    found = detect(seen.image, other)
    assert np.isfinite(found).all()
    # Still seen from the front: x to y turns clockwise in the image.
    grid = found.reshape(7, 4, 2)
    across, down = grid[0, 1] - grid[0, 0], grid[1, 0] - grid[0, 0]
    assert across[0] * down[1] - across[1] * down[0] > 0


def test_a_part_of_a_larger_board_is_not_taken_for_a_smaller_one() -> None:
    seen = view(CHESSBOARD, *pose(CHESSBOARD, 0.6, (10, 20, 30)))
    assert find_chessboard(seen.image, (8, 5)) is not None
    for corners in [(7, 5), (5, 6), (8, 4), (6, 4), (9, 5), (8, 6)]:
        assert find_chessboard(seen.image, corners) is None
    assert board_size(seen.image) == (8, 5)


def test_old_charuco_prints_are_read() -> None:
    """OpenCV before 4.6 put the first marker elsewhere on boards with an even number of rows."""
    board = Board("charuco", (5, 6), 0.04, 0.03)
    for legacy in (False, True):
        picture = charuco_board(board, legacy).generateImage((1000, 1200), marginSize=0)
        image = np.full((480, 640), 230, np.uint8)
        image[40:440, 150:483] = cv2.resize(picture, (333, 400), interpolation=cv2.INTER_AREA)
        found = detect_board(image, board)
        assert found.count == 20
        assert found.variant == int(legacy)
        scale = 333 / 0.2
        assert np.abs(found.xy - (board.points[:, :2] * scale + [150, 40] - 0.5)).max() < 0.5


# The first four codes of the family 36h11 (E. Olson, "AprilTag", ICRA 2011), most significant bit first.
CODES = [0xD5D628584, 0xD97F18B49, 0xDD280910E, 0xE479E9C98]


def kalibr_grid(border: int, cell: int = 8) -> np.ndarray:
    """2 x 2 tags drawn as Kalibr's PDF has them: tag 0 at the lower left, x to the right and y up, gaps of 0.25."""
    side = (6 + 2 * border) * cell
    gap = side // 4
    size = 2 * side + 3 * gap
    sheet = np.full((size + 4 * gap, size + 4 * gap), 255, np.uint8)
    part = sheet[2 * gap : 2 * gap + size, 2 * gap : 2 * gap + size]
    for number, code in enumerate(CODES):
        bits = np.array([[code >> (6 * row + column) & 1 for column in range(6)] for row in range(6)], np.uint8)
        tag = np.pad(np.rot90(bits, 2), border) * 255
        row, column = 1 - number // 2, number % 2
        top, left = gap + row * (side + gap), gap + column * (side + gap)
        part[top : top + side, left : left + side] = np.kron(tag, np.ones((cell, cell), np.uint8))
    for row in range(3):
        for column in range(3):
            top, left = row * (side + gap), column * (side + gap)
            part[top : top + gap, left : left + gap] = 0
    return sheet


@pytest.mark.parametrize("border", [2, 1])
def test_kalibrs_own_grid(border: int) -> None:
    board = Board("aprilgrid", (2, 2), 0.1, 0.08)
    image = cv2.GaussianBlur(kalibr_grid(border), (0, 0), 0.8)
    found = detect_board(image, board)
    side = (6 + 2 * border) * 8
    assert found.count == 16
    assert np.abs(found.xy - (board.points[:, :2] / 0.08 * side + 3 * (side // 4) - 0.5)).max() < 0.1


@pytest.mark.parametrize("name", ["charuco", "aprilgrid", "aruco"])
def test_a_mirrored_image_shows_no_markers_and_is_explained(name: str) -> None:
    board = BOARDS[name]
    image = np.ascontiguousarray(view(board, *pose(board, 0.6, (20, 10, 5))).image[:, ::-1])
    assert detect_board(image, board).count == 0
    assert "mirrored" in (explain([image], board) or "")


def test_what_else_is_wrong_is_explained() -> None:
    chess = view(CHESSBOARD, *pose(CHESSBOARD, 0.6, (20, 10, 5))).image
    assert "show a chessboard of 8x5 inner corners, the board's fields say 9x6" in (
        explain([chess], Board("chessboard", (10, 7), 0.03)) or ""
    )
    assert "a chessboard of 8x5 inner corners, but no markers" in (explain([chess], BOARDS["charuco"]) or "")
    charuco = view(BOARDS["charuco"], *pose(BOARDS["charuco"], 0.6, (20, 10, 5))).image
    assert "set inverted = true" in (explain([255 - charuco], BOARDS["charuco"]) or "")
    assert "a board of 5x7 squares" in (explain([charuco], Board("charuco", (7, 5), 0.035, 0.026)) or "")
    other = Board("charuco", (5, 7), 0.035, 0.026, "DICT_6X6_250")
    assert "show markers of DICT_4X4_1000" in (explain([charuco], other) or "")
    assert explain([np.full((480, 640), 200, np.uint8)], BOARDS["charuco"]) is None


@pytest.mark.parametrize("name", ["chessboard", "charuco", "aruco"])
def test_a_blurred_view_is_less_sharp(name: str) -> None:
    board = BOARDS[name]
    image = view(board, *pose(board, 0.5, (15, 10, 20))).image
    moved = cv2.blur(image, (7, 1))
    sharp, blurred = detect_board(image, board).sharpness, detect_board(moved, board).sharpness
    assert blurred < 0.65 * sharp


def test_nothing_is_found_where_nothing_is() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300), dtype=np.uint8)
    for image in (noise, np.zeros((200, 300), np.uint8), np.zeros((3, 3), np.uint8)):
        for board in BOARDS.values():
            found = detect_board(image, board)
            assert found.count == 0
            assert np.isnan(found.sharpness)


def test_colour_images_and_what_is_no_image() -> None:
    seen = view(CHESSBOARD, *pose(CHESSBOARD, 0.6))
    colour = cv2.cvtColor(seen.image, cv2.COLOR_GRAY2BGR)
    assert np.array_equal(detect(colour, CHESSBOARD), detect(seen.image, CHESSBOARD))
    for wrong in (seen.image.astype(float), colour[..., :2], seen.image[0]):
        with pytest.raises(ShapeError, match="uint8"):
            detect(wrong, CHESSBOARD)
