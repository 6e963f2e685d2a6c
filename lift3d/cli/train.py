"""``lift3d train``: a lifter from a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lift3d.cli.console import report, say
from lift3d.cli.options import AsJson, Overwrite
from lift3d.cli.training_progress import show_progress


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of the training run.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="RUN", help="The folder for checkpoints and curves.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Replace a field, such as optimizer.learning_rate=3e-4."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that the folder holds.")] = False,
    overwrite: Overwrite = False,
    devices: Annotated[
        int | None, typer.Option("--devices", metavar="N", min=1, help="GPUs, or processes on a CPU.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check configuration and data, print sizes, and do not train.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a lifter.

    Paths of data in CONFIG are relative to that file, in --set to the working directory. The run's folder holds
    best.safetensors and last.safetensors, usable as 'lift3d lift --checkpoint', the configuration, and the curves.
    With trajectory: true it also holds the network of the root, best_trajectory and last_trajectory, which 'lift3d
    evaluate' finds there.
    """
    if output is None and not check:
        raise typer.BadParameter("say where the run goes, -o RUN", param_hint="--output")

    from lift3d.training.config_files import read_config

    settings = read_config(config, changes or ())
    if check:
        from lift3d.training.run import describe_training, make_training

        sizes = describe_training(make_training(settings))
        report({"config": config, **sizes}, f"{config}: all is well\n{describe_sizes(sizes)}", as_json)
        return
    assert output is not None

    from lift3d.training.run import run_training
    from lift3d.training.status import Interrupted

    try:
        with show_progress() as progress:
            summary = run_training(settings, output, resume, overwrite, devices, progress)
    except Interrupted as interruption:
        say(f"saved at step {interruption.step}; 'lift3d train {config} -o {output} --resume' goes on from there")
        raise
    if summary.pop("first_process"):
        report(summary, describe_result(summary), as_json)


def describe_sizes(sizes: dict[str, Any]) -> str:
    """What a run is made of, in a few lines."""
    return "\n".join(
        (
            f"  {sizes['architecture']}: {sizes['parameters'] / 1e6:.2f} M parameters, "
            f"{sizes['multiply_adds_per_frame'] / 1e6:.2f} M multiply-adds a frame",
            f"  {sizes['batch']} windows a step, {sizes['input_frames']} frames in, {sizes['outputs']} poses out",
            f"  {sizes['steps']:,} steps, {sizes['steps'] / sizes['steps_per_epoch']:.1f} epochs, "
            f"{sizes['poses'] / 1e6:.1f} M poses, validation every {sizes['validate_every']:,} steps",
        )
    )


def describe_result(summary: dict[str, Any]) -> str:
    """How a run ended, in a few lines."""
    figures = ", ".join(f"{name} {value:.1f}" for name, value in summary["validation"].items())
    return "\n".join(
        (
            f"trained {summary['steps']:,} steps in {summary['seconds']:,.0f} s",
            f"  last validation: {figures}",
            f"{summary['best']}: written, MPJPE {summary['best_mpjpe']:.1f} mm",
            f"{summary['last']}: written",
            *([f"{summary['trajectory']}: written"] if "trajectory" in summary else []),
        )
    )
