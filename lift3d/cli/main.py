"""The command ``lift3d``: its subcommands, and what becomes of the errors that they raise.

Exit codes: 0 done, 1 a fault of lift3d's own, 2 bad input or usage, 130 interrupted. ``lift3d --help`` has to answer
at once, so the modules of the commands import numpy, torch and the rest inside their functions.
"""

from __future__ import annotations

from typing import Annotated

import typer

from lift3d.cli import board
from lift3d.cli.analyze import analyze
from lift3d.cli.calibrate import calibrate
from lift3d.cli.command import Command
from lift3d.cli.convert import convert
from lift3d.cli.convert_checkpoint import convert_checkpoint
from lift3d.cli.demo import demo
from lift3d.cli.evaluate import evaluate
from lift3d.cli.info import info
from lift3d.cli.lift import lift
from lift3d.cli.models import models
from lift3d.cli.prepare import prepare
from lift3d.cli.synchronise import synchronise
from lift3d.cli.train import train
from lift3d.cli.triangulate import triangulate
from lift3d.cli.view import view

app = typer.Typer(
    name="lift3d",
    help="From 2D keypoints to 3D human motion.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _command in (
    info,
    convert,
    lift,
    calibrate,
    synchronise,
    triangulate,
    view,
    analyze,
    prepare,
    train,
    evaluate,
    demo,
    models,
    convert_checkpoint,
):
    app.command(cls=Command)(_command)

_board = typer.Typer(help="Make a calibration board, or look for one in an image.", no_args_is_help=True)
_board.command(cls=Command)(board.new)
_board.command(cls=Command)(board.check)
app.add_typer(_board, name="board")


def _print_version(asked: bool) -> None:
    if asked:
        from lift3d import __version__

        typer.echo(f"lift3d {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From 2D keypoints to 3D human motion."""


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
