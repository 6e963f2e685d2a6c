"""What a command says: results on stdout, for people or as JSON, and messages and progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any

import typer

Progress = Callable[[int, int], None]
Stages = Callable[[str, int, int], None]


def say(message: str) -> None:
    """Print a message on stderr."""
    typer.echo(message, err=True)


def report(summary: dict[str, Any], text: str, as_json: bool) -> None:
    """Print a command's result on stdout: ``text`` for people, or ``summary`` as strict JSON."""
    typer.echo(to_json(summary) if as_json else text)


def to_json(values: Any) -> str:
    """Indented JSON of plain values, paths and numpy numbers and arrays; what is not finite becomes null."""
    return json.dumps(_plain(values), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, PathLike):
        return fspath(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def progress_bar(title: str) -> Iterator[Progress | None]:
    """A function ``(done, total)`` that moves a progress bar on stderr; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def progress_stages() -> Iterator[Stages | None]:
    """A function ``(stage, done, total)`` that moves a bar a stage on stderr; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def move(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=None)
            bar.update(tasks[stage], completed=done, total=total)

        yield move


def to_text(values: dict[str, Any], indent: str = "") -> str:
    """Plain values as lines of ``key: value``, what is nested indented; what is unknown (None) is left out."""
    lines = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{key}:", to_text(value, indent + "  ")]
        elif value is not None:
            shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            lines.append(f"{indent}{key}: {shown}")
    return "\n".join(lines)


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
