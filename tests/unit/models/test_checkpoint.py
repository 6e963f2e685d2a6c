"""Checkpoint files: round trip, description without weights, damage."""

import contextlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from test_temporal_convolution import make

from lift3d.errors import CheckpointError
from lift3d.models import CheckpointInfo, checkpoint_info, list_checkpoints, load_checkpoint, save_checkpoint


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
