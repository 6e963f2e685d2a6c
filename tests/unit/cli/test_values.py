"""What options are written as, and what summaries are printed as."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer

from lift3d.cli.console import progress_bar, to_json
from lift3d.cli.options import parse_image_size, require_new
from lift3d.errors import OutputExistsError


@pytest.mark.parametrize(("text", "size"), [("1920x1080", (1920, 1080)), (" 640 x 480 ", (640, 480)), (None, None)])
def test_image_sizes(text: str | None, size: tuple[int, int] | None) -> None:
    assert parse_image_size(text) == size


@pytest.mark.parametrize("text", ["1920", "x", "1920x", "-1x5", "1920x1080x3", "0x480"])
def test_what_is_no_image_size(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="1920x1080"):
        parse_image_size(text)


def test_json_is_strict() -> None:
    values = {"a": np.float32("nan"), "b": [np.int64(3), float("inf")], "c": Path("x"), "d": np.array([1.5, np.nan])}
    assert json.loads(to_json(values)) == {"a": None, "b": [3, None], "c": "x", "d": [1.5, None]}


def test_an_existing_output_is_refused_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    require_new(path, overwrite=False)
    path.write_text("kept")
    require_new(path, overwrite=True)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        require_new(path, overwrite=False)


def test_no_progress_bar_without_a_terminal() -> None:
    with progress_bar("Lifting") as progress:
        assert progress is None
