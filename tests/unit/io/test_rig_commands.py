"""``lift3d info`` and ``lift3d convert`` on rig files."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import lift3d
from rig_samples import assert_same

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io.rigs import read_rig


@pytest.fixture
def rig() -> Rig:
    K = np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]])
    t = np.array([0.5, 0.25, 2.0])
    return Rig((Camera(K, image_size=(640, 480), name="a"), Camera(K, t=t, image_size=(640, 480), name="b")))


def test_convert_through_every_format_and_back(rig: Rig, tmp_path: Path) -> None:
    source = tmp_path / "rig.toml"
    rig.save(source)
    for target in ("rig.json", "rig.qca.txt", "rig.h5", "rig-camchain.yaml", "rig.yml", "rig.xml", "intri.yml"):
        result = lift3d("convert", source, tmp_path / target, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["cameras"] == ["a", "b"]
        source = tmp_path / target
        assert json.loads(lift3d("info", source, "--json").stdout)["kind"] == "rig"
    assert lift3d("convert", tmp_path, tmp_path / "again.toml").exit_code == 0  # the folder of intri.yml
    assert_same(rig, read_rig(tmp_path / "again.toml"))


def test_convert_with_the_format_and_the_unit_named(rig: Rig, tmp_path: Path) -> None:
    rig.save(tmp_path / "rig.toml")
    result = lift3d("convert", tmp_path / "rig.toml", tmp_path / "rig.yaml", "--to", "kalibr")
    assert f"{tmp_path / 'rig.yaml'}: 2 cameras (a, b)" in result.stdout
    assert read_rig(tmp_path / "rig.yaml").metadata["format"] == "Kalibr camera chain"
    again = tmp_path / "again.toml"
    assert lift3d("convert", tmp_path / "rig.yaml", again, "--unit", "0.1", "--format", "kalibr").exit_code == 0
    np.testing.assert_allclose(read_rig(again)["b"].t, rig["b"].t / 10)
    assert lift3d("convert", tmp_path / "rig.yaml", again, "--unit", "cm", "--overwrite").exit_code == 0
    np.testing.assert_allclose(read_rig(again)["b"].t, rig["b"].t / 100)
    assert "at (-0.005, -0.003, -0.020) m" in lift3d("info", again).stdout
    assert "aniposelib/Pose2Sim TOML" in lift3d("info", again).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rig.csv",), r"*.toml"),
        (("rig.toml",), "exists already"),
        (("rig.json", "--to", "colmap"), "no rig format"),
        (("rig.json", "--fps", "50"), "of which --fps says"),
        (("rig.json", "--unit", "inch"), "unit must be"),
        (("rig.json", "--format", "qualisys"), "not valid XML"),
        (("missing/rig.json",), "does not exist"),
    ],
)
def test_mistakes_are_one_message(arguments: tuple[str, ...], message: str, rig: Rig, tmp_path: Path) -> None:
    rig.save(tmp_path / "rig.toml")
    result = lift3d("convert", tmp_path / "rig.toml", tmp_path / arguments[0], *arguments[1:])
    assert result.exit_code != 0
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        assert message in str(result.exception)  # main() prints it and exits with 2
    else:
        assert message in " ".join(result.output.replace("│", " ").split())


def test_rig_options_are_not_for_motion(tmp_path: Path) -> None:
    from lift3d.demo import CLIP

    result = lift3d("convert", CLIP, tmp_path / "clip.h5", "--unit", "mm")
    assert result.exit_code == 2
    assert "holds no rig" in " ".join(result.output.replace("│", " ").split())
