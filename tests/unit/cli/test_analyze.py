"""``lift3d analyze``: every option, the JSON, and what it refuses in one sentence with nothing written."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from command_line import lift3d
from exercise_bodies import hills, stand, together
from typer.testing import Result

from lift3d.demo import CLIP
from lift3d.motion.rule_files import FOLDER
from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton, make_skeleton

FPS = 30.0


def analyze(*arguments: object) -> Result:
    return lift3d("analyze", *arguments)


def squats(*heights: float) -> Poses3D:
    knee = hills(heights, FPS)
    return stand(FPS, knee, hips_back=knee * 0.15, lean=knee * 0.4)


def save(poses: Poses3D, path: Path) -> Path:
    poses.save(path)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return save(squats(110, 110), tmp_path / "squats.h5")


def refused(result: Result, *words: str) -> None:
    """One sentence that says so, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    # Typer draws a frame around what is wrong with an option and breaks its lines.
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said


def test_without_outputs_it_says_what_it_found(clip: Path, tmp_path: Path) -> None:
    result = analyze(clip)
    assert result.exit_code == 0, result.output
    assert "did 2 whole squat repetitions" in result.stdout
    assert sorted(tmp_path.iterdir()) == [clip]


def test_report_table_and_json(clip: Path, tmp_path: Path) -> None:
    page, table = tmp_path / "out.html", tmp_path / "out.csv"
    result = analyze(clip, "--report", page, "--table", table, "--exercise", "squat", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["output"] == [str(page), str(table)]
    assert summary["frames"] == len(pandas.read_csv(table))
    assert [item["full"] for item in summary["repetitions"]["0"]["repetitions"]] == [True, True]
    assert "<title>squats.h5" in page.read_text("utf-8")
    refused(analyze(clip, "--report", page), str(page), "--overwrite")
    before = page.read_bytes()
    refused(analyze(clip, "--report", tmp_path / "new.html", "--table", table), "--overwrite")
    assert page.read_bytes() == before
    assert not (tmp_path / "new.html").exists()
    assert analyze(clip, "--report", page, "--overwrite").exit_code == 0


def test_no_exercise(clip: Path) -> None:
    assert json.loads(analyze(clip, "--exercise", "none", "--json").stdout)["repetitions"] == {}


def test_rules_of_ones_own(clip: Path, tmp_path: Path) -> None:
    text = (FOLDER / "exercises.yaml").read_text()
    (tmp_path / "own.yaml").write_text(text.replace("id: squat", "id: bend"))
    own = json.loads(analyze(clip, "--exercises", tmp_path / "own.yaml", "--exercise", "bend", "--json").stdout)
    assert own["repetitions"]["0"]["exercise"] == "bend"
    refused(analyze(clip, "--exercises", tmp_path / "own.yaml"), "bend", "--exercise")
    (tmp_path / "norms.yaml").write_text(
        "between_sessions: 7\nbetween_sessions_source: ours\n"
        "norms: [{angle: knee_flexion, minimum: 0, maximum: 200, source: ours}]\n"
    )
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    found = json.loads(
        analyze(
            clip, "--norms", tmp_path / "norms.yaml", "--form-rules", tmp_path / "rules.yaml", "--session",
            f"before={save(squats(90), tmp_path / 'before.h5')}", "--this-session", "now", "--json",
        ).stdout
    )  # fmt: skip
    assert found["ranges_of_motion"]["norm_sources"] == {"knee_flexion": "ours"}
    assert found["form"]["0"]["hints"] == []
    assert {item["minimal_change"] for item in found["progress"]["angles"]} == {7}


def test_two_takes_and_sessions(clip: Path, tmp_path: Path) -> None:
    other = save(squats(80, 80), tmp_path / "other.h5")
    found = json.loads(
        analyze(
            clip, "--compare", clip, "--session", f"2025-04-01={other}", "--this-session", "2025-03-01", "--filter",
            "butterworth:6", "--json",
        ).stdout
    )  # fmt: skip
    assert found["comparison"]["similarity"] == pytest.approx(100)
    assert found["progress"]["sessions"] == ["2025-03-01", "2025-04-01"]
    assert found["progress"]["slope_unit"] == "degrees a week"
    knee = next(a for a in found["progress"]["angles"] if (a["angle"], a["limit"]) == ("left_knee_flexion", "maximum"))
    assert knee["values"] == pytest.approx([110, 80], abs=2)


def test_the_frame_rate_can_be_given(tmp_path: Path) -> None:
    path = save(replace(squats(110), fps=None), tmp_path / "a.h5")
    refused(analyze(path), "frame rate", "--fps", str(path))
    assert json.loads(analyze(path, "--fps", "30", "--json").stdout)["fps"] == 30
    refused(analyze(path, "--fps", "0"), "fps")


def test_a_person_who_is_seen_in_three_frames(tmp_path: Path) -> None:
    poses = together(squats(110, 110), squats(110, 110))
    poses.xyz[:, 1] = np.where((np.arange(poses.frames) < 3)[:, None, None], poses.xyz[:, 1], np.nan)
    path = save(poses, tmp_path / "a.h5")
    result = analyze(path, "--report", tmp_path / "a.html", "--table", tmp_path / "a.csv")
    assert result.exit_code == 0, result.output
    assert f"Person 1 is seen in 3 of {poses.frames} frames." in result.stdout
    assert "Person 0 did 2 whole" in result.stdout


ANIMAL = make_skeleton("mouse", {"snout": None, "ear": "snout", "tail_base": "ear"})
NO_HIPS = make_skeleton("arm", {"left_shoulder": None, "left_elbow": "left_shoulder", "left_wrist": "left_elbow"})


@pytest.mark.parametrize(
    ("skeleton", "words"), [(ANIMAL, "name the joints as one of the known"), (NO_HIPS, "knee_flexion")]
)
def test_layouts_that_show_little(skeleton: Skeleton, words: str, tmp_path: Path) -> None:
    xyz = np.random.default_rng(0).normal(size=(60, 1, 3, 3)).cumsum(axis=0).astype(np.float32) / 50
    path = save(Poses3D(xyz, skeleton=skeleton, fps=FPS), tmp_path / "a.h5")
    result = analyze(path, "--report", tmp_path / "a.html", "--json")
    assert result.exit_code == 0, result.output
    notes = " ".join(json.loads(result.stdout)["notes"])
    assert "has no left_hip" in notes
    refused(analyze(path, "--exercise", "squat"), words)
    refused(analyze(path, "--compare", path), words if skeleton is ANIMAL else "hips")


NOT_ANALYSED: dict[str, tuple[Callable[[], Poses3D], list[str]]] = {
    "no frames": (lambda: squats(110).select(slice(0, 0)), ["nothing to analyse", "0 frames"]),
    "all missing": (lambda: replace(squats(110), xyz=np.full_like(squats(110).xyz, np.nan)), ["nothing to analyse"]),
}


@pytest.mark.parametrize("name", NOT_ANALYSED)
def test_clips_that_show_nobody(name: str, tmp_path: Path) -> None:
    make, words = NOT_ANALYSED[name]
    path = save(make(), tmp_path / "a.h5")
    refused(analyze(path, "--report", tmp_path / "out.html", "--table", tmp_path / "out.csv"), *words)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--exercise", "handstand"], ["unknown exercise 'handstand'", "squat"]),
        (["--session", "a=squats.h5"], ["--this-session"]),
        (["--this-session", "a"], ["--session"]),
        (["--session", "a=squats.h5", "--this-session", "a"], ["two sessions are called a"]),
        (["--session", "b=squats.h5", "--session", "b=squats.h5", "--this-session", "a"], ["two", "called b"]),
        (["--session", "squats.h5", "--this-session", "a"], ["DATE=FILE"]),
        (["--session", "b=nowhere.h5", "--this-session", "a"], ["nowhere.h5"]),
        (["--compare", "nowhere.h5"], ["nowhere.h5"]),
        (["--norms", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["--exercises", "typo.yaml", "--exercise", "squat"], ["typo.yaml", "].tempo", "no such field"]),
        (["--form-rules", "typo.yaml"], ["typo.yaml"]),
        (["--filter", "magic"], ["unknown filter"]),
        (["--report", "a.pdf"], ["a.pdf", ".html"]),
        (["--table", "a.xlsx"], ["a.xlsx", ".csv"]),
        (["--report", "nowhere/a.html"], ["nowhere", "does not exist"]),
        (["--report", "squats.h5/a.html"], ["squats.h5"]),
        (["--report", "ok.html", "--table", "nowhere/a.csv"], ["nowhere"]),
    ],
)  # fmt: skip
def test_what_is_refused(
    options: list[str], words: list[str], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "exercises.yaml").read_text().replace("- id: squat", "- tempo: 3\n    id: squat", 1)
    assert "tempo" in text
    (tmp_path / "typo.yaml").write_text(text)
    before = sorted(tmp_path.iterdir())
    refused(analyze(clip, *options), *words)
    assert sorted(tmp_path.iterdir()) == before


def test_files_that_hold_no_poses(tmp_path: Path) -> None:
    refused(analyze(CLIP), "holds 2D keypoints", "lift or triangulate")
    refused(analyze(tmp_path / "none.h5"), "none.h5")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refused(analyze(tmp_path / "cut.h5"), "cut.h5")
