"""``lift3d prepare``: a data set as one file to train and evaluate on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.console import counted, progress_bar, report
from lift3d.cli.options import AsJson, Overwrite, require_new

if TYPE_CHECKING:
    from lift3d.datasets.prepare import Prepared


def prepare(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The data set, see --list.")] = None,
    source: Annotated[Path | None, typer.Argument(metavar="SOURCE", help="Its files, as they were downloaded.")] = None,
    output: Annotated[Path | None, typer.Argument(metavar="OUT", help="The result, an .h5 file.")] = None,
    keypoints: Annotated[
        str | None, typer.Option("--keypoints", metavar="NAME|FILE", help="Which 2D, where the set has several.")
    ] = None,
    cameras: Annotated[
        Path | None, typer.Option("--cameras", metavar="FILE", help="The cameras, where they are not beside the set.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the data set, see --list; may be repeated."),
    ] = None,
    list_sets: Annotated[bool, typer.Option("--list", help="The data sets, their sources and options.")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Turn a data set into one file to train and evaluate on."""
    if list_sets:
        _list_sets(as_json)
        return
    if name is None or source is None or output is None:
        raise typer.BadParameter("say NAME SOURCE OUT; lift3d prepare --list shows the names")
    require_new(output, overwrite, (".h5",))
    from lift3d.datasets.prepare import get_options
    from lift3d.datasets.prepare import prepare as prepare_set

    given = {"keypoints": keypoints, "cameras": None if cameras is None else str(cameras)}
    texts = {option: value for option, value in given.items() if value is not None}
    options = _parse(texts | _split(settings or []), get_options(name), name)
    with progress_bar(f"preparing {name}") as progress:
        prepared = prepare_set(name, source, output, overwrite, progress, options)
    report(_summary(source, prepared), _describe(prepared), as_json)


def _split(settings: Sequence[str]) -> dict[str, str]:
    found = {}
    for setting in settings:
        option, equals, value = setting.partition("=")
        if not equals or not option:
            raise typer.BadParameter(f"{setting!r} is not OPTION=VALUE", param_hint="--set")
        found[option.strip()] = value
    return found


def _parse(texts: dict[str, str], known: dict[str, tuple[Any, Any]], name: str) -> dict[str, Any]:
    """The values of options as their types; of sequences the items stand between commas."""
    from pydantic import TypeAdapter, ValidationError

    parsed = {}
    for option, text in texts.items():
        if option not in known:
            there = f"; it has {', '.join(known)}" if known else ""
            raise typer.BadParameter(f"{name} has no option {option!r}{there}", param_hint="--set")
        adapter = TypeAdapter(known[option][0])
        candidates: list[Any] = [text, [part.strip() for part in text.split(",")]]
        for candidate in candidates:
            try:
                parsed[option] = adapter.validate_python(candidate)
                break
            except ValidationError as error:
                problem = error.errors()[0]["msg"]
        else:
            raise typer.BadParameter(f"{option}={text}: {problem}", param_hint="--set")
    return parsed


def _list_sets(as_json: bool) -> None:
    from lift3d.datasets.prepare import DATA_SETS, get_options

    summary = {}
    lines = []
    for name, data_set in DATA_SETS.items():
        defaults = {option: default for option, (_, default) in get_options(name).items()}
        summary[name] = {"title": data_set.title, "source": data_set.source, "options": defaults}
        lines += [f"{name}: {data_set.title}", f"  SOURCE: {data_set.source}"]
        lines += [f"  --set {option}={_written(default)}" for option, default in defaults.items()]
    report({"data_sets": summary}, "\n".join(lines), as_json)


def _written(value: Any) -> str:
    """A default as it would be written."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _summary(source: Path, prepared: Prepared) -> dict[str, Any]:
    from dataclasses import asdict

    info = prepared.info
    cameras = {name: asdict(camera) for name, camera in prepared.cameras.items()}
    return {
        "input": source,
        "output": prepared.output,
        "name": info.name,
        "recordings": prepared.recordings,
        "frames": prepared.frames,
        "views": prepared.views,
        "missing": prepared.missing,
        "subjects": prepared.subjects,
        "actions": prepared.actions,
        "training": info.training,
        "test": info.test,
        "skeleton_3d": info.skeleton_3d,
        "skeleton_2d": info.skeleton_2d,
        "space": info.space,
        "keypoints": info.keypoints,
        "rules": info.rules,
        "cameras": cameras,
        "exclusions": info.exclusions,
        "provenance": info.provenance,
    }


def _describe(prepared: Prepared) -> str:
    info = prepared.info
    missing = f", {prepared.missing:.1%} missing" if prepared.missing else ""
    lines = [
        f"{info.name}: {counted(prepared.recordings, 'recording')}, {counted(prepared.frames, 'frame')}, "
        f"{counted(prepared.views, 'view')}",
        f"subjects: {_shortened(prepared.subjects)}",
        f"actions: {_shortened(prepared.actions)}",
        f"3D: {info.skeleton_3d}, {info.space} space{missing}",
        f"2D: {info.skeleton_2d}" + (f", {info.keypoints}" if info.keypoints else ""),
    ]
    if prepared.cameras:
        lines.append("cameras (median distance of projected poses from the 2D):")
    shown = list(prepared.cameras.items())[:20]
    for name, camera in shown:
        apart = "nothing to compare"
        if camera.pixels is not None and camera.of_body is not None:
            apart = f"{camera.pixels:.2f} pixels, {camera.of_body:.2%} of the body's size"
        lines.append(f"  {name}: {counted(camera.views, 'view')}, {apart}")
    if len(prepared.cameras) > len(shown):
        lines.append(f"  and {len(prepared.cameras) - len(shown)} more")
    lines += info.exclusions
    lines += info.provenance.get("notes", [])
    lines.append(f"{prepared.output}: written")
    return "\n".join(lines)


def _shortened(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(name or "(none)" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
