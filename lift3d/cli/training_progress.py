"""What is seen of a training run while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lift3d.cli.console import say

if TYPE_CHECKING:
    from lift3d.training.status import Status

# Seconds between two lines where stderr is no terminal.
LINE_EVERY = 30.0
SHOWN = ("mpjpe", "p_mpjpe")
# Before the first step loops are compiled, see lift3d.training.compiled.
GETTING_READY = "getting ready, for half a minute the first time on a machine"


@contextmanager
def show_progress() -> Iterator[Callable[[Status], None]]:
    """A function that shows a run's status on stderr: a live bar on a terminal, now and then a line elsewhere.

    Each validation stays as a line of its own.
    """
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("Training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Training", total=None, figures=GETTING_READY)

        def show(status: Status) -> None:
            bar.update(task, completed=status.step, total=status.steps, figures=describe_status(status))
            if status.validation is not None:
                bar.console.print(describe_validation(status), highlight=False)

        yield show


def _lines() -> Callable[[Status], None]:
    last = time.monotonic()

    def show(status: Status) -> None:
        nonlocal last
        if status.validation is not None:
            say(describe_validation(status))
        elif time.monotonic() - last < LINE_EVERY:
            return
        else:
            say(f"step {status.step}/{status.steps}: {describe_status(status)}")
        last = time.monotonic()

    return show


def describe_status(status: Status) -> str:
    """``loss 0.0812, MPJPE 63.1 mm, 20,310 poses/s, 0:12:31 left``."""
    minutes, seconds = divmod(round(status.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"loss {status.loss:.4g}, MPJPE {status.mpjpe:.1f} mm, {status.poses_per_second:,.0f} poses/s, "
        f"{hours}:{minutes:02}:{seconds:02} left"
    )


def describe_validation(status: Status) -> str:
    """``step 500/9000: validation mpjpe 91.2, p_mpjpe 65.0 mm; loss ...``."""
    figures = status.validation or {}
    shown = ", ".join(f"{name} {figures[name]:.1f}" for name in SHOWN if name in figures)
    return f"step {status.step}/{status.steps}: validation {shown} mm; {describe_status(status)}"
