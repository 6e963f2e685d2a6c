"""``lift3d analyze``: joint angles, repetitions, speeds, balance, two takes, sessions, as a report and as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift3d.cli.console import counted, report
from lift3d.cli.inputs import read_motion
from lift3d.cli.options import AsJson, FrameRate, Overwrite, require_new
from lift3d.errors import Lift3DError

if TYPE_CHECKING:
    from lift3d.motion.analysis import Analysis
    from lift3d.poses import Poses3D


def analyze(
    file: Annotated[Path, typer.Argument(help="A file of 3D poses.")],
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="The report, with plots and words.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", metavar="CSV", help="Angles, speeds and contacts of every frame.")
    ] = None,
    exercise: Annotated[
        str,
        typer.Option("--exercise", metavar="NAME", help="squat, lunge, push_up, curl, jumping_jack; or auto, none."),
    ] = "auto",
    exercises: Annotated[
        Path | None, typer.Option("--exercises", metavar="YAML", help="Exercises of your own, for --exercise.")
    ] = None,
    form_rules: Annotated[
        Path | None, typer.Option("--form-rules", metavar="YAML", help="Form rules of your own.")
    ] = None,
    norms: Annotated[Path | None, typer.Option("--norms", metavar="YAML", help="Norms of your own.")] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="Another take of the movement, or a reference.")
    ] = None,
    sessions: Annotated[
        list[str] | None,
        typer.Option(
            "--session", metavar="DATE=FILE", help="An earlier or later session, by date or label; once for each."
        ),
    ] = None,
    session: Annotated[
        str | None, typer.Option("--this-session", metavar="DATE", help="The date or label of FILE itself.")
    ] = None,
    smooth: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="NAME[:VALUE]", help="Filter first: butterworth:6 (Hz), butterworth:auto, ..."
        ),
    ] = None,
    fps: FrameRate = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Analyse a motion: angles, range of motion, repetitions, speeds, balance."""
    for path, ending in ((report_file, ".html"), (table, ".csv")):
        if path is not None:
            require_new(path, overwrite, [ending])
    if bool(sessions) != (session is not None):
        raise typer.BadParameter("--session and --this-session go together: the date or label of every file is needed")

    from lift3d.motion.analysis import analyze as analyze_poses
    from lift3d.motion.rule_files import get_exercise, read_exercises, read_form_rules, read_norms

    poses = _read(file, fps, smooth)
    chosen: Any = {"none": None, "auto": "auto"}.get(exercise, exercise)
    if exercises is not None:
        own = read_exercises(exercises)
        if exercise not in own:
            raise typer.BadParameter(f"{exercises} defines {', '.join(own)}; say which by --exercise")
        chosen = own[exercise]
    elif chosen not in (None, "auto"):
        chosen = get_exercise(exercise)
    found = analyze_poses(
        poses,
        chosen,
        form_rules=None if form_rules is None else read_form_rules(form_rules),
        norms=None if norms is None else read_norms(norms),
        other=None if compare is None else _read(compare, fps, smooth),
        sessions=_sessions(sessions, session, poses, fps, smooth) if sessions and session is not None else None,
    )
    # What can fail comes before anything is written.
    rows = None if table is None else found.to_dataframe()
    if report_file is not None:
        found.save(report_file, overwrite)
    if table is not None and rows is not None:
        from lift3d.io.files import atomic_path

        with atomic_path(table, overwrite) as temporary:
            rows.to_csv(temporary, index=False, float_format="%.6g")
    written = [path for path in (report_file, table) if path is not None]
    lines = [*_words(found), *(f"{path}: written" for path in written)]
    report({"input": file, "output": written, **found.to_dict()}, "\n".join(lines), as_json)


def _read(path: Path, fps: float | None, smooth: str | None) -> Poses3D:
    from lift3d.motion.filters import filter_poses, parse_filter
    from lift3d.poses import Poses3D

    poses = read_motion(path, fps=fps)
    if not isinstance(poses, Poses3D):
        raise typer.BadParameter(f"{path} holds 2D keypoints; lift or triangulate them first")
    if poses.fps is None:
        raise Lift3DError(f"{path} does not say its frame rate, which an analysis needs; give it by --fps")
    poses = replace(poses, provenance={"source": str(path), **poses.provenance})
    if smooth is None:
        return poses
    method, parameters = parse_filter(smooth)
    return filter_poses(poses, method, **parameters)


def _sessions(texts: list[str], own: str, poses: Poses3D, fps: float | None, smooth: str | None) -> dict[Any, Poses3D]:
    """The sessions by date where all are dates (2025-03-31), else by label."""
    named: dict[str, Poses3D] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise typer.BadParameter(f"{text!r} is not DATE=FILE", param_hint="--session")
        if name in named or name == own:
            raise typer.BadParameter(f"two sessions are called {name}", param_hint="--session")
        named[name] = _read(Path(path), fps, smooth)
    named[own] = poses
    try:
        return {date.fromisoformat(name): session for name, session in named.items()}
    except ValueError:
        return dict(named)


def _words(found: Analysis) -> list[str]:
    """What a person reads in the terminal."""
    from lift3d.motion.report_words import clip_line, summary

    lines = [clip_line(found.poses)]
    for person in range(found.poses.people):
        lines += [f"  {sentence}" for sentence in summary(found, person)]
    if found.comparison is not None:
        lines.append(
            f"  beside the other take: similarity {found.comparison.similarity:.0f} of 100, postures "
            f"{1000 * found.comparison.distance:.0f} mm apart"
        )
    if found.progress is not None:
        real = [item for item in found.progress if item.real and item.limit == "range"]
        lines.append(f"  over the sessions {counted(len(real), 'range')} of motion changed by more than the error")
        lines += [f"    {item.title}: {item.change:+.0f} degrees" for item in real]
    missing = len(found.angles.missing)
    if missing:
        lines.append(f"  {counted(missing, 'angle')} cannot be had from this layout or clip (the report says why)")
    return lines
