"""The viewer: one window in which a clip is played and looked at from all sides."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lift3d.errors import Lift3DError
from lift3d.io.files import atomic_path
from lift3d.viz.keys import press
from lift3d.viz.live_scene import LiveScene
from lift3d.viz.look import PARTS, body_parts
from lift3d.viz.meshes import import_open3d
from lift3d.viz.panel import Bar, Panel, help_widget
from lift3d.viz.picture_reader import PictureReader
from lift3d.viz.player import Player
from lift3d.viz.stage import Stage
from lift3d.viz.window_probe import require_window

# Widths in letters.
PANEL_WIDTH = 15
# (seconds since the last change, seconds between two drawings of what has not changed since).
REPEATS = (0.5, 0.1), (4.0, 0.5), (60.0, 2.0), (np.inf, np.inf)
WHITE = np.array([1.0, 1.0, 1.0, 1.0], np.float32)


def open_window(
    stage: Stage, title: str = "lift3d", folder: Path | None = None, size: tuple[int, int] = (1280, 800)
) -> None:
    """Show a clip in a window, and return when it is closed.

    Args:
        stage: the clip and all that is drawn of it.
        title: the window's title, and the beginning of saved pictures' names.
        folder: where pictures are saved; the current folder by default.
        size: the window's (width, height) in pixels.

    Raises:
        MissingDependencyError: Open3D is not there.
        Lift3DError: no window can be opened on this computer.
    """
    require_window()
    application = import_open3d().visualization.gui.Application.instance
    application.initialize()
    viewer = Viewer(stage, title, folder or Path.cwd(), size)
    application.run()
    if viewer.failure is not None:
        raise viewer.failure


def player_of(stage: Stage) -> Player:
    """The state in which a stage's viewer starts: paused at the first frame, seen from the front.

    Where cameras stand around the people all of it is seen.
    """
    viewpoints = stage.viewpoints
    cameras = [name for name, viewpoint in viewpoints.items() if viewpoint.camera is not None]
    first = "overview" if len(cameras) > 1 else "front"
    names = sorted(viewpoints, key=lambda name: name != first)
    there = set(body_parts(stage.clip.skeleton))
    return Player(stage.frames, stage.fps, stage.people, [p for p in PARTS if p in there], names, cameras, stage.look)


class Viewer:
    """The window: it passes keys to the player, and draws what the player says.

    Args:
        stage, title, folder, size: those of ``open_window``.
    """

    def __init__(self, stage: Stage, title: str, folder: Path, size: tuple[int, int]) -> None:
        o3d = import_open3d()
        gui, rendering = o3d.visualization.gui, o3d.visualization.rendering
        self.gui, self.o3d = gui, o3d
        self.stage, self.title, self.folder = stage, title, folder
        self.player = player_of(stage)
        self.notice = "? shows the keys"
        self.window = gui.Application.instance.create_window(title, *size)
        em = self.window.theme.font_size
        self.widget = gui.SceneWidget()
        self.widget.scene = rendering.Open3DScene(self.window.renderer)
        self.widget.set_view_controls(gui.SceneWidget.Controls.ROTATE_CAMERA)
        view = self.widget.scene.view
        view.set_post_processing(False)
        view.set_shadowing(False)
        self.widget.scene.set_background(WHITE)
        self.reader = PictureReader(stage) if stage.has_pictures else None
        self.live = LiveScene(self.widget, self.window.scaling)
        changed = partial(self._guarded, self._changed)
        self.bar = Bar(self.player, changed, em)
        self.panel = Panel(self.player, changed, em, stage)
        self.help = help_widget(em)
        for part in (self.widget, self.panel.widget, self.bar.widget, self.help):
            self.window.add_child(part)
        # What is on the screen: looked at by _changed to touch only what differs.
        self.drawn: tuple[Any, ...] = ()
        self.seen_from: tuple[str | None, float] | None = None
        self.followed: tuple[int | None, np.ndarray | None] = (None, None)
        self.backdrop: Any = None
        self.arranged: tuple[Any, ...] = ()
        self.asked_to_close = False
        self.failure: BaseException | None = None
        self.window.set_on_layout(self._lay_out)
        self.window.set_on_key(lambda event: self._guarded(partial(self._key, event)))
        self.window.set_on_tick_event(partial(self._guarded, self._tick))
        self.window.set_on_close(self._closing)
        self.widget.set_on_mouse(self._mouse)
        self.key_names = {int(key): name for name, key in gui.KeyName.__members__.items()}
        self.clock = self.changed_at = self.drawn_at = time.perf_counter()
        self._changed()

    def _guarded(self, work: Callable[[], bool]) -> bool:
        """Do what Open3D's loop asks for. An error raised out of that loop would end the process without a word."""
        try:
            return work()
        except BaseException as error:  # Ctrl-C too
            self.failure, self.player.closed = error, True
            self._close()
            return False

    def _close(self) -> None:
        """Close the window once Open3D is done with what it does now."""
        self.gui.Application.instance.post_to_main_thread(self.window, self.window.close)

    def _tick(self) -> bool:
        """Let the time pass since the last tick; returns whether something new is to be shown."""
        if self.asked_to_close:
            self.player.closed = True
            self._changed()
        now = time.perf_counter()
        elapsed, self.clock = now - self.clock, now
        before = self.player.frame, self.player.playing
        self.player.advance(elapsed)
        pictures = self.reader.newest() if self.reader is not None else None
        if self.reader is not None and pictures is not None:
            self.live.draw_pictures(pictures)
            self.notice = self.reader.error or self.notice
        if (self.player.frame, self.player.playing) != before or pictures is not None:
            self._changed()
            return True
        # A driver that is behind leaves out what it is told to draw, so the last state is drawn some more times.
        wait = next(wait for since, wait in REPEATS if now - self.changed_at < since)
        if now - self.drawn_at < wait:
            return False
        self.drawn_at = now
        self.widget.force_redraw()
        return True

    def _key(self, event: Any) -> bool:
        name = self.key_names.get(int(event.key), "")
        if name == "ESCAPE":
            self.asked_to_close = False  # what Esc does is the player's to say
        known = event.type == self.gui.KeyEvent.Type.DOWN and press(self.player, name)
        if known:
            self._changed()
        return known

    def _closing(self) -> bool:
        """Whether the window may close now. Open3D asks at its close button and, just before the key itself, at Esc."""
        self.asked_to_close = not self.player.closed
        return self.player.closed

    def _mouse(self, event: Any) -> Any:
        kinds = self.gui.MouseEvent.Type
        if event.type in (kinds.DRAG, kinds.WHEEL) and self.player.viewpoint is not None:
            self.player.viewpoint = None
            self.seen_from = (None, 0.0)
            self._changed()
        return self.gui.SceneWidget.EventCallbackResult.IGNORED

    def _changed(self) -> bool:
        """Show the player's state; True once that is done."""
        player = self.player
        if player.closed:
            self._close()
            return True
        if self.stage.look != player.look:
            self.stage.look = player.look
        if self.backdrop is not self.stage.backdrop:
            self.backdrop = self.stage.backdrop
            self.live.draw_backdrop(self.backdrop)
        wanted = (player.frame, player.look, player.through)
        if wanted != self.drawn:
            self.live.draw(self.stage.bodies(player.frame))
            if self.reader is not None:
                if self.drawn[1:] != wanted[1:]:  # the last ones would stand before the people
                    self.live.draw_pictures(())
                through = self.stage.viewpoints[player.through].camera if player.through else None
                self.reader.ask(player.frame, player.look, through.name if through else None)
            self.drawn = wanted
        self._take_viewpoint()
        self._follow()
        self.bar.show(self.notice)
        self.panel.show()
        arranged = (player.help, player.panel, player.typed is None, self.notice)
        if arranged != self.arranged:
            self.help.visible, self.panel.widget.visible = player.help, player.panel
            self.window.set_needs_layout()
            self.arranged = arranged
        if player.picture:
            player.picture = False
            self._save_picture()
        self.changed_at = self.drawn_at = time.perf_counter()
        self.widget.force_redraw()
        self.window.post_redraw()
        return True

    def _lay_out(self, context: Any) -> None:
        gui, area = self.gui, self.window.content_rect
        em = self.window.theme.font_size
        unlimited = gui.Widget.Constraints()
        below = self.bar.widget.calc_preferred_size(context, unlimited).height
        beside = PANEL_WIDTH * em if self.player.panel else 0
        height = area.height - below
        self.widget.frame = gui.Rect(area.x, area.y, area.width - beside, height)
        self.panel.widget.frame = gui.Rect(area.get_right() - beside, area.y, beside, height)
        self.bar.widget.frame = gui.Rect(area.x, area.get_bottom() - below, area.width, below)
        size = self.help.calc_preferred_size(context, unlimited)
        self.help.frame = gui.Rect(area.x + em, area.y + em, size.width, min(size.height, height - 2 * em))
        self._take_viewpoint()

    def _take_viewpoint(self) -> None:
        """Look from where the player says, if that or the window's shape has changed."""
        frame = self.widget.frame
        if frame.width < 1 or frame.height < 1 or self.player.viewpoint is None:
            return
        wanted = (self.player.viewpoint, frame.width / frame.height)
        if wanted == self.seen_from:
            return
        self.seen_from = wanted
        viewpoint = self.stage.viewpoints_for(wanted[1])[wanted[0]]
        bounds = self.widget.scene.bounding_box
        if viewpoint.camera is None:
            self.widget.setup_camera(viewpoint.field_of_view, bounds, np.float32(viewpoint.target))
            self.widget.look_at(*(np.float32(v) for v in (viewpoint.target, viewpoint.eye, viewpoint.up)))
        else:
            extrinsics = np.eye(4)
            extrinsics[:3, :3], extrinsics[:3, 3] = viewpoint.extrinsics()
            intrinsics = viewpoint.intrinsics(frame.width, frame.height)
            self.widget.setup_camera(intrinsics, extrinsics, frame.width, frame.height, bounds)
            self.widget.center_of_rotation = np.float32(viewpoint.target)
        self.followed = (None, None)

    def _follow(self) -> None:
        """Move along with the person who is followed, as far as that one has gone since the last frame."""
        person = self.player.follow
        if person is None:
            self.followed = (None, None)
            return
        place = self.stage.middle(self.player.frame, person)
        if np.array_equal(place, self.stage.centre):  # nobody is there now
            return
        last = self.followed[1] if self.followed[0] == person else None
        if last is None:
            last = self.widget.center_of_rotation
        self.followed = (person, place)
        pose = self.widget.scene.camera.get_model_matrix()
        eye, back, up = pose[:3, 3], pose[:3, 2], pose[:3, 1]
        distance = float(np.linalg.norm(self.widget.center_of_rotation - eye))
        moved = np.float32(place - last)
        self.widget.look_at(eye + moved - distance * back, eye + moved, up)

    def _save_picture(self) -> None:
        path = self.folder / f"{self.title}-{self.player.frame:06d}.png"
        copies = 1
        while path.exists():
            copies += 1
            path = self.folder / f"{self.title}-{self.player.frame:06d}-{copies}.png"

        def write(image: Any) -> None:
            try:
                with atomic_path(path) as temporary:
                    self.o3d.io.write_image(str(temporary), image)
                self.notice = f"saved {path.name}"
            except (Lift3DError, OSError) as error:
                self.notice = str(error)
            self._changed()

        self.widget.scene.scene.render_to_image(write)
