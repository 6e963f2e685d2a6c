import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift3d.cli.named_paths import named_paths
from lift3d.errors import Lift3DError


def test_names_that_are_given_stay_in_order():
    assert named_paths(["right=b.json", "left=a.json"]) == {"right": "b.json", "left": "a.json"}
    assert list(named_paths(["right=b.json", "left=a.json"])) == ["right", "left"]


def test_a_plain_path_is_called_after_its_file_or_folder(tmp_path):
    folder = tmp_path / "cam.01_json"
    folder.mkdir()
    assert named_paths([str(folder), "some/where/cam02.json"]) == {
        "cam.01_json": str(folder),
        "cam02": "some/where/cam02.json",
    }


def test_files_of_one_name_are_called_after_their_folders():
    assert list(named_paths(["take/cam1/pose.json", "take/cam2/pose.json"])) == ["cam1", "cam2"]
    assert list(named_paths(["cam1/a/pose.json", "cam2/a/pose.json", "extra=x.h5"])) == ["cam1", "cam2", "extra"]


def test_a_path_with_an_equals_sign_that_exists_is_a_path(tmp_path):
    path = tmp_path / "fps=60.json"
    path.touch()
    assert named_paths([str(path)]) == {"fps=60": str(path)}
    assert named_paths([f"cam={path}"]) == {"cam": str(path)}


def test_only_the_first_equals_sign_divides():
    assert named_paths(["cam1=take/fps=60.json"]) == {"cam1": "take/fps=60.json"}


def test_the_home_folder_is_found_behind_a_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert named_paths(["cam1=~/a.json", "~/b.json"]) == {"cam1": "/home/someone/a.json", "b": "/home/someone/b.json"}


@pytest.mark.parametrize("items", [["cam=a.json", "cam=b.json"], ["x/a.json", "a=y/b.json"], ["a.json", "a.json"]])
def test_two_of_one_name_are_named(items):
    with pytest.raises(Lift3DError) as caught:
        named_paths(items)
    assert all(item.split("=")[-1] in str(caught.value) for item in items)


@pytest.mark.parametrize("item", ["", "=a.json", "cam=", " =a"])
def test_an_empty_name_or_path_is_refused(item):
    with pytest.raises(Lift3DError, match="neither a path nor NAME=PATH"):
        named_paths([item])


@given(st.lists(st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){2}", fullmatch=True), unique=True, min_size=1, max_size=5))
def test_names_are_parts_of_the_paths_at_one_depth(items):
    parts = [item.split("/") for item in items]
    if not any(len({part[depth] for part in parts}) == len(items) for depth in range(3)):
        with pytest.raises(Lift3DError, match="both called"):
            named_paths(items)
        return
    named = named_paths(items)
    assert list(named.values()) == items
    assert any(list(named) == [part[depth] for part in parts] for depth in range(3))
