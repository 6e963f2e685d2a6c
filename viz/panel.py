"""What surrounds the viewer's scene: the bar with time and slider, the panel of switches, and the keys in words.

Each part passes what is done with the mouse to the player, and shows the player's state when it is told to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lift3d.palette import side_colours
from lift3d.viz.keys import KEYS
from lift3d.viz.look import rgb
from lift3d.viz.meshes import import_open3d
from lift3d.viz.player import SPEEDS, Player
from lift3d.viz.stage import Stage

DARK = 0.13, 0.14, 0.16, 1.0
NOBODY, BY_HAND = "nobody", "moved by hand"
# More people than these make the panel longer than any screen; keys and the list of whom to follow reach the others.
MOST_PEOPLE = 40
# A label is as wide as its text was when the window was laid out: room for numbers that grow.
SPARE = 40 * " "


def time_text(player: Player) -> str:
    """Where the player is, in words: time, frame, speed."""
    if player.typed is not None:
        return f"go to frame {player.typed}_   (0 to {player.frames - 1}; Enter to go, Esc to stay)"
    words = [f"frame {player.frame} / {player.frames - 1}"]
    if player.fps and player.seconds is not None:
        words.insert(0, f"{player.seconds:.2f} / {(player.frames - 1) / player.fps:.2f} s")
    else:
        words.append("frame rate unknown")
    words.append(f"{player.speed:g}x" + ", loop" * player.loop + ", paused" * (not player.playing))
    return "      ".join(words)


class Bar:
    """The bar below: play, the slider through the clip, and where it is.

    Args:
        player: the state.
        changed: called after each change of it.
        em: the size of a letter in pixels.
    """

    def __init__(self, player: Player, changed: Callable[[], object], em: float) -> None:
        gui = import_open3d().visualization.gui
        self.player = player
        self.widget = gui.Vert(0.2 * em, gui.Margins(0.6 * em, 0.4 * em, 0.6 * em, 0.4 * em))
        self.widget.background_color = gui.Color(*DARK)
        self.slider = gui.Slider(gui.Slider.INT)
        self.slider.set_limits(0, max(player.frames - 1, 1))
        self.slider.set_on_value_changed(self._scrubbed)
        self.changed = changed
        self.play = _button("Play", player.play, changed)
        row = gui.Horiz(0.4 * em)
        row.add_child(self.play)
        for words, step in (("<", -1), (">", 1)):
            row.add_child(_button(words, partial(player.step, step), changed))
        row.add_child(_button("Go to", player.ask_frame, changed))
        self.words = gui.Label("")
        row.add_child(self.words)
        row.add_stretch()
        self.notice = gui.Label("")
        row.add_child(self.notice)
        self.widget.add_child(self.slider)
        self.widget.add_child(row)

    def show(self, notice: str) -> None:
        """Show the player's state, and a sentence beside it."""
        self.slider.int_value = self.player.frame
        self.play.text = "Pause" if self.player.playing else "Play"
        self.words.text, self.notice.text = time_text(self.player) + SPARE, notice

    def _scrubbed(self, frame: float) -> None:
        self.player.go_to(int(frame))
        self.changed()


class Panel:
    """The panel at the right: what is drawn, whom to follow, and from where.

    Args:
        player, changed, em: those of ``Bar``.
        stage: the clip; switches that its clip has nothing for are left out.
    """

    def __init__(self, player: Player, changed: Callable[[], object], em: float, stage: Stage) -> None:
        self.gui = import_open3d().visualization.gui
        self.player, self.changed, self.em, self.stage = player, changed, em, stage
        self.widget = self.gui.ScrollableVert(0.2 * em, self.gui.Margins(0.7 * em, 0.7 * em, 0.7 * em, 0.7 * em))
        self.widget.background_color = self.gui.Color(*DARK)
        self.shows: list[Callable[[], None]] = []
        self._add_view()
        self._add_switches()
        self._add_people()
        self._add_parts()
        self.widget.add_child(_button("Save a picture  (P)", player.save_picture, changed))
        self.widget.add_child(_button("Keys  (?)", player.switch_help, changed))

    def show(self) -> None:
        """Show the player's state."""
        for show in self.shows:
            show()

    def _add_view(self) -> None:
        player = self.player
        names = (*player.viewpoints, BY_HAND)
        self._heading("View from")
        self._choice(
            names,
            lambda: names.index(player.viewpoint or BY_HAND),
            lambda place: player.look_from(names[place]),
        )
        if player.people:
            self._heading("Follow")
            people = (NOBODY, *self.stage.names)
            self._choice(
                people,
                lambda: 0 if player.follow is None else player.follow + 1,
                lambda place: player.follow_person(place - 1 if place else None),
            )
        self._heading("Speed")
        self._choice(
            tuple(f"{speed:g}x" for speed in SPEEDS),
            lambda: SPEEDS.index(player.speed),
            lambda place: setattr(player, "speed", SPEEDS[place]),
        )
        self._switch("Loop  (L)", lambda: player.loop, player.switch_loop)

    def _add_switches(self) -> None:
        player, stage = self.player, self.stage
        self._heading("Draw")
        self._switch("Trails  (R)", lambda: player.look.trails > 0, player.switch_trails)
        if stage.clip.has("sigma"):
            self._switch("Error bars  (U)", lambda: player.look.ellipsoids > 0, player.switch_ellipsoids)
        if stage.has_pictures:
            self._switch("Video frames  (I)", lambda: player.look.pictures, player.switch_pictures)
        if stage.truth is not None:
            self._switch("Error colours  (E)", lambda: player.look.errors, player.switch_errors)
            legend = self.gui.Label(SPARE)
            self.widget.add_child(legend)
            self.shows.append(lambda: self._show_legend(legend))

    def _show_legend(self, legend: Any) -> None:
        scale = self.stage.error_legend
        legend.visible = bool(scale)
        if scale:
            legend.text = f"dark: 0 mm, bright: {scale[-1][0]:.0f} mm or more"

    def _add_people(self) -> None:
        player, people = self.player, self.player.people
        if people < 2:
            return
        self._heading("People  (F1 ... F9)")
        for person, name in enumerate(self.stage.names[:MOST_PEOPLE]):
            self._switch(
                name,
                partial(_person_shown, player, person),
                partial(player.switch_person, person),
                rgb(side_colours(person, people)["middle"]),
            )

    def _add_parts(self) -> None:
        player = self.player
        self._heading("Parts  ([ ] B)")
        for part in ("left", "right", *player.parts):
            self._switch(
                f"{part} side" if part in ("left", "right") else part,
                partial(_part_shown, player, part),
                partial(player.switch_part, part),
                rgb(side_colours(0, 1)[part]) if player.people == 1 and part in ("left", "right") else None,
            )

    def _heading(self, words: str) -> None:
        label = self.gui.Label(words)
        label.text_color = self.gui.Color(0.62, 0.67, 0.74)
        self.widget.add_child(label)

    def _switch(
        self, words: str, state: Callable[[], bool], switch: Callable[[], None], colour: np.ndarray | None = None
    ) -> None:
        """A check box; with a colour its swatch stands before the words."""
        box = self.gui.Checkbox(words)

        def checked(now: bool) -> None:
            if now != state():
                switch()
            self.changed()

        box.set_on_checked(checked)
        self.shows.append(lambda: setattr(box, "checked", state()))
        if colour is None:
            self.widget.add_child(box)
            return
        row = self.gui.Horiz(0.4 * self.em)
        swatch = _button("", switch, self.changed)
        swatch.vertical_padding_em, swatch.horizontal_padding_em = 0.0, 0.35
        swatch.background_color = self.gui.Color(*map(float, colour))
        row.add_child(swatch)
        row.add_child(box)
        self.widget.add_child(row)

    def _choice(self, items: tuple[str, ...], state: Callable[[], int], choose: Callable[[int], None]) -> None:
        box = self.gui.Combobox()
        for item in items:
            box.add_item(item)

        def chosen(_: str, place: int) -> None:
            choose(place)
            self.changed()

        box.set_on_selection_changed(chosen)
        self.shows.append(lambda: setattr(box, "selected_index", state()))
        self.widget.add_child(box)


def help_widget(em: float) -> Any:
    """The keys and what they do, as a sheet of two columns."""
    gui = import_open3d().visualization.gui
    sheet = gui.VGrid(2, 0.35 * em, gui.Margins(1.2 * em, em, 1.2 * em, em))
    sheet.background_color = gui.Color(*DARK)
    for key in KEYS:
        shown = gui.Label(key.shown)
        shown.text_color = gui.Color(1.0, 0.78, 0.35)
        sheet.add_child(shown)
        sheet.add_child(gui.Label(key.words))
    for shown_words, words in (("left drag, wheel", "turn, nearer or farther"), ("Ctrl + drag", "move sideways")):
        label = gui.Label(shown_words)
        label.text_color = gui.Color(0.62, 0.67, 0.74)
        sheet.add_child(label)
        sheet.add_child(gui.Label(words))
    return sheet


def _button(words: str, action: Callable[[], None], changed: Callable[[], object]) -> Any:
    button = import_open3d().visualization.gui.Button(words)

    def clicked() -> None:
        action()
        changed()

    button.set_on_clicked(clicked)
    return button


def _person_shown(player: Player, person: int) -> bool:
    return person not in player.look.hidden_people


def _part_shown(player: Player, part: str) -> bool:
    return part not in player.look.hidden_parts
