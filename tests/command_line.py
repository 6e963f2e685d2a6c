"""The command ``lift3d`` in this process."""

from functools import cache
from unittest import mock

from typer.main import get_command
from typer.testing import CliRunner, Result

from lift3d.cli.main import app

# The runner would build all commands anew for each call, which takes longer than most of the calls.
_command_of = cache(get_command)


def lift3d(*arguments: object) -> Result:
    """What ``lift3d`` says to arguments."""
    with mock.patch("typer.testing._get_command", _command_of):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])
