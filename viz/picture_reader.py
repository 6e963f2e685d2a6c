"""The videos' frames for a viewer that must not wait for them: read beside it, always the one that is wanted now."""

from __future__ import annotations

import threading

from lift3d.errors import Lift3DError
from lift3d.viz.drawing import Picture
from lift3d.viz.look import Look
from lift3d.viz.stage import Stage

Wanted = tuple[int, Look, str | None]


class PictureReader:
    """Reads a stage's pictures in a thread of its own; leaves out those no longer wanted when it gets to them.

    Args:
        stage: the clip; nobody else reads its pictures meanwhile.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.error = ""
        self._wanted: Wanted | None = None
        self._read: tuple[Picture, ...] | None = None
        self._change = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def ask(self, frame: int, look: Look, through: str | None) -> None:
        """Say which pictures are wanted from now on: those of a frame under a look, seen through a camera."""
        with self._change:
            self._wanted = (frame, look, through)
            self._change.notify()

    def newest(self) -> tuple[Picture, ...] | None:
        """The pictures that were read since this was last asked; None if there are no new ones."""
        with self._change:
            pictures, self._read = self._read, None
        return pictures

    def _work(self) -> None:
        done: Wanted | None = None
        while True:
            with self._change:
                self._change.wait_for(lambda done=done: self._wanted != done)  # type: ignore[misc]
                done = self._wanted
            if done is None:
                continue
            try:
                pictures = self.stage.pictures(done[0], done[2])
            except Lift3DError as error:
                pictures, self.error = (), str(error)
            with self._change:
                self._read = pictures
