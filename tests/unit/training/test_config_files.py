"""Configuration files: what is read, what is refused and in which words."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lift3d.errors import ConfigurationError, FileFormatError, OutputExistsError
from lift3d.training.config_files import find_differences, parse_config, read_config, to_dict, write_config
from lift3d.training.configuration import PoseSetData, SynthesisData, TrainingConfig

SYNTHESIS = {
    "model": {"architecture": "temporal_convolution", "settings": {"filter_widths": [3, 3], "channels": 8}},
    "data": {"source": "synthesis", "motion": {"walks.h5": 1.0}},
}
POSE_SET = {
    "model": {"architecture": "temporal_convolution"},
    "data": {"source": "pose_set", "set": "h36m.h5"},
    "outputs": 1,
}


def changed(values: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A deep copy of nested values with one of them replaced."""
    copy: dict[str, Any] = yaml.safe_load(yaml.safe_dump(values))
    *parents, last = name.split(".")
    inner = copy
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return copy


def write(path: Path, values: Any) -> Path:
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_a_file_is_read_and_paths_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = read_config(write(tmp_path / "a.yaml", SYNTHESIS))
    assert isinstance(config.data, SynthesisData)
    assert config.data.folder == str(tmp_path)
    assert config.data.motion == {"walks.h5": 1.0}
    assert config.optimizer.name == "adamw"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    other = read_config(write(tmp_path / "b.yaml", POSE_SET))
    assert isinstance(other.data, PoseSetData)
    assert other.data.set == str(tmp_path / "h36m.h5")
    # In an override a path is what it is in the shell.
    other = read_config(tmp_path / "b.yaml", ["data.set=mine.h5"])
    assert isinstance(other.data, PoseSetData)
    assert other.data.set == str(elsewhere / "mine.h5")
    assert read_config(tmp_path / "a.yaml", ["data.folder=."]).data.folder == str(elsewhere)  # type: ignore[union-attr]


def test_overrides_replace_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", SYNTHESIS)
    config = read_config(
        path,
        [
            "optimizer.learning_rate=3e-4", "optimizer.norm_momentum=[0.2, 0.1]", "model.settings.channels=16",
            "steps=500", "data.held_out=[a, b]", "optimizer.ema=null", "data.bodies.limb_degrees=5",
        ],
    )  # fmt: skip
    assert config.optimizer.learning_rate == 3e-4
    assert config.optimizer.norm_momentum == (0.2, 0.1)
    assert config.model.settings == {"filter_widths": [3, 3], "channels": 16}
    assert config.steps == 500
    assert isinstance(config.data, SynthesisData)
    assert config.data.held_out == ("a", "b")
    assert config.data.bodies.limb_degrees == 5


@pytest.mark.parametrize("values", [SYNTHESIS, POSE_SET, changed(SYNTHESIS, "optimizer.ema", 0.999)])
def test_what_is_written_is_read_again(tmp_path: Path, values: dict[str, Any]) -> None:
    config = read_config(write(tmp_path / "a.yaml", values))
    write_config(config, tmp_path / "b.yaml")
    assert read_config(tmp_path / "b.yaml") == config
    assert parse_config(to_dict(config), "memory") == config
    assert find_differences(config, read_config(tmp_path / "b.yaml")) == []
    with pytest.raises(OutputExistsError):
        write_config(config, tmp_path / "b.yaml")
    other = read_config(tmp_path / "a.yaml", ["batch=8", "optimizer.name=adam"])
    assert find_differences(config, other) == ["batch: 96, 8", "optimizer.name: 'adamw', 'adam'"]


@pytest.mark.parametrize(
    ("base", "name", "value", "message"),
    [
        (SYNTHESIS, "optimizer.learning_rat", 1, r"field optimizer.learning_rat: .*did you mean learning_rate\?"),
        (SYNTHESIS, "data.bodies.zzz", 1, r"field data.bodies.zzz: .*there are speed, mix_probability"),
        (SYNTHESIS, "data.set", "x.h5", r"field data.set: there is no such field"),
        (SYNTHESIS, "data.source", "video", r"field data: source must be 'synthesis', 'pose_set', not 'video'"),
        (SYNTHESIS, "data", {"motion": {}}, r"field data: say where the data come from"),
        (SYNTHESIS, "data", 5, r"field data: "),
        (SYNTHESIS, "batch", 0, r"field batch: input should be greater than 0, not 0"),
        (SYNTHESIS, "batch", "many", r"field batch: .*integer.*not 'many'"),
        (SYNTHESIS, "batch", 1.5, r"field batch: .*not 1.5"),
        (SYNTHESIS, "data.fps", -1, r"field data.fps: .*greater than 0"),
        (SYNTHESIS, "optimizer.ema", 1.0, r"field optimizer.ema: .*less than 1"),
        (SYNTHESIS, "optimizer.learning_rate", float("nan"), r"field optimizer.learning_rate: "),
        (SYNTHESIS, "optimizer.norm_momentum", [0.1], r"field optimizer.norm_momentum.1: the field is missing"),
        (SYNTHESIS, "optimizer.name", "sgd", r"field optimizer.name: .*'adam', 'adamw'"),
        (SYNTHESIS, "precision", "int8", r"field precision: .*'auto'"),
        (POSE_SET, "data", {"source": "pose_set"}, r"field data.set: the field is missing"),
        (POSE_SET, "data.synthetic", {"motion": {"a.h5": 1}, "fp": 2}, r"field data.synthetic.fp: .*did you mean fps"),
        # What does not go together.
        (SYNTHESIS, "model.architecture", "resnet", r"field model: .*unknown architecture 'resnet'"),
        (SYNTHESIS, "model.settings.chanels", 8, r"field model: .*no field chanels"),
        (SYNTHESIS, "model.settings.filter_widths", [2], r"field model: .*odd"),
        (SYNTHESIS, "model.settings.sigma", True, r"field model.settings.sigma: .*losses.laplace"),
        (SYNTHESIS, "losses.laplace", 1, r"field losses.laplace: .*model.settings.sigma"),
        (SYNTHESIS, "losses.mpjpe", 0, r"field losses: every weight is 0"),
        (SYNTHESIS, "losses.reprojection", 1, r"field losses.reprojection: synthesised windows"),
        (SYNTHESIS, "trajectory", True, r"field trajectory: synthesised windows"),
        (SYNTHESIS, "augmentation.flip", False, r"field augmentation: .*prepared sets"),
        (SYNTHESIS, "data.motion", {}, r"field data.motion: name the motion files"),
        (SYNTHESIS, "model", {"architecture": "graph_transformer"}, r"field outputs: .*\d+ frames"),
        (POSE_SET, "losses.velocity", 1, r"field losses.velocity: .*two poses"),
        (POSE_SET, "semi_supervision", {}, r"field semi_supervision: .*data.unlabelled"),
        (POSE_SET, "data.unlabelled", "u.h5", r"field data.unlabelled: .*semi_supervision"),
        (POSE_SET, "data.synthetic", {"motion": {"a.h5": 1}}, r"field data.synthetic: .*person"),
        (POSE_SET, "augmentation.scale", [2, 1], r"field augmentation.scale: the least factor"),
    ],
)  # fmt: skip
def test_one_clear_error_names_file_and_field(
    tmp_path: Path, base: dict[str, Any], name: str, value: Any, message: str
) -> None:
    path = write(tmp_path / "a.yaml", changed(base, name, value))
    with pytest.raises(ConfigurationError, match=rf"^{path}, {message}") as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


def test_people_cannot_be_trained_on_and_held_out(tmp_path: Path) -> None:
    values = changed(changed(POSE_SET, "data.training", ["S1", "S5"]), "data.validation", ["S5"])
    with pytest.raises(ConfigurationError, match=r"data.validation: S5 would be trained on"):
        read_config(write(tmp_path / "a.yaml", values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "named fields"),
        ("- 1\n- 2", "named fields"),
        ("batch: 1\nbatch: 2", "stands there twice"),
        ("a: &a [1, 1]\nb: *a", "aliases"),
        ("model: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_config(write(tmp_path / "a.yaml", text))
    with pytest.raises(FileFormatError, match="no such configuration file"):
        read_config(tmp_path / "b.yaml")


@pytest.mark.parametrize("override", ["batch", "=3", "a..b=1", "batch=[", "batch.size=3", "batc=3"])
def test_overrides_that_cannot_be_are_named(tmp_path: Path, override: str) -> None:
    path = write(tmp_path / "a.yaml", SYNTHESIS | {"batch": 8})
    with pytest.raises(ConfigurationError, match=r"--set|batc"):
        read_config(path, [override])


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_values_are_a_configuration_or_a_named_error(data: st.DataObject) -> None:
    names = ["batch", "data", "data.motion", "data.bodies", "data.cameras.distance", "model", "model.settings",
             "optimizer", "optimizer.norm_momentum", "losses", "steps", "augmentation", "semi_supervision"]  # fmt: skip
    values = changed(SYNTHESIS, data.draw(st.sampled_from(names)), data.draw(VALUES))
    with contextlib.suppress(ConfigurationError):
        assert isinstance(parse_config(values, "x.yaml"), TrainingConfig)
