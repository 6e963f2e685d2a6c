"""The report: a page that a parser reads, whose words and numbers are those of the analysis."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from exercise_bodies import hills, stand, together, with_noise

from lift3d.errors import OutputExistsError, UnknownFormatError
from lift3d.motion.analysis import Analysis, analyze
from lift3d.motion.report import make_report
from lift3d.motion.report_plots import thinned
from lift3d.motion.report_words import key_numbers, summary
from lift3d.poses import Poses3D
from lift3d.skeletons import make_skeleton

FPS = 30.0
VOID = {"meta", "link", "img"}
HOSTILE = "a<b & 'c' $x_1$ \"d\" {{TITLE}} </title><script>alert(1)</script>.h5"


class Page(HTMLParser):
    """Tags in their nesting, tables as texts, and the texts of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.headings: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        if "h2" in self.open:
            self.headings[-1] += data

    def table(self, first: str) -> list[list[str]]:
        """The rows of the first table whose header starts so."""
        return next(table[1:] for table in self.tables if table[0][0] == first)


def squats(*heights: float) -> Poses3D:
    knee = hills(heights, FPS)
    return stand(FPS, knee, hips_back=knee * 0.15, lean=knee * 0.4, elbow={"left": 5 + knee / 2, "right": 5 + knee / 5})


@pytest.fixture(scope="module")
def found() -> Analysis:
    poses = squats(110, 100)
    poses = replace(poses, provenance={"source": HOSTILE}, sigma=np.full(poses.xyz.shape[:3], 0.01, np.float32))
    return analyze(poses, other=squats(90, 90), sessions={"<first>": squats(90), "now & here": poses})


@pytest.fixture(scope="module")
def page(found: Analysis) -> Page:
    return Page(make_report(found))


def test_names_are_shown_as_text(page: Page) -> None:
    title = page.texts[[text.endswith("script>.h5") for text in map(str.strip, page.texts)].index(True)]
    # A name is what follows the last slash of the source.
    assert title.strip() == HOSTILE.rsplit("/", 1)[-1]
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert HOSTILE in page.text
    assert "{{" not in page.text.replace("{{TITLE}}", "")
    assert page.table("range of")
    heads = next(table[0] for table in page.tables if table[0][0] == "range of")
    assert heads[1:3] == ["<first>", "now & here"]


def test_nothing_is_fetched(page: Page) -> None:
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links
    assert all(str(link).startswith("data:") for link in links)
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert str(policy).startswith("default-src 'none'")
    # The policy admits no style of a single element.
    assert not [tag for tag, attributes in page.tags if "style" in attributes]


def test_pictures_have_words(page: Page) -> None:
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) > 20
    assert all(attributes["alt"] for attributes in images)


def test_sections(page: Page) -> None:
    assert page.headings == [
        "In short", "Exercise", "Range of motion", "Joint angles over time", "Speed and key events",
        "Balance and ground contact", "Lengths of the bones", "Beside the other take", "Progress over sessions",
        "How to read it",
    ]  # fmt: skip


def test_words_are_those_of_the_analysis(found: Analysis, page: Page) -> None:
    assert "The person did 2 whole squat repetitions" in page.text
    for sentence in summary(found, 0):
        assert sentence in page.text
    for value, title, meaning in key_numbers(found, 0):
        assert f"{value} {title} {meaning}" in page.text or f"{value}{title}{meaning}" in page.text
    assert f"similarity {found.comparison.similarity:.0f} of 100" in page.text if found.comparison else False


def test_the_range_table(found: Analysis, page: Page) -> None:
    rows = {cells[0]: cells for cells in page.table("joint")}
    assert len(rows) == len(found.ranges)
    left, right = (found.ranges.of(f"{side}_elbow_flexion") for side in ("left", "right"))
    assert left is not None
    assert right is not None
    joint, low, high, extent, _, other, symmetry, frames, error = rows["Elbow flexion, left"]
    assert (low, high, extent) == (f"{left.minimum:.0f}°", f"{left.maximum:.0f}°", f"{left.range:.0f}°")
    assert other == f"{left.range - right.range:+.0f}°"
    assert rows["Knee flexion, left"][5] == "0°"
    assert symmetry == f"{100 * right.range / left.range:.0f} %" == rows["Elbow flexion, right"][6]
    assert frames == "100 %"
    assert found.sigma is not None
    sigma = np.nanmedian(found.sigma[:, 0, found.angles.names.index(left.angle)])
    assert error == f"± {sigma:.1f}°"
    assert rows["Trunk lean"][6] == "-"
    assert joint


def test_the_repetition_table(found: Analysis, page: Page) -> None:
    items = [item for item in found.repetitions[0] if item.person == 0]
    rows = page.table("")
    assert [cells[0] for cells in rows] == [str(item.number) for item in items]
    for cells, item in zip(rows, items, strict=True):
        assert cells[2] == f"{item.start_seconds:.2f} to {item.end_seconds:.2f} s"
        assert cells[3].startswith(f"{item.depth:.0f}°")


def test_the_progress_table(found: Analysis, page: Page) -> None:
    assert found.progress is not None
    rows = {cells[0]: cells for cells in page.table("range of")}
    knee = found.progress.of("left_knee_flexion")
    assert rows["Knee flexion, left"][1:4] == [*(f"{value:.0f}°" for value in knee.values), f"{knee.change:+.0f}°"]


def test_jitter_is_no_way_on_the_floor() -> None:
    walk = stand(FPS, np.full(300, 20.0))
    walk.xyz[..., 1] += (np.arange(300) / 299)[:, None, None]
    page = Page(make_report(analyze(with_noise(walk, 0.004), None)))
    way = re.search(r"Its way on the floor: ([\d.]+) m", page.text)
    assert way is not None
    assert float(way[1]) == pytest.approx(1, abs=0.1)


def test_people_and_those_who_are_absent() -> None:
    poses = replace(together(squats(110, 110), squats(100, 100), squats(90, 90)), track_ids=(2, 5, 9))
    poses.xyz[3:, 1] = np.nan
    poses.xyz[:, 2] = np.nan
    page = Page(make_report(analyze(poses)))
    assert "Person 2: exercise" in page.headings
    assert "Person 5: range of motion" in page.headings
    assert not [heading for heading in page.headings if heading.startswith("Person 9")]
    assert f"Person 5 is seen in 3 of {poses.frames} frames." in page.text
    assert "Of 3 people the 2 who are seen most are reported." in page.text


def test_a_crowd_is_cut_to_those_who_are_seen_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift3d.motion.report.MOST_PEOPLE", 1)
    poses = together(*[stand(FPS, np.full(20, 20.0), at=(index, 0, 0)) for index in range(2)])
    poses.xyz[5:, 0] = np.nan
    page = Page(make_report(analyze(poses, None)))
    assert {heading.split(":")[0] for heading in page.headings if heading.startswith("Person")} == {"Person 1"}
    assert "Of 2 people the 1 who are seen most are reported." in page.text


@pytest.mark.parametrize("joints", [{"snout": None, "tail": "snout"}, {"left_hip": None, "left_knee": "left_hip"}])
def test_a_layout_that_shows_little(joints: dict[str, str | None]) -> None:
    poses = Poses3D(np.ones((30, 1, 2, 3), np.float32), skeleton=make_skeleton("little", joints), fps=FPS)
    page = Page(make_report(analyze(poses)))
    assert "No joint angle could be measured." in page.text
    assert "layout little has no" in page.text
    assert not re.search(r"\bnan\b", page.text)


def test_camera_space_and_one_frame() -> None:
    poses = squats(110)
    filmed = Page(make_report(analyze(replace(poses, space="camera"))))
    assert "ground contacts need poses in world space" in filmed.text
    one = Page(make_report(analyze(poses.select(slice(1)))))
    assert "0.03 s, 1 frame at 30 frames/s" in one.text
    assert not re.search(r"\bnan\b", one.text)


def test_a_curve_of_a_hundred_thousand_frames_keeps_its_peaks() -> None:
    values = np.sin(np.arange(100_000) / 900)
    values[[31_415, 77_777]] = 5, -4
    values[50_000:60_000] = np.nan
    time, thin = thinned(np.arange(100_000.0), values)
    assert len(thin) < 2000
    assert (np.nanmax(thin), time[np.nanargmax(thin)]) == (5, 31_415)
    assert (np.nanmin(thin), time[np.nanargmin(thin)]) == (-4, 77_777)
    assert np.isnan(thin[(time > 50_200) & (time < 59_800)]).all()
    np.testing.assert_array_equal(thin, values[time.astype(int)])


def test_the_page_of_a_long_clip_is_no_larger() -> None:
    short, long = (
        make_report(analyze(stand(50, 50 + 40 * np.sin(np.arange(frames) / 60)), None)) for frames in (1500, 6000)
    )
    assert len(long) < 1.5 * len(short)
    assert len(Page(long).tables) == len(Page(short).tables)


def test_saving(tmp_path: Path) -> None:
    little = make_skeleton("little", {"snout": None, "tail": "snout"})
    found = analyze(Poses3D(np.ones((30, 1, 2, 3), np.float32), skeleton=little, fps=FPS))
    with pytest.raises(UnknownFormatError, match="html"):
        found.save(tmp_path / "report.pdf")
    (tmp_path / "report.html").write_text("kept")
    with pytest.raises(OutputExistsError):
        found.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    found.save(tmp_path / "report.html", overwrite=True)
    assert (tmp_path / "report.html").read_text("utf-8") == make_report(found)
