"""What becomes of the errors that a command raises: one readable message and an exit code."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperCommand

from lift3d.cli.console import say
from lift3d.errors import Lift3DError


class Command(TyperCommand):
    """A command whose errors become one readable message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Lift3DError as error:
            say(f"{ctx.command_path}: {error}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            say(f"{ctx.command_path}: interrupted; the files that were finished are kept")
            raise typer.Exit(130) from error
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("LIFT3D_DEBUG"):
                raise
            say(
                f"{ctx.command_path}: unexpected {type(error).__name__}: {error}\n"
                "This is a fault of lift3d. Please report it with the traceback, which LIFT3D_DEBUG=1 shows."
            )
            raise typer.Exit(1) from error
