"""Configurations of training runs as YAML files, with overrides from the command line."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import yaml  # type: ignore[import-untyped]
from pydantic import TypeAdapter, ValidationError

from lift3d.errors import ConfigurationError, FileFormatError
from lift3d.io.files import atomic_path
from lift3d.io.rig_text import load_yaml
from lift3d.training.config_checks import find_conflicts
from lift3d.training.configuration import TrainingConfig

# A configuration is a page of text; anything much longer is another file.
LARGEST_FILE = 1 << 20
# The fields that name files, which are relative to the configuration file, or to the working directory in overrides.
PATHS = ("model.start", "data.folder", "data.set", "data.unlabelled", "data.synthetic.folder")


def read_config(path: str | PathLike[str], overrides: Sequence[str] = ()) -> TrainingConfig:
    """The configuration in a YAML file.

    Paths of data are relative to the file; in overrides they are relative to the working directory. The configuration
    holds them as absolute paths.

    Args:
        path: the YAML file.
        overrides: ``field.subfield=value``, the value in YAML; they replace what the file says.

    Raises:
        FileFormatError: the file cannot be read as YAML.
        ConfigurationError: a field is unknown, missing, of a wrong type, impossible, or does not go with another; it
            names the file, the field and what is allowed.
    """
    file = Path(path)
    values = _read_yaml(file)
    _resolve_paths(values, file.absolute().parent)
    for override in overrides:
        _apply_override(values, override)
    return parse_config(values, file)


def parse_config(values: Mapping[str, Any], path: str | PathLike[str]) -> TrainingConfig:
    """The configuration of plain values, as YAML gives them; ``path`` is only for messages.

    Raises:
        ConfigurationError: a field is unknown, missing, of a wrong type or impossible, or does not go with another.
    """
    for field, problem in _unknown_fields(TrainingConfig, values, ""):
        raise ConfigurationError(f"{path}, field {field}: {problem}")
    try:
        config = _adapter().validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        # A field of a union is reported below the name of the union's member, which is no field.
        field = ".".join(str(part) for part in first["loc"] if part not in ("synthesis", "pose_set"))
        raise ConfigurationError(f"{path}, field {field}: {_sentence(first)}") from None
    for field, problem in find_conflicts(config):
        raise ConfigurationError(f"{path}, field {field}: {problem}")
    return config


def to_dict(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as plain values; ``parse_config`` turns them back."""
    return _plain(asdict(config))  # type: ignore[no-any-return]


def write_config(config: TrainingConfig, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write a configuration as YAML. Raises OutputExistsError if the file exists and ``overwrite`` is False."""
    with atomic_path(path, overwrite) as temporary:
        text = yaml.safe_dump(to_dict(config), sort_keys=False, default_flow_style=None, width=100)
        temporary.write_text(text, encoding="utf-8")


def find_differences(first: TrainingConfig, second: TrainingConfig) -> list[str]:
    """``field: first's value, second's value`` of every field in which two configurations differ."""
    values, others = _flatten(to_dict(first)), _flatten(to_dict(second))
    return [
        f"{name}: {values.get(name)!r}, {others.get(name)!r}"
        for name in dict.fromkeys([*values, *others])
        if values.get(name) != others.get(name)
    ]


@lru_cache
def _adapter() -> TypeAdapter[TrainingConfig]:
    return TypeAdapter(TrainingConfig)


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileFormatError(path, "there is no such configuration file")
    if path.stat().st_size > LARGEST_FILE:
        raise FileFormatError(path, "too large for a configuration; give the YAML file of a training run")
    try:
        text = path.read_text(encoding="utf-8")
        # Refuses aliases, which can make a page of text a billion values, and fields that stand there twice.
        load_yaml(text, path)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileFormatError(path, f"not YAML ({' '.join(str(error).split())})") from error
    return dict(values)


def _apply_override(values: dict[str, Any], override: str) -> None:
    """Set one ``field.subfield=value`` in nested plain values."""
    name, equals, text = override.partition("=")
    source = f"--set {override}"
    if not equals or not all(name.split(".")):
        raise ConfigurationError(f"{source}: give a field and its value, such as optimizer.learning_rate=3e-4")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: the value is not YAML ({' '.join(str(error).split())})") from error
    *parents, last = name.split(".")
    inner = values
    for parent in parents:
        if inner.get(parent) is None:
            inner[parent] = {}
        inner = inner[parent]
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{source}: {parent} has no fields")
    inner[last] = value
    # What is absolute stays as it is.
    _resolve_paths(values, Path.cwd())


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Make the paths in nested plain values absolute, and say where motion is that has no folder of its own."""
    data = values.get("data")
    if not isinstance(data, dict):
        return
    for motion in (data if data.get("source") == "synthesis" else None, data.get("synthetic")):
        if isinstance(motion, dict):
            motion.setdefault("folder", ".")
    for path in PATHS:
        *parents, name = path.split(".")
        inner: Any = values
        for parent in parents:
            inner = inner.get(parent) if isinstance(inner, dict) else None
        # Checkpoints that ship are named without an ending.
        ships = path == "model.start" and isinstance(inner, dict) and not Path(str(inner.get(name))).suffix
        if isinstance(inner, dict) and isinstance(inner.get(name), str) and not ships:
            inner[name] = str((folder / inner[name]).resolve())


def _unknown_fields(kind: Any, values: Any, place: str) -> Iterator[tuple[str, str]]:
    """(field, problem) of every name in nested values that the dataclass ``kind`` does not have."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        members = [member for member in get_args(kind) if is_dataclass(member)]
        named = {_source_of(member): member for member in members if _source_of(member)}
        source = values.get("source") if isinstance(values, dict) else None
        kind = named.get(source) if named and isinstance(source, str) else (members[0] if len(members) == 1 else None)
    if not is_dataclass(kind) or not isinstance(values, dict):
        return
    hints = get_type_hints(kind, include_extras=True)
    known = [field.name for field in fields(kind)]
    for name, value in values.items():
        field = f"{place}.{name}" if place else str(name)
        if name in known:
            yield from _unknown_fields(hints[name], value, field)
            continue
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        yield field, f"there is no such field; {hint}"


def _source_of(member: Any) -> str:
    return next((str(field.default) for field in fields(member) if field.name == "source"), "")


def _sentence(error: Any) -> str:
    """One problem that pydantic found, in a sentence."""
    if error["type"] in ("missing", "missing_argument"):
        return "the field is missing"
    if error["type"] == "union_tag_not_found":
        return "say where the data come from, source: synthesis or source: pose_set"
    if error["type"] == "union_tag_invalid":
        return f"source must be {error['ctx']['expected_tags']}, not {error['ctx']['tag']!r}"
    if "ctx" in error and isinstance(error["ctx"].get("error"), Exception):
        return str(error["ctx"]["error"])
    message = error["msg"]
    return f"{message[:1].lower()}{message[1:]}, not {reprlib.repr(error['input'])}"


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _flatten(values: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        field = f"{place}.{name}" if place else name
        flat |= _flatten(value, field) if isinstance(value, Mapping) and value else {field: value}
    return flat
