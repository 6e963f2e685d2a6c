"""Writing without losing anything: a temporary name, then a rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from lift3d.errors import Lift3DError, OutputExistsError


def check_output(path: str | PathLike[str], overwrite: bool = False) -> None:
    """Raise what ``atomic_path`` would raise, before the work is done and not after it.

    Raises:
        OutputExistsError: ``path`` exists and ``overwrite`` is False.
        Lift3DError: the folder does not exist or cannot be written.
    """
    final = Path(path)
    if final.exists() and not overwrite:
        raise OutputExistsError(f"{final} exists already; choose another name or pass --overwrite")
    if not final.parent.is_dir():
        raise Lift3DError(f"{final}: the folder {final.parent} does not exist")
    if final.is_dir() or not os.access(final.parent, os.W_OK):
        raise Lift3DError(f"{final}: cannot be written here; check the folder's permissions")


@contextmanager
def atomic_path(path: str | PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; renamed to ``path`` when the block ends well, removed otherwise.

    The temporary name keeps the ending, which many writers read the format from.

    Raises:
        OutputExistsError: ``path`` exists and ``overwrite`` is False.
        Lift3DError: the folder does not exist or cannot be written.
    """
    check_output(path, overwrite)
    final = Path(path)
    temporary = final.with_name(f".{final.stem}.{os.getpid()}.part{final.suffix}")
    try:
        yield temporary
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
