"""What a viewer shows at the moment: frame, speed, viewpoint, who and what is hidden. It draws nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lift3d.viz.look import Look
from lift3d.viz.trails import ASSUMED_FPS

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
# What the switches turn on where the look that was given has none of it: seconds, and standard deviations.
TRAILS, ELLIPSOIDS = 1.0, 2.0
MOST_DIGITS = 9


class Player:
    """The state of a viewer, changed by its keys and its panel.

    Args:
        frames: the clip's number of frames, at least 1.
        fps: its frame rate; None plays it at 30 frames/s.
        people: how many people the clip has.
        parts: the parts of the body that can be hidden.
        viewpoints: names of the places to look from; the first is taken at the start.
        cameras: those of ``viewpoints`` that are a camera's own view.
        look: what is drawn at the start.

    Attributes:
        frame: the frame that is shown.
        playing, speed, loop: how time passes.
        viewpoint: the name of the viewpoint; None once the viewer was moved by hand.
        follow: the person whom the viewer moves along with, None if nobody.
        look: what is drawn.
        typed: the digits of the frame to go to, None while none is asked for.
        help, panel: whether the keys and the panel are shown.
        picture, closed: whether a picture is to be saved, and the viewer to be closed.
    """

    def __init__(
        self,
        frames: int,
        fps: float | None = None,
        people: int = 0,
        parts: Sequence[str] = (),
        viewpoints: Sequence[str] = (),
        cameras: Sequence[str] = (),
        look: Look | None = None,
    ) -> None:
        self.frames, self.fps, self.people = frames, fps, people
        self.parts, self.viewpoints, self.cameras = tuple(parts), tuple(viewpoints), tuple(cameras)
        self.look = look or Look()
        self._trails = self.look.trails or TRAILS
        self._ellipsoids = self.look.ellipsoids or ELLIPSOIDS
        self._position = 0.0
        self.playing, self.speed, self.loop = False, 1.0, False
        self.viewpoint: str | None = self.viewpoints[0] if self.viewpoints else None
        self.follow: int | None = None
        self.typed: str | None = None
        self.help, self.panel = False, True
        self.picture = self.closed = False

    # Time

    @property
    def frame(self) -> int:
        """The frame that is shown, counted from 0."""
        return int(self._position)

    @property
    def seconds(self) -> float | None:
        """The time of the frame that is shown, None without a frame rate."""
        return self.frame / self.fps if self.fps else None

    def advance(self, seconds: float) -> None:
        """Let so many seconds of the wall clock pass; frames that there was no time to draw are left out."""
        if not self.playing:
            return
        position = self._position + seconds * self.speed * (self.fps or ASSUMED_FPS)
        if self.loop:
            self._position = position % self.frames
        elif position < self.frames - 1:
            self._position = position
        else:
            self.go_to(self.frames - 1)
            self.playing = False

    def play(self) -> None:
        """Play or pause; at the end of the clip, play from its start."""
        if not self.playing and self.frame == self.frames - 1:
            self.go_to(0)
        self.playing = not self.playing

    def go_to(self, frame: int) -> None:
        """Show a frame, or the clip's first or last if it has no such frame."""
        self._position = float(min(max(frame, 0), self.frames - 1))

    def step(self, frames: int) -> None:
        """Pause, and go so many frames on, or back."""
        self.playing = False
        self.go_to(self.frame + frames)

    def jump(self, seconds: float) -> None:
        """Go so many seconds of the clip on, or back."""
        self.go_to(self.frame + round(seconds * (self.fps or ASSUMED_FPS)))

    def change_speed(self, steps: int) -> None:
        """Take the next higher or lower of ``SPEEDS``; 0 takes the clip's own speed."""
        place = SPEEDS.index(self.speed) + steps if steps else SPEEDS.index(1.0)
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]

    def switch_loop(self) -> None:
        """Begin anew at the end, or stop there."""
        self.loop = not self.loop

    # A frame by its number

    def ask_frame(self) -> None:
        """Wait for the digits of a frame's number."""
        self.typed = ""

    def type(self, digit: str) -> None:
        """One more digit of the number that was asked for."""
        self.typed = ((self.typed or "") + digit)[:MOST_DIGITS]

    def erase(self) -> None:
        """Take the last digit back."""
        self.typed = (self.typed or "")[:-1]

    def confirm(self) -> None:
        """Go to the frame that was typed."""
        if self.typed:
            self.go_to(int(self.typed))
        self.typed = None

    # Where from

    def look_from(self, viewpoint: str) -> None:
        """Take a viewpoint, if there is one of that name. A camera's view stands still: nobody is followed in it."""
        if viewpoint in self.viewpoints:
            self.viewpoint = viewpoint
            if viewpoint in self.cameras:
                self.follow = None

    def look_through(self, number: int) -> None:
        """Take the view of camera ``number``, counted from 1, if there is one."""
        if number <= len(self.cameras):
            self.look_from(self.cameras[number - 1])

    @property
    def through(self) -> str | None:
        """The camera whose own view is shown, None of any other view."""
        return self.viewpoint if self.viewpoint in self.cameras else None

    def follow_person(self, person: int | None) -> None:
        """Move along with a person, or with nobody; whoever is followed is shown."""
        self.follow = person
        if person is None:
            return
        if person in self.look.hidden_people:
            self.switch_person(person)
        if self.through is not None:
            self.viewpoint = self.viewpoints[0]

    def follow_next(self) -> None:
        """Follow the first person, the next, ..., nobody."""
        person = 0 if self.follow is None else self.follow + 1
        self.follow_person(person if person < self.people else None)

    # What is drawn

    def switch_person(self, person: int) -> None:
        """Hide or show a person, if the clip has so many."""
        if person < self.people:
            self.look = replace(self.look, hidden_people=self.look.hidden_people ^ {person})

    def switch_part(self, part: str) -> None:
        """Hide or show a part of the body, or "left" or "right"."""
        self.look = replace(self.look, hidden_parts=self.look.hidden_parts ^ {part})

    def hide_next_part(self) -> None:
        """Hide the first part of the body alone, the next, ..., none."""
        hidden = [part for part in self.parts if part in self.look.hidden_parts]
        place = self.parts.index(hidden[0]) + 1 if hidden else 0
        sides = self.look.hidden_parts - set(self.parts)
        self.look = replace(self.look, hidden_parts=sides | set(self.parts[place : place + 1]))

    def switch_trails(self) -> None:
        """Draw trails, or none."""
        self.look = replace(self.look, trails=0.0 if self.look.trails else self._trails)

    def switch_ellipsoids(self) -> None:
        """Draw error bars, or none."""
        self.look = replace(self.look, ellipsoids=0.0 if self.look.ellipsoids else self._ellipsoids)

    def switch_errors(self) -> None:
        """Colour people by their distance from truth, or by their own colours."""
        self.look = replace(self.look, errors=not self.look.errors)

    def switch_pictures(self) -> None:
        """Draw the videos' frames in their cameras, or not."""
        self.look = replace(self.look, pictures=not self.look.pictures)

    # The window

    def switch_help(self) -> None:
        """Show the keys, or hide them."""
        self.help = not self.help

    def switch_panel(self) -> None:
        """Show the panel, or hide it."""
        self.panel = not self.panel

    def save_picture(self) -> None:
        """Ask for a picture of what is shown."""
        self.picture = True

    def leave(self) -> None:
        """Stop asking for a frame's number, close the help, or else close the viewer."""
        if self.typed is not None:
            self.typed = None
        elif self.help:
            self.help = False
        else:
            self.closed = True
