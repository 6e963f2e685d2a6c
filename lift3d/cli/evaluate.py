"""``lift3d evaluate``: how far predicted poses are from the truth, or a checkpoint's poses on a prepared data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift3d.cli.console import progress_bar, report, to_json
from lift3d.cli.options import AsJson, Overwrite, read_camera, require_new

if TYPE_CHECKING:
    from lift3d.evaluation.coverage import SigmaTally


def evaluate(
    what: Annotated[
        str, typer.Argument(metavar="PREDICTION|CHECKPOINT", help="The predicted 3D poses, or a checkpoint.")
    ],
    truth: Annotated[Path | None, typer.Argument(help="The 3D poses to compare with.")] = None,
    camera: Annotated[
        str | None,
        typer.Option("--camera", metavar="RIG:NAME", help="The camera that saw it, where the truth is in world space."),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", metavar="SET.h5", help="Evaluate a checkpoint on this prepared data set."),
    ] = None,
    subjects: Annotated[
        str | None, typer.Option("--subjects", metavar="S9,S11", help="Whose recordings; else the set's test subjects.")
    ] = None,
    actions: Annotated[str | None, typer.Option("--actions", metavar="A,B", help="Which actions; else all.")] = None,
    flip: Annotated[
        bool, typer.Option("--flip/--no-flip", help="Average with the mirrored clip's poses, as papers do.")
    ] = True,
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale",
            metavar="NAME",
            help="Scale of the poses: none (the network's metres), height (true statures), best (one factor a clip) or "
            "truth (one factor a frame).",
        ),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            "--rules",
            metavar="NAME",
            help="Family of published numbers: plain, videopose3d, motionbert; else the set's.",
        ),
    ] = None,
    placed: Annotated[
        bool, typer.Option("--placed", help="Evaluate what 'lift3d lift' gives, with the path of the root.")
    ] = False,
    trajectory: Annotated[
        Path | None,
        typer.Option(
            "--trajectory",
            metavar="ROOT.safetensors",
            help="Root-trajectory network, for the error of the root; else the one beside the checkpoint.",
        ),
    ] = None,
    calibrate_sigma: Annotated[
        Path | None,
        typer.Option(
            "--calibrate-sigma",
            metavar="OUT.safetensors",
            help="Write the checkpoint with error bars fitted on this set.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", help="Write the report here: .json or .md; of a data set also a folder with pictures."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare 3D poses with the truth, or evaluate a checkpoint on a data set."""
    if (truth is None) == (dataset is None):
        raise typer.BadParameter("give two files of poses, PREDICTION and TRUTH, or a CHECKPOINT and --dataset SET.h5")
    if dataset is None:
        assert truth is not None
        if subjects or actions or scale or rules or placed or trajectory or calibrate_sigma or not flip:
            raise typer.BadParameter(
                "--subjects, --actions, --no-flip, --scale, --rules, --placed, --trajectory and --calibrate-sigma go "
                "with --dataset"
            )
        _compare_poses(Path(what), truth, camera, output, overwrite, as_json)
        return
    if camera is not None:
        raise typer.BadParameter("--camera goes with two files of poses; a data set brings its cameras")

    from lift3d.evaluation.data_set_report import check_report_output, save_data_set_report
    from lift3d.evaluation.protocol import evaluate_checkpoint
    from lift3d.evaluation.sigma_calibration import require_sigma

    if output is not None:
        check_report_output(output, overwrite)
    if calibrate_sigma is not None:
        require_new(calibrate_sigma, overwrite, (".safetensors",))
        if placed:
            raise typer.BadParameter("--calibrate-sigma is of the network's own poses: leave out --placed")
        require_sigma(what)
    with progress_bar("Evaluating") as progress:
        result = evaluate_checkpoint(
            what, dataset, _names(subjects), _names(actions), flip=flip, scale=scale, rules=rules, placed=placed,
            trajectory=trajectory, progress=progress,
        )  # fmt: skip
    summary, text = result.report.to_dict(), result.report.describe()
    if calibrate_sigma is not None:
        assert result.sigma is not None
        fitted = _calibrate(what, result.sigma, result.report.subjects, calibrate_sigma, overwrite)
        summary |= {"calibrated": calibrate_sigma, **fitted[0]}
        text += f"\n\n{fitted[1]}"
    if output is not None:
        written = save_data_set_report(result.report, output, overwrite)
        text += "".join(f"\n{path}: written" for path in written)
    report(summary, text, as_json)


def _compare_poses(
    prediction: Path, truth: Path, camera: str | None, output: Path | None, overwrite: bool, as_json: bool
) -> None:
    if output is not None:
        require_new(output, overwrite, (".json", ".md"))

    from lift3d.evaluation.compare import evaluate as compare
    from lift3d.io.files import atomic_path
    from lift3d.io.poses3d import read_poses

    result = compare(read_poses(prediction), read_poses(truth), read_camera(camera) if camera else None)
    if output is not None:
        text = to_json(result.to_dict()) if output.suffix.lower() == ".json" else result.describe()
        with atomic_path(output, overwrite) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    report(result.to_dict(), result.describe(), as_json)


def _calibrate(
    checkpoint: str, tally: SigmaTally, people: tuple[str, ...], output: Path, overwrite: bool
) -> tuple[dict[str, object], str]:
    """Write the calibrated checkpoint; what it promises on people that it was not fitted on, as values and text."""
    from lift3d.evaluation.sigma_calibration import calibrate_checkpoint

    calibration = tally.fit()
    calibrate_checkpoint(checkpoint, calibration, output, people, overwrite)
    coverage = (
        tally.cross_fitted_coverage()
        if len(tally.folds) > 1
        else tally.coverage(calibration, "fitted on the very person that it is measured on: nothing is held out")
    )
    text = f"{output}: written; its error bars:\n\n{coverage.describe()}"
    return {"calibrated_coverage": coverage.to_dict()}, text


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
