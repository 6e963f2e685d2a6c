"""The viewer's keys: what each does, and the words for it that the viewer shows.

Names are those of Open3D's ``KeyName``; they mean the key's place on an American keyboard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lift3d.viz.player import Player

DIGITS = {
    name: str(number)
    for number, name in enumerate(("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"))
}
CAMERA_KEYS = tuple(DIGITS)[1:]
PERSON_KEYS = tuple(f"F{number}" for number in range(1, 10))


@dataclass(frozen=True)
class Key:
    """One line of the help: the keys' names, as they are shown, what they do, and in words.

    Attributes:
        names: the keys' names; each has the action of the same place in ``actions``.
        shown: the keys as the help shows them.
        actions: what is done to the player.
        words: what the help says.
    """

    names: tuple[str, ...]
    shown: str
    actions: tuple[Callable[[Player], None], ...]
    words: str


def _from(viewpoint: str) -> Callable[[Player], None]:
    return lambda player: player.look_from(viewpoint)


def _camera(number: int, player: Player) -> None:
    player.look_through(number)


def _person(person: int, player: Player) -> None:
    player.switch_person(person)


KEYS: tuple[Key, ...] = (
    Key(("SPACE",), "Space", (Player.play,), "play or pause"),
    Key(("LEFT", "RIGHT"), "Left Right", (lambda p: p.step(-1), lambda p: p.step(1)), "one frame back, on"),
    Key(("DOWN", "UP"), "Down Up", (lambda p: p.jump(-1), lambda p: p.jump(1)), "one second back, on"),
    Key(
        ("HOME", "END"),
        "Home End",
        (lambda p: p.go_to(0), lambda p: p.go_to(p.frames - 1)),
        "first, last frame",
    ),
    Key(("G",), "G", (Player.ask_frame,), "go to a frame: type its number, then Enter"),
    Key(
        ("COMMA", "PERIOD", "BACKSPACE"),
        ", . Backspace",
        (lambda p: p.change_speed(-1), lambda p: p.change_speed(1), lambda p: p.change_speed(0)),
        "slower, faster, the clip's own speed",
    ),
    Key(("L",), "L", (Player.switch_loop,), "loop"),
    Key(
        ("F", "S", "T", "O"),
        "F S T O",
        tuple(map(_from, ("front", "side", "top", "overview"))),
        "front, side, top, all",
    ),
    Key(CAMERA_KEYS, "1 ... 9", tuple(partial(_camera, n) for n in range(1, 10)), "through a camera"),
    Key(("N",), "N", (Player.follow_next,), "follow the next person, or nobody"),
    Key(PERSON_KEYS, "F1 ... F9", tuple(partial(_person, n) for n in range(9)), "hide or show a person"),
    Key(
        ("LEFT_BRACKET", "RIGHT_BRACKET"),
        "[ ]",
        (lambda p: p.switch_part("left"), lambda p: p.switch_part("right")),
        "hide or show the left, the right side",
    ),
    Key(("B",), "B", (Player.hide_next_part,), "hide the next part of the body, or none"),
    Key(("R",), "R", (Player.switch_trails,), "trails"),
    Key(("U",), "U", (Player.switch_ellipsoids,), "error bars"),
    Key(("E",), "E", (Player.switch_errors,), "colours by the distance from truth"),
    Key(("I",), "I", (Player.switch_pictures,), "the videos' frames in the cameras"),
    Key(("P",), "P", (Player.save_picture,), "save a picture"),
    Key(("TAB",), "Tab", (Player.switch_panel,), "the panel"),
    Key(("SLASH", "QUESTION_MARK", "H"), "? H", (Player.switch_help,) * 3, "these keys"),
    Key(("ESCAPE", "Q"), "Esc Q", (Player.leave,) * 2, "close"),
)
ACTIONS = {name: action for key in KEYS for name, action in zip(key.names, key.actions, strict=True)}


def press(player: Player, name: str) -> bool:
    """Do what a key says; returns whether it says anything.

    Args:
        player: the viewer's state.
        name: the key's name.
    """
    if player.typed is not None and (typing := _typing(player, name)) is not None:
        typing()
        return True
    if name in ACTIONS:
        ACTIONS[name](player)
        return True
    return False


def _typing(player: Player, name: str) -> Callable[[], None] | None:
    """What a key does while a frame's number is typed, None if that is what it always does."""
    if name in DIGITS:
        return partial(player.type, DIGITS[name])
    return {"ENTER": player.confirm, "BACKSPACE": player.erase}.get(name)
