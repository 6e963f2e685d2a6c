"""Several cameras on one command line: ``NAME=PATH``, or plain paths that name themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lift3d.errors import CameraError, Lift3DError

if TYPE_CHECKING:
    from lift3d.geometry.rigs import Rig


def named_paths(items: Sequence[str]) -> dict[str, str]:
    """The paths by camera name, in the order given.

    ``NAME=PATH`` says the name. A plain path is called after its file without the ending or after its folder; where
    that is the same for several (``cam1/pose.json cam2/pose.json``), after the nearest folder that tells them apart.
    What exists and has ``=`` in its path is a path.

    Args:
        items: the arguments; ``~`` at the start of a path is the home folder, also behind ``NAME=``.

    Returns:
        Path by name. Whether the paths exist is left to those who read them.

    Raises:
        Lift3DError: two items have one name or are the same path, or a name or a path is empty.
    """
    pairs = [_split(item) for item in items]
    own_names = iter(_own_names([path for name, path in pairs if name is None]))
    result: dict[str, str] = {}
    for name, path in pairs:
        key = next(own_names) if name is None else name
        if key in result:
            raise Lift3DError(f"{result[key]} and {path} are both called {key!r}; say NAME=PATH with names that differ")
        result[key] = path
    return result


def camera_paths(sources: Sequence[str], rig: Rig) -> dict[str, str]:
    """Paths by the names of the rig's cameras: by name where all arguments have names of the rig, else by order.

    Raises:
        CameraError: some names are not in the rig, and the paths are not one for each of its cameras.
    """
    paths = named_paths(sources)
    unknown = [name for name in paths if name not in rig.names]
    if not unknown:
        return paths
    said = [name for name, path in paths.items() if path not in sources]
    if said or len(paths) != len(rig):
        raise CameraError(
            f"the rig has no camera {', '.join(map(repr, unknown))}; its cameras are {', '.join(rig.names)}: say "
            f"NAME=PATH with these names, or give one path for each of the {len(rig)} in this order"
        )
    return dict(zip(rig.names, paths.values(), strict=True))


def _split(item: str) -> tuple[str | None, str]:
    """Name (None for a plain path) and path of one argument."""
    path = os.path.expanduser(item)
    if "=" not in item or os.path.exists(path):
        name = None
    else:
        name, _, path = item.partition("=")
        name, path = name.strip(), os.path.expanduser(path)
    if name == "" or not path:
        raise Lift3DError(f"{item!r} is neither a path nor NAME=PATH")
    return name, path


def _own_names(paths: list[str]) -> list[str]:
    """Names of plain paths: the last part of each path, or the nearest part before it that differs between all."""
    whole = [Path(os.path.abspath(path)) for path in paths]
    endless = [path if path.is_dir() else path.with_suffix("") for path in whole]
    for depth in range(1, 1 + min((len(path.parts) for path in endless), default=0)):
        names = [path.parts[-depth] for path in endless]
        if len(set(names)) == len(names):
            return names
    return [path.name for path in endless]
