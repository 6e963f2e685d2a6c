"""The viewer's state: time against the wall clock, what keys do, and where its copies of shapes are put."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift3d.viz.drawing import Cylinders, Ellipsoids, Spheres
from lift3d.viz.keys import ACTIONS, DIGITS, KEYS, press
from lift3d.viz.live_scene import cylinder_transforms, ellipsoid_transforms, sphere_transforms
from lift3d.viz.look import Look
from lift3d.viz.player import SPEEDS, Player


def player(frames: int = 100, fps: float | None = 50.0, **values) -> Player:
    views = ("front", "side", "top", "overview", "cam1", "cam2")
    return Player(frames, fps, 3, ("face", "legs", "trunk"), views, views[4:], **values)


@given(st.lists(st.floats(0.001, 0.9), max_size=30), st.sampled_from(SPEEDS))
def test_playing_keeps_to_the_wall_clock_however_seldom_it_is_drawn(pauses, speed):
    p = player(frames=10**6, fps=60.0)
    p.speed = speed
    p.play()
    for pause in pauses:
        p.advance(pause)
    assert p.frame == pytest.approx(sum(pauses) * speed * 60, abs=1)


def test_slow_drawing_leaves_frames_out():
    p = player()
    p.play()
    shown = []
    for _ in range(5):
        p.advance(0.1)
        shown.append(p.frame)
    assert shown == [5, 10, 15, 20, 25]


def test_quick_drawing_shows_a_frame_more_than_once():
    p = player()
    p.play()
    shown = []
    for _ in range(8):
        p.advance(1 / 128)
        shown.append(p.frame)
    assert shown == [0, 0, 1, 1, 1, 2, 2, 3]  # 50 / 128 of a frame each


def test_a_paused_player_stands_still_and_an_unknown_rate_is_30():
    p = player(fps=None)
    p.advance(5)
    assert p.frame == 0
    assert p.seconds is None
    p.play()
    p.advance(0.5)
    assert p.frame == 15
    p.play()
    p.advance(5)
    assert p.frame == 15


def test_at_the_end_it_stops_or_begins_anew():
    p = player(frames=100)
    p.play()
    p.advance(60)
    assert (p.frame, p.playing) == (99, False)
    p.play()
    assert (p.frame, p.playing) == (0, True)
    p.switch_loop()
    p.advance(1.98)
    assert (p.frame, p.playing) == (99, True)
    p.advance(0.04)  # the last frame lasts as long as any other
    assert p.frame == 1
    p.advance(20)  # ten rounds
    assert p.frame == 1


def test_a_clip_of_one_frame_plays():
    p = player(frames=1)
    p.play()
    p.advance(1)
    assert (p.frame, p.playing) == (0, False)


def test_a_step_pauses_and_a_jump_does_not():
    p = player()
    p.play()
    p.jump(1)
    assert (p.frame, p.playing) == (50, True)
    p.step(-1)
    assert (p.frame, p.playing) == (49, False)
    p.jump(-3)
    assert p.frame == 0
    p.step(-1)
    assert p.frame == 0
    p.go_to(10**9)
    assert p.frame == 99


def test_steps_go_on_from_the_frame_that_is_seen():
    p = player()
    p.play()
    p.advance(0.0399)  # 1.995 frames
    p.step(1)
    assert p.frame == 2


def test_speeds_end_and_return():
    p = player()
    for _ in range(20):
        p.change_speed(1)
    assert p.speed == SPEEDS[-1]
    p.change_speed(-1)
    assert p.speed == SPEEDS[-2]
    p.change_speed(0)
    assert p.speed == 1.0


def keys(p: Player, *names: str) -> Player:
    for name in names:
        assert press(p, name)
    return p


def test_a_frame_is_typed():
    p = keys(player(), "G", "FOUR", "TWO", "ONE", "BACKSPACE")
    assert (p.typed, p.frame) == ("42", 0)
    keys(p, "ENTER")
    assert (p.typed, p.frame) == (None, 42)
    keys(p, "G", "SEVEN", "ESCAPE")  # thought better of it
    assert (p.typed, p.frame, p.closed) == (None, 42, False)
    keys(p, "G", *["NINE"] * 5000, "ENTER")
    assert p.frame == 99
    keys(p, "G", "ENTER")
    assert p.frame == 99
    assert not press(p, "ENTER")


def test_digits_are_cameras_unless_a_frame_is_typed():
    p = keys(player(), "TWO")
    assert p.through == "cam2"
    keys(p, "NINE")  # there is no ninth
    assert p.through == "cam2"
    keys(p, "S")
    assert (p.viewpoint, p.through) == ("side", None)
    keys(p, "G", "ONE", "ENTER")
    assert (p.viewpoint, p.frame) == ("side", 1)


def test_viewpoints_that_are_not_there_are_not_taken():
    p = Player(10, viewpoints=("front", "side", "top"))
    keys(p, "O", "ONE")
    assert p.viewpoint == "front"


def test_people_are_followed_in_turn_but_not_from_a_camera():
    p = player()
    followed = []
    for _ in range(5):
        keys(p, "N")
        followed.append(p.follow)
    assert followed == [0, 1, 2, None, 0]
    keys(p, "ONE")
    assert (p.through, p.follow) == ("cam1", None)
    keys(p, "N")
    assert (p.through, p.follow) == (None, 0)


def test_who_is_followed_is_shown():
    p = keys(player(), "F1", "F3", "F9")
    assert p.look.hidden_people == {0, 2}
    keys(p, "N")
    assert p.look.hidden_people == {2}
    keys(p, "F3")
    assert p.look.hidden_people == frozenset()


def test_parts_are_hidden_one_after_the_other_and_sides_beside_them():
    p = keys(player(), "LEFT_BRACKET")
    hidden = []
    for _ in range(5):
        keys(p, "B")
        hidden.append(p.look.hidden_parts)
    assert hidden == [{"left", "face"}, {"left", "legs"}, {"left", "trunk"}, {"left"}, {"left", "face"}]
    keys(p, "LEFT_BRACKET", "RIGHT_BRACKET", "RIGHT_BRACKET")
    assert p.look.hidden_parts == {"face"}


@pytest.mark.parametrize(("key", "field"), [("R", "trails"), ("U", "ellipsoids"), ("E", "errors"), ("I", "pictures")])
def test_switches_come_back_to_what_was_given(key, field):
    look = Look(trails=2.5, ellipsoids=1.5, errors=True, pictures=True)
    p = player(look=look)
    keys(p, key)
    assert not getattr(p.look, field)
    keys(p, key)
    assert p.look == look
    without = Look(trails=0.0, ellipsoids=0.0, errors=False, pictures=False)
    q = keys(player(look=without), key)
    assert getattr(q.look, field)
    assert q.look != without


def test_help_closes_before_the_viewer():
    p = keys(player(), "SLASH")
    assert p.help
    keys(p, "ESCAPE")
    assert (p.help, p.closed) == (False, False)
    keys(p, "Q")
    assert p.closed


def test_every_key_has_one_action_and_stands_in_the_help():
    names = [name for key in KEYS for name in key.names]
    assert len(names) == len(set(names)) == len(ACTIONS)
    assert not set(names) & {"ENTER"}
    for key in KEYS:
        assert len(key.names) == len(key.actions)
        assert key.shown.strip()
        assert key.words.strip()
    assert len({key.words for key in KEYS}) == len(KEYS)
    assert set(DIGITS.values()) == set("0123456789")


def test_all_that_a_viewer_can_do_is_done_by_keys():
    reached: set[str] = set()
    for action in ACTIONS.values():
        reached.add(getattr(action, "__name__", ""))
        action(_Spy(reached))
    typed = {"type", "erase", "confirm"}
    inner = {"advance", "frame", "seconds", "through", "follow_person"}
    assert {name for name in vars(Player) if not name.startswith("_")} - typed - inner <= reached


class _Spy(Player):
    """A player that writes down which of its methods are called."""

    def __init__(self, reached: set[str]) -> None:
        super().__init__(10, viewpoints=("front", "cam"), cameras=("cam",), people=2, parts=("face",))
        object.__setattr__(self, "reached", reached)

    def __getattribute__(self, name: str):
        value = super().__getattribute__(name)
        if callable(value) and not name.startswith("__"):
            super().__getattribute__("reached").add(name)
        return value


def test_an_unknown_key_does_nothing():
    p = player()
    before = dict(vars(p))
    assert not press(p, "CAPS_LOCK")
    assert vars(p) == before


points = st.floats(-5, 5, width=32)


@given(st.lists(st.tuples(*[points] * 6), min_size=1, max_size=6), st.floats(0.01, 0.2))
def test_the_unit_cylinder_lands_on_each_bone(ends, radius):
    both = np.array(ends, np.float32).reshape(-1, 2, 3)
    starts, tips = both[:, 0], both[:, 1]
    apart = np.linalg.norm(tips - starts, axis=1) > 0.01
    starts, tips = starts[apart], tips[apart]
    radii = np.full(len(starts), radius, np.float32)
    T = cylinder_transforms(Cylinders(starts, tips, radii, np.ones_like(starts)))
    np.testing.assert_allclose((T @ [0, 0, 0, 1])[:, :3], starts, atol=1e-5)
    np.testing.assert_allclose((T @ [0, 0, 1, 1])[:, :3], tips, atol=1e-5)
    for angle in (0.0, 1.0, 2.5):
        off = (T @ [np.cos(angle), np.sin(angle), 0, 0])[:, :3]
        np.testing.assert_allclose(np.linalg.norm(off, axis=1), radius, rtol=1e-4)
        np.testing.assert_allclose((off * (tips - starts)).sum(axis=1), 0, atol=1e-4)
    assert (np.linalg.det(T[:, :3, :3]) > 0).all()  # not inside out


def test_what_is_missing_has_no_place():
    nan = np.array([[np.nan, 0, 0], [1, 2, 3]], np.float32)
    ones = np.ones(2, np.float32)
    T = sphere_transforms(Spheres(nan, 0.1 * ones, np.ones((2, 3))))
    assert np.isnan(T[0]).any()
    np.testing.assert_allclose(T[1] @ [1, 0, 0, 1], [1.1, 2, 3, 1])
    T = cylinder_transforms(Cylinders(nan, nan + 1, ones, np.ones((2, 3))))
    assert np.isnan(T[0]).any()
    assert np.isfinite(T[1]).all()


def test_error_bars_are_turned_not_mirrored():
    axes = np.diag([0.1, 0.2, -0.3])[None].astype(np.float32)
    T = ellipsoid_transforms(Ellipsoids(np.zeros((1, 3), np.float32), axes, np.ones((1, 3))))
    assert np.linalg.det(T[0, :3, :3]) == pytest.approx(0.006)
