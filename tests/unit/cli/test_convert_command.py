"""``lift3d convert``: steps on the way, choices, and what it refuses in one sentence."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d
from typer.testing import Result

from lift3d.cli.clean_options import parse_frames
from lift3d.demo import CLIP
from lift3d.io.poses3d import WRITE_ENDINGS, read_poses
from lift3d.poses import Poses3D
from lift3d.skeletons import H36M17

FPS, PERIOD = 50, 60


def convert(*arguments: object) -> Result:
    return lift3d("convert", *arguments)


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    """Two people (3 and 5) who wave with a period and drift along x; frame 7 lacks the second."""
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * np.arange(200) / PERIOD
    xyz = rng.normal(size=(1, 2, 17, 3)) + 0.1 * np.sin(angle)[:, None, None, None] * rng.normal(size=(1, 2, 17, 3))
    xyz += 0.01 * np.arange(200)[:, None, None, None] * np.array([1, 0, 0])
    xyz[7, 1] = np.nan
    path = tmp_path / "poses.h5"
    Poses3D(xyz, skeleton=H36M17, fps=FPS, track_ids=(3, 5)).save(path)
    return path


def refused(result: Result, *words: str) -> None:
    """One sentence that says so, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    for word in words:
        # Typer draws a frame around what is wrong with an option and breaks its lines.
        assert word in " ".join(result.stderr.replace("│", " ").split()), result.stderr


def test_frames_and_people(poses: Path, tmp_path: Path) -> None:
    result = convert(poses, tmp_path / "a.h5", "--frames", "10-19", "--people", "5")
    assert result.exit_code == 0, result.output
    chosen = read_poses(tmp_path / "a.h5")
    assert (chosen.frames, chosen.track_ids) == (10, (5,))
    np.testing.assert_array_equal(chosen.xyz[:, 0], read_poses(poses).xyz[10:20, 1])


def test_frames_and_people_of_2d_keypoints(tmp_path: Path) -> None:
    result = convert(CLIP, tmp_path / "a.npz", "--frames", "90-", "--people", "0", "--json")
    assert json.loads(result.stdout)["frames"] == 10


def test_steps_are_done_and_said(poses: Path, tmp_path: Path) -> None:
    result = convert(
        poses, tmp_path / "a.h5", "--fill-gaps", "0.1", "--filter", "butterworth:auto", "--in-place", "--loop", "auto",
        "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    steps = json.loads(result.stdout)["steps"]
    assert [step.split()[0] for step in steps] == ["gaps", "filtered:", "loop"]
    assert "residual analysis" in steps[1]
    cleaned = read_poses(tmp_path / "a.h5")
    assert cleaned.frames == PERIOD
    assert np.isfinite(cleaned.xyz).all()
    assert cleaned.provenance["steps"][-3:] == steps
    text = convert(poses, tmp_path / "b.h5", "--filter", "median").stdout
    assert text.startswith("filtered: median")


def test_a_loop_by_frames_has_both_ends(poses: Path, tmp_path: Path) -> None:
    assert convert(poses, tmp_path / "a.h5", "--loop", "50-109").exit_code == 0
    assert read_poses(tmp_path / "a.h5").frames == 60


def test_feet_are_held(poses: Path, tmp_path: Path) -> None:
    result = convert(poses, tmp_path / "a.h5", "--foot-lock")
    assert result.exit_code == 0, result.output
    assert "ground contacts" in result.stdout


@pytest.mark.parametrize("ending", ["trc", "c3d"])
def test_marker_names(poses: Path, tmp_path: Path, ending: str) -> None:
    assert convert(poses, tmp_path / f"a.{ending}", "--marker-names", "opensim", "--people", "3").exit_code == 0
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert b"RAnkle" in content
    assert b"right_ankle" not in content


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_every_ending(poses: Path, tmp_path: Path, ending: str) -> None:
    result = convert(poses, tmp_path / f"a{ending}", "--json")
    assert result.exit_code == 0, result.output
    for file in json.loads(result.stdout)["output"]:
        assert Path(file).stat().st_size > 0


def test_what_a_writer_fills_in_is_said(poses: Path, tmp_path: Path) -> None:
    """The second person lacks a frame, which a BVH cannot say."""
    notes = json.loads(convert(poses, tmp_path / "a.bvh", "--json").stdout)["notes"]
    assert any("person 5" in note for note in notes)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--foot-lock", "--in-place", "--filter=median", "--fill-gaps=1", "--loop=auto",
                                    "--marker-names=opensim"])  # fmt: skip
def test_what_needs_3d(tmp_path: Path, option: str) -> None:
    refused(convert(CLIP, tmp_path / "a.h5", option), "holds 2D keypoints", option.split("=")[0], "lift them first")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--frames", "10-300"], ["there are frames 0 to 199"]),
        (["--frames", "x"], ["not A-B"]),
        (["--frames", "9-3"], ["ends before it starts"]),
        (["--people", "4"], ["there are 3, 5"]),
        (["--filter", "boxcar"], ["unknown filter"]),
        (["--filter", "butterworth:99"], ["cutoff"]),
        (["--filter", "median:auto"], ["not a number"]),
        (["--loop", "50-250"], ["200 frames"]),
        (["--loop", "50-"], ["no last frame"]),
        (["--loop", "auto", "--frames", "0-20"], ["does not fit into 21 frames"]),
        (["--marker-names", "vicon"], ["opensim"]),
    ],
)
def test_bad_options(poses: Path, tmp_path: Path, options: list[str], words: list[str]) -> None:
    refused(convert(poses, tmp_path / "a.h5", *options), *words)
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize("step", ["--foot-lock", "--in-place", "--loop=auto", "--filter=butterworth:auto"])
def test_no_frames(tmp_path: Path, step: str) -> None:
    Poses3D(np.empty((0, 1, 17, 3)), skeleton=H36M17, fps=30).save(tmp_path / "empty.h5")
    refused(convert(tmp_path / "empty.h5", tmp_path / "a.h5", step), "0 frames of 1 people")


@pytest.mark.parametrize("ending", [".csv", ".trc", ".c3d", ".nc"])
def test_formats_that_cannot_say_no_frames(tmp_path: Path, ending: str) -> None:
    Poses3D(np.empty((0, 1, 17, 3)), skeleton=H36M17, fps=30).save(tmp_path / "empty.h5")
    refused(convert(tmp_path / "empty.h5", tmp_path / f"a{ending}"), "0 frames of 1 people")


def test_nobody_seen(tmp_path: Path) -> None:
    Poses3D(np.full((200, 1, 17, 3), np.nan), skeleton=H36M17, fps=30).save(tmp_path / "nobody.h5")
    source, target = tmp_path / "nobody.h5", tmp_path / "a.h5"
    refused(convert(source, target, "--loop", "auto"), "no joint is seen")
    refused(convert(source, target, "--filter", "butterworth:auto"), "residual analysis")
    for option in ("--foot-lock", "--in-place", "--fill-gaps=1", "--filter=butterworth:6"):
        assert convert(source, target, option, "--overwrite").exit_code == 0
        assert np.isnan(read_poses(target).xyz).all()
    for ending in (".csv", ".trc", ".c3d", ".nc", ".json"):
        assert convert(source, tmp_path / f"a{ending}").exit_code == 0
        assert np.isnan(read_poses(tmp_path / f"a{ending}").xyz).all()


def test_a_person_of_three_frames(tmp_path: Path) -> None:
    xyz = np.full((200, 1, 17, 3), np.nan)
    xyz[90:93] = np.random.default_rng(0).normal(size=(3, 1, 17, 3))
    Poses3D(xyz, skeleton=H36M17, fps=30).save(tmp_path / "short.h5")
    source, target = tmp_path / "short.h5", tmp_path / "a.h5"
    refused(convert(source, target, "--loop", "auto"), "no joint is seen")
    refused(convert(source, target, "--filter", "butterworth:auto"), "residual analysis")
    for option in ("--foot-lock", "--in-place", "--fill-gaps=1", "--filter=butterworth:6"):
        assert convert(source, target, option, "--overwrite").exit_code == 0
        np.testing.assert_array_equal(np.isnan(read_poses(target).xyz), np.isnan(xyz))


def test_unknown_ending_and_folder_and_existing_file(poses: Path, tmp_path: Path) -> None:
    refused(convert(poses, tmp_path / "a.fbx"), ".c3d")
    refused(convert(poses, tmp_path / "none" / "a.c3d"), "does not exist")
    (tmp_path / "a_id5.c3d").write_text("mine")
    refused(convert(poses, tmp_path / "a.c3d"), "a_id5.c3d", "--overwrite")
    assert not (tmp_path / "a_id3.c3d").exists()
    assert (tmp_path / "a_id5.c3d").read_text() == "mine"
    assert convert(poses, tmp_path / "a.c3d", "--overwrite").exit_code == 0


def test_a_folder_that_cannot_be_written(poses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the question is answered for it."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    for ending in (".c3d", ".nc", ".trc"):
        refused(convert(poses, tmp_path / f"a{ending}"), "permissions")


@pytest.mark.parametrize("option", ["--frames=1-2", "--foot-lock", "--marker-names=opensim"])
def test_a_rig_has_none_of_it(tmp_path: Path, option: str) -> None:
    (tmp_path / "rig.toml").write_text("[cam]\n")
    refused(convert(tmp_path / "rig.toml", tmp_path / "a.toml", option), option.split("=")[0])


@pytest.mark.parametrize(
    ("text", "expected"), [("3-5", (3, 6)), ("3-", (3, None)), ("-5", (0, 6)), (" 0 - 0 ", (0, 1))]
)
def test_ranges_of_frames(text: str, expected: tuple[int, int | None]) -> None:
    chosen = parse_frames(text)
    assert (chosen.start, chosen.stop) == expected
