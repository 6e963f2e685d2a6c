"""What becomes of the errors that a command raises."""

import pytest
import typer
from command_line import lift3d
from typer.testing import CliRunner

from lift3d.cli.main import Command
from lift3d.errors import FileFormatError


def run(error: BaseException, monkeypatch: pytest.MonkeyPatch | None = None, debug: bool = False):
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.command(cls=Command)
    def job() -> None:
        raise error

    app.callback()(lambda: None)  # with it the command is one of several
    return CliRunner().invoke(app, ["job"], prog_name="lift3d", env={"LIFT3D_DEBUG": "1" if debug else ""})


def test_bad_input_is_one_message_and_code_2() -> None:
    result = run(FileFormatError("take.json", "ends within a list", "people[3]"))
    assert result.exit_code == 2
    assert result.stderr == "lift3d job: take.json, field people[3]: ends within a list\n"
    assert result.stdout == ""


def test_bad_usage_is_code_2() -> None:
    assert run(typer.BadParameter("no")).exit_code == 2
    assert lift3d("nothing").exit_code == 2
    assert lift3d("lift").exit_code == 2


def test_an_interrupted_command_is_code_130() -> None:
    result = run(KeyboardInterrupt())
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


def test_a_fault_says_how_to_report_it() -> None:
    result = run(ZeroDivisionError("by zero"))
    assert result.exit_code == 1
    assert "ZeroDivisionError: by zero" in result.stderr
    assert "LIFT3D_DEBUG=1" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_debug_variable_lets_the_traceback_through() -> None:
    result = run(ZeroDivisionError("by zero"), debug=True)
    assert isinstance(result.exception, ZeroDivisionError)
