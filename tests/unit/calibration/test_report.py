"""The report on a calibration: what it says, that nothing breaks out of it, and how a browser takes it."""

import html.parser
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from calibration_scenes import observations, synthetic_scene

from lift3d.calibration.quality import assess
from lift3d.calibration.report import make_report, write_report
from lift3d.calibration.report_plots import views_of_rig
from lift3d.calibration.report_words import camera_rows, millimetres, pixels
from lift3d.calibration.solve import solve
from lift3d.calibration.world import level_world
from lift3d.errors import Lift3DError, OutputExistsError, UnknownFormatError
from lift3d.geometry.rigs import Rig

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "link", "img", "br"}


class Page(html.parser.HTMLParser):
    """Elements in order, visible text, and whether every element that opens also closes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def solution():
    found = solve(observations(synthetic_scene(3, cameras=2, moments=16)))
    return found.in_world(level_world(found.rig))


@pytest.fixture(scope="module")
def quality(solution):
    return assess(solution)


@pytest.fixture(scope="module")
def page(solution, quality):
    return make_report(solution, quality)


def test_everything_that_is_known_is_said(solution, quality, page):
    text = Page(page).text
    assert text.index(quality.words) < text.index("How good it is")
    for finding in quality.findings:
        assert finding.problem in text
        assert finding.advice in text
    assert solution.observations.board.describe() in text
    assert f"{quality.rmse:.2f} px" in text
    assert millimetres(quality.expected_mm()["median"]) in text
    for name in solution.rig.names:
        for row in camera_rows(solution, name):
            assert row.value in text
            assert row.meaning in text
    focal = solution.standard_errors("cam1")["fx"]
    assert f"{solution.rig['cam1'].K[0, 0]:.1f} px ± {focal:.1f} px" in text


def test_the_page_asks_for_nothing_and_runs_nothing(page):
    elements = Page(page).elements
    assert not re.search(r"https?://|@import|url\(", page)
    assert "script" not in {tag for tag, _ in elements}
    assert all(a["src"].startswith("data:image/png;base64,") for tag, a in elements if tag == "img")
    assert all(a["alt"] for tag, a in elements if tag == "img")
    policy = next(a["content"] for tag, a in elements if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("name", ["<script>{{STYLE}}&\"'</style>", "$\\frac{1}$ \u2028\udce9" + "x" * 99])
def test_no_name_breaks_out(solution, quality, page, name):
    def renamed(old):
        return name if old == "cam1" else old

    named = replace(
        solution,
        rig=Rig(tuple(replace(camera, name=renamed(camera.name)) for camera in solution.rig)),
        observations=replace(
            solution.observations, cameras=tuple(map(renamed, solution.observations.cameras)), frames=(name,) * 16
        ),
        parameters=tuple(parameter._replace(camera=renamed(parameter.camera)) for parameter in solution.parameters),
    )
    # Rigs sort by name, and with them everything by camera.
    if named.rig.names[0] != name:
        flipped = {key: getattr(solution, key)[::-1] for key in ("residuals", "used", "noise")}
        named = replace(named, **flipped)
    judged = replace(
        quality,
        findings=tuple(replace(f, cameras=tuple(map(renamed, f.cameras))) for f in quality.findings),
        **{
            key: {renamed(camera): value for camera, value in getattr(quality, key).items()}
            for key in ("camera_verdicts", "camera_rmse", "images_used", "images_dropped")
        },
    )
    text = make_report(named, judged).encode("utf-8", "replace").decode()
    read = Page(text)
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in Page(page).elements]
    assert " ".join(name.encode("utf-8", "replace").decode().split()) in read.text


def test_files(tmp_path, solution, quality):
    write_report(solution, quality, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(OutputExistsError):
        write_report(solution, quality, tmp_path / "report.html")
    write_report(solution, quality, tmp_path / "report.png")
    import cv2

    picture = cv2.imread(str(tmp_path / "report.png"))
    assert picture.shape == (1080, 1920, 3)
    # The band at the top has the verdict's colour.
    assert quality.verdict == "good"
    assert picture[5, 5, 1] > picture[5, 5, 2]
    with pytest.raises(UnknownFormatError, match=r"\.html or \.png"):
        write_report(solution, quality, tmp_path / "report.pdf")
    with pytest.raises(Lift3DError, match="does not exist"):
        write_report(solution, quality, tmp_path / "no" / "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.png"]


def test_what_cannot_be_had_is_said_in_words(tmp_path, solution, quality):
    assert millimetres(float("inf")) == "unknown"
    assert millimetres(float("nan")) == pixels(float("nan")) == "-"
    covariance = np.full_like(solution.covariance, 0.0)
    np.fill_diagonal(covariance, np.inf)
    unsure = replace(solution, covariance=covariance)
    judged = assess(unsure)
    assert judged.verdict == "redo"
    text = Page(make_report(unsure, judged)).text
    assert "The images say nothing" in text or "the images say nothing" in text
    assert "inf" not in re.findall("[a-z]+", text)
    assert "nan" not in re.findall("[a-z]+", text)
    write_report(unsure, judged, tmp_path / "unsure.png")


def test_one_camera_alone(tmp_path):
    alone = solve(observations(synthetic_scene(0, cameras=1, moments=12)))
    quality = assess(alone)
    text = Page(make_report(alone, quality)).text
    assert "The rig" not in text
    assert "position X, Y, Z" not in text
    write_report(alone, quality, tmp_path / "alone.png")


def test_the_rig_stands_upright_on_the_paper(solution):
    """With Z up as the cameras are held; in the space of a camera, with that camera's up."""
    in_camera_space = solve(solution.observations)
    reference = in_camera_space.rig[in_camera_space.metadata["reference"]]
    np.testing.assert_allclose(reference.R, np.eye(3), atol=1e-12)
    for found, up in ((solution, [0, 0, 1]), (in_camera_space, [0, -1, 0])):
        above, side = views_of_rig(found)
        assert side.up @ up > 0.8
        np.testing.assert_allclose(np.cross(above.right, above.up), side.up, atol=1e-12)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")
def test_a_browser_shows_it_without_complaint(tmp_path, page):
    (tmp_path / "report.html").write_bytes(page.encode())
    flags = "--headless --no-sandbox --disable-gpu --enable-logging=stderr --timeout=4000 --window-size=1200,900"
    done = subprocess.run(
        [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path}/profile", f"--screenshot={tmp_path}/page.png",
         (tmp_path / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    import cv2

    picture = cv2.imread(str(tmp_path / "page.png"))
    assert picture.shape[:2] == (900, 1200)
    # White words on the band, and pictures below it.
    assert picture[:100].max(axis=(0, 1)).min() > 240
    assert picture[100:].std() > 10
