"""The kinds of views by a file's ending."""

from pathlib import Path

import pytest
from view_scenes import FRAMES, walking

from lift3d.errors import OutputExistsError, UnknownFormatError
from lift3d.io.stored_poses import open_poses
from lift3d.viz import save_view

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".html": b"<!doctype html>", ".rrd": b"RRF"}


@pytest.mark.parametrize("ending", STARTS)
def test_each_ending_of_a_clip_that_stays_in_its_file(tmp_path: Path, ending: str) -> None:
    if ending == ".rrd":
        pytest.importorskip("rerun")
    walking().save(tmp_path / "take.h5")
    path = tmp_path / f"a{ending.upper()}"
    told: list[tuple[int, int]] = []
    with open_poses(tmp_path / "take.h5") as clip:
        save_view(clip, path, truth=clip, progress=lambda done, total: told.append((done, total)))
    assert path.read_bytes().lower().startswith(STARTS[ending].lower())
    assert told == ([(FRAMES, FRAMES)] if ending == ".rrd" else [])
    with pytest.raises(OutputExistsError):
        save_view(walking(), path)


def test_an_ending_that_no_view_has(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match=r"'.mp4'; use one of .png, .svg, .pdf, .html, .rrd"):
        save_view(walking(), tmp_path / "a.mp4")
