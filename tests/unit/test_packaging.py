"""What is listed, what is pinned, and what a wheel carries."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAPPED = ("calibration", "datasets", "viz")  # subpackages of lift3d that live beside it
SHIPPED = ("py.typed", "*.safetensors", "*.json", "*.md", "*.h5", "*.html", "*.js", "*.css")


def package_folders() -> dict[str, Path]:
    """Every folder with an ``__init__.py``, by the name that it is imported as."""
    tops = {"lift3d": ROOT / "lift3d"} | {f"lift3d.{name}": ROOT / name for name in MAPPED}
    return {
        ".".join([name, *folder.relative_to(top).parts]): folder
        for name, top in tops.items()
        for folder in (init.parent for init in top.rglob("__init__.py"))
    }


def shipped_files() -> set[str]:
    """The data files below the package folders, by their path in an installed copy."""
    folders = {name: ROOT / name for name in MAPPED}
    folders = {f"lift3d/{name}": folder for name, folder in folders.items()} | {"lift3d": ROOT / "lift3d"}
    return {
        f"{place}/{path.relative_to(folder).as_posix()}"
        for place, folder in folders.items()
        for pattern in SHIPPED
        for path in folder.rglob(pattern)
    }


def test_every_package_folder_is_listed() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == set(package_folders())


def test_the_folders_beside_lift3d_are_mapped_into_it() -> None:
    mapped = {f"lift3d.{name}": name for name in MAPPED if (ROOT / name).is_dir()}
    assert PROJECT["tool"]["setuptools"]["package-dir"] == mapped


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a copy of the sources, built with the setuptools that is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = [*package_folders().values(), ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "LICENSE"]
    for source in tracked:
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        for file in files:
            if "__pycache__" not in file.parts:
                copy = folder / "source" / file.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*command, str(folder), str(folder / "source")], check=True, capture_output=True, text=True)
    return zipfile.ZipFile(next(folder.glob("lift3d-*.whl")))


def test_a_wheel_carries_every_module_and_data_file(wheel: zipfile.ZipFile) -> None:
    modules = {
        f"{name.replace('.', '/')}/{module.name}"
        for name, folder in package_folders().items()
        for module in folder.glob("*.py")
    }
    expected = modules | shipped_files()
    assert {"lift3d/demo/balancing.h5", "lift3d/demo/NOTICE.md", "lift3d/py.typed"} <= expected
    assert expected <= set(wheel.namelist())


def test_a_wheel_installs_one_top_level_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}
    assert tops == {"lift3d"}


def test_a_wheel_carries_the_licences(wheel: zipfile.ZipFile) -> None:
    licences = {name.split("/licenses/")[-1] for name in wheel.namelist() if "/licenses/" in name}
    assert {"LICENSE", "lift3d/demo/NOTICE.md"} <= licences


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normalized(name): version for name, version in pins}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[Requirement]:
    extras = [line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]
    return [
        requirement
        for requirement in map(Requirement, PROJECT["project"]["dependencies"] + extras)
        if requirement.name != "lift3d" and (requirement.marker is None or requirement.marker.evaluate())
    ]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_every_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(constraints()[normalized(requirement.name)], prereleases=True)


def test_the_pinned_torch() -> None:
    assert constraints()["torch"] == "2.13.0"


def test_one_opencv_is_installed() -> None:
    installed = {normalized(distribution.metadata["Name"]) for distribution in distributions()}
    assert [name for name in sorted(installed) if name.startswith("opencv")] == ["opencv-contrib-python"]
