"""The command ``lift3d``: its subcommands, and what becomes of the errors that they raise.

Exit codes: 0 done, 1 a fault of lift3d's own, 2 bad input or usage, 130 interrupted. ``lift3d --help`` has to answer
at once, so the modules of the commands import numpy, torch and the rest inside their functions.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lift3d.cli.console import say
from lift3d.cli.convert import convert
from lift3d.cli.convert_checkpoint import convert_checkpoint
from lift3d.cli.demo import demo
from lift3d.cli.evaluate import evaluate
from lift3d.cli.info import info
from lift3d.cli.lift import lift
from lift3d.cli.models import models
from lift3d.cli.view import view
from lift3d.errors import Lift3DError


class Command(TyperCommand):
    """A command whose errors become one readable message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Lift3DError as error:
            say(f"lift3d {self.name}: {error}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            say(f"lift3d {self.name}: interrupted; the files that were finished are kept")
            raise typer.Exit(130) from error
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("LIFT3D_DEBUG"):
                raise
            say(
                f"lift3d {self.name}: unexpected {type(error).__name__}: {error}\n"
                "This is a fault of lift3d. Please report it with the traceback, which LIFT3D_DEBUG=1 shows."
            )
            raise typer.Exit(1) from error


app = typer.Typer(
    name="lift3d",
    help="From 2D keypoints to 3D human motion.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _command in (info, convert, lift, view, evaluate, demo, models, convert_checkpoint):
    app.command(cls=Command)(_command)


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
