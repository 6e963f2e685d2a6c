"""Ctrl-C and SIGTERM as a wish to stop, so that a run can save what it has before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether somebody asked the process to stop."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal; the second one no longer waits.

        Raises:
            KeyboardInterrupt: it was asked before.
        """
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def catch_interruption() -> Iterator[Interruption]:
    """SIGINT and SIGTERM set ``asked`` while the block runs. Outside the main thread signals cannot be caught."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
