"""Checkpoint files: round trip, description without weights, damage."""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_temporal_convolution import make

from lift3d.errors import CheckpointError
from lift3d.models import (
    CheckpointInfo,
    checkpoint_info,
    list_checkpoints,
    load_checkpoint,
    require_layout,
    save_checkpoint,
)
from lift3d.models.factory import make_network


def example(tmp_path: Path) -> Path:
    network = make(joints_in=24, features_in=3, filter_widths=(3, 3), channels=8)
    config = {"joints_in": 24, "features_in": 3, "filter_widths": [3, 3], "channels": 8}
    info = CheckpointInfo("temporal_convolution", config, "lifter23", "h36m17", "person", 30.0, 1.7, {"title": "x"})
    path = tmp_path / "net.safetensors"
    save_checkpoint(network, info, path, overwrite=True)
    return path


def test_round_trip(tmp_path: Path) -> None:
    path = example(tmp_path)
    network, info = load_checkpoint(path)
    expected = make(joints_in=24, features_in=3, filter_widths=(3, 3), channels=8)
    for name, value in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    assert info == checkpoint_info(path)
    with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
        assert set(file.keys()) == set(expected.state_dict())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_named_errors(tmp_path: Path, data: st.DataObject) -> None:
    path = example(tmp_path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        # The header, where a flipped bit can matter; a flipped weight cannot be noticed.
        content[data.draw(st.integers(0, 1200))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(content)
    with contextlib.suppress(CheckpointError):
        load_checkpoint(damaged)


def test_others_may_read_it_as_the_user_allows(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    assert example(tmp_path).stat().st_mode == other.stat().st_mode


def test_unknown_names_list_what_ships() -> None:
    with pytest.raises(CheckpointError, match="default"):
        checkpoint_info("no-such-checkpoint")


def test_default_checkpoint_ships_with_its_card() -> None:
    names = {entry["name"]: entry for entry in list_checkpoints()}
    card = names["default"]["card"]
    assert {"title", "data", "terms", "errors"} <= card.keys()


@pytest.mark.parametrize(
    "change", [{"normalization": "none"}, {"fps": 0}, {"input_skeleton": "no17"}, {"output_skeleton": "x"}]
)
def test_impossible_descriptions_are_refused(change: dict[str, object]) -> None:
    fields = {
        "architecture": "temporal_convolution", "config": {}, "input_skeleton": "coco17", "output_skeleton": "h36m17",
        "normalization": "image", "fps": 50.0,
    }  # fmt: skip
    with pytest.raises(CheckpointError):
        CheckpointInfo(**(fields | change))  # type: ignore[arg-type]


FAMILIES = {
    "graph_convolution": {"channels": 4, "filter_widths": [3], "skeleton": "lifter23"},
    "graph_transformer": {"channels": 4, "heads": 2, "layers": 1, "representation": 8, "skeleton": "lifter23"},
    "recurrent": {"channels": 4, "both_ways": True},
    "residual_mlp": {"channels": 4},
    "temporal_convolution": {"channels": 4, "filter_widths": [3, 3]},
}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("architecture", FAMILIES)
def test_every_family_comes_back_with_its_calibration(architecture: str, half: bool, tmp_path: Path) -> None:
    config = FAMILIES[architecture] | {"joints_in": 24, "features_in": 3, "sigma": True}
    torch.manual_seed(0)
    network = make_network(architecture, config).eval()
    if half:
        network.half()
    calibration = {"temperature": [1.1, 0.9, 1.3], "interval_68": 1.0, "interval_95": 2.2}
    info = CheckpointInfo(architecture, config, "lifter23", "h36m17", "person", 30.0, sigma=calibration)
    save_checkpoint(network, info, tmp_path / "net.safetensors")
    loaded, described = load_checkpoint(tmp_path / "net.safetensors")
    assert described.sigma == calibration
    reference = make_network(architecture, config).eval()
    reference.load_state_dict(network.state_dict())
    x = torch.randn(1, 2 + network.config.past + network.config.future, 24, 3)
    with torch.no_grad():
        expected, found = reference(x), loaded(x)
    assert torch.equal(found.joints, expected.joints)
    assert torch.equal(found.sigma, expected.sigma)
    # Saved again as it was loaded, from the network's own configuration, it is the same network.
    again = CheckpointInfo(architecture, asdict(loaded.config), "lifter23", "h36m17", "person", 30.0)
    save_checkpoint(loaded, again, tmp_path / "again.safetensors")
    with torch.no_grad():
        assert torch.equal(load_checkpoint(tmp_path / "again.safetensors")[0](x).joints, found.joints)


def test_the_shipped_checkpoint_still_loads() -> None:
    network, info = load_checkpoint("default")
    assert network.config.joints_in == 24
    assert set(info.sigma) >= ({"temperature"} if network.config.sigma else set())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"joints_in": 24, "features_in": 3, "channels": 8, "filter_widths": [3, 5]}}, "do not fit"),
        ({"config": {"joints_in": 23, "features_in": 3, "channels": 8, "filter_widths": [3, 3]}}, "reads 23 joints"),
        ({"config": {"joints_in": 24, "chanels": 8}}, "chanels"),
        ({"config": {"joints_in": 24, "channels": 1_000_000}}, "too many"),
        ({"architecture": "recurrent", "config": {"joints_in": 24}}, "do not fit"),
        ({"architecture": "no_such"}, "known are"),
        ({"input_skeleton": "h36m17"}, "make 18"),
        ({"output_skeleton": "coco18"}, "gives 17 joints"),
        ({"normalization": "image"}, "make 23"),
        ({"fps": "fast"}, "fps"),
        ({"height": -1}, "height"),
        ({"config": [1]}, "config"),
        ({"nonsense": 1}, "nonsense"),
        ({"sigma": {"temperature": [1, 1]}}, "temperature"),
        ({"sigma": {"temperature": [1, 1, "1"]}}, "temperature"),
        ({"sigma": {"temperature": [1, 1, 1], "interval_95": 0}}, "interval_95"),
        ({"sigma": {"interval_95": 2}}, "temperature"),
    ],
)
def test_descriptions_that_do_not_fit_are_one_sentence(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = example(tmp_path)
    weights = load_file(path)
    description = asdict(checkpoint_info(path)) | change
    save_file(weights, path, metadata={"lift3d": json.dumps(description)})
    with pytest.raises(CheckpointError, match=message) as error:
        load_checkpoint(path)
    assert str(path) in str(error.value)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    path = example(tmp_path)
    save_file(load_file(path), path, metadata={"lift3d": "[" * 200_000})
    with pytest.raises(CheckpointError, match="description"):
        checkpoint_info(path)


def test_a_description_of_another_network_is_not_written(tmp_path: Path) -> None:
    network = make(channels=8, filter_widths=(3,))
    info = CheckpointInfo("temporal_convolution", {}, "lifter23", "h36m17", "image", 50.0)
    with pytest.raises(CheckpointError, match="reads 17 joints"):
        save_checkpoint(network, info, tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_layout_is_refused() -> None:
    info = CheckpointInfo("temporal_convolution", {}, "coco17", "h36m17", "image", 50.0)
    require_layout(info, "coco17", "h36m17", "image")
    require_layout(info)
    with pytest.raises(CheckpointError, match=r"net: .*reads joints coco17, the data have h36m17"):
        require_layout(info, "h36m17", name="net")
    with pytest.raises(CheckpointError, match="gives joints h36m17, the data have panoptic15"):
        require_layout(info, output_skeleton="panoptic15")
    with pytest.raises(CheckpointError, match="normalization is 'image', the data's 'person'"):
        require_layout(info, normalization="person")
