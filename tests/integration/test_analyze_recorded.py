"""``lift3d analyze`` on recorded motion, and its page in a real browser on screens of two widths."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import lift3d

from lift3d.datasets.motion_clips import read_motion_clip

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# It measures the page in a frame of a given width: a headless window is never narrower than 500 pixels.
PROBE = """<!DOCTYPE html><meta charset="utf-8">
<iframe id="page" width="{width}" height="800" src="report.html"></iframe>
<script>addEventListener("load", () => {{
  const page = document.getElementById("page").contentDocument;
  document.title = "measured " + page.documentElement.scrollWidth + " " +
    [...page.images].filter(image => image.naturalWidth > 0).length + " " + page.images.length;
}})</script>"""


@pytest.fixture(scope="module")
def report(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clip 14_06 of the CMU recordings, in which a man squats twice, beside 14_14."""
    folder = tmp_path_factory.mktemp("analysis")
    for clip in ("14_06", "14_14"):
        read_motion_clip(shared_data / "mocap" / "cmu.h5", clip).save(folder / f"{clip}.h5")
    command = ["analyze", folder / "14_06.h5", "--exercise", "squat", "--report", folder / "report.html", "--session",
               f"2025-03-01={folder / '14_14.h5'}", "--this-session", "2025-04-01", "--json"]  # fmt: skip
    result = lift3d(*command)
    assert result.exit_code == 0, result.output
    (folder / "summary.json").write_text(result.stdout)
    return folder / "report.html"


def test_what_is_known_of_the_recording(report: Path) -> None:
    found = json.loads((report.parent / "summary.json").read_text())
    whole = [item for item in found["repetitions"]["0"]["repetitions"] if item["complete"] and item["full"]]
    assert [item["deepest_seconds"] for item in whole] == pytest.approx([9.9, 12.05], abs=0.1)
    assert found["progress"]["sessions"] == ["2025-03-01", "2025-04-01"]
    assert "did 2 whole squat repetitions" in report.read_text("utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_the_screen(report: Path, width: int) -> None:
    (report.parent / "probe.html").write_text(PROBE.format(width=width))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--allow-file-access-from-files",
             f"--user-data-dir={report.parent / 'profile'}", "--timeout=20000", "--window-size=1400,900",
             "--dump-dom"]  # fmt: skip
    command = [str(CHROMIUM), *flags, (report.parent / "probe.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
    measured = re.search(r"measured (\d+) (\d+) (\d+)", dom.split("<script>")[0])
    assert measured is not None, dom[:500]
    content, drawn, images = map(int, measured.groups())
    assert content <= width
    assert drawn == images > 20
