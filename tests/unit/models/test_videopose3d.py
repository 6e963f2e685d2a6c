"""Checkpoints of VideoPose3D, old and new file formats, honest and hostile."""

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_temporal_convolution import make, naive

from lift3d.errors import CheckpointError, OutputExistsError
from lift3d.models import checkpoint_info, convert_videopose3d, load_checkpoint


def published_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names that VideoPose3D gives to the same weights."""
    renamed = {}
    for name, value in state.items():
        if name.startswith("blocks."):
            _, block, layer, leaf = name.split(".")
            kind = "layers_bn" if layer.endswith("_norm") else "layers_conv"
            index = 2 * int(block) + layer.startswith("pointwise")
            renamed[f"{kind}.{index}.{leaf}"] = value
        else:
            renamed[name.replace("expand_norm", "expand_bn").replace("expand.", "expand_conv.")] = value
    return renamed


def training_checkpoint(network: torch.nn.Module) -> dict[str, object]:
    """What VideoPose3D saves: also the optimizer and numpy's random state."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    return {
        "epoch": 80,
        "lr": np.float64(6e-5),
        "random_state": np.random.RandomState(1234),
        "optimizer": optimizer.state_dict(),
        "model_pos": published_names(network.state_dict()),
        "model_traj": None,
        "random_state_semi": None,
    }


class OldNumpy:
    """Pickles a random state under the names that numpy 1.13 gave it."""

    def __reduce__(self) -> tuple[object, ...]:
        state = np.random.RandomState(1234).get_state()
        return getattr(np.random, "__RandomState_ctor"), (), state


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("old_numpy", [False, True])
def test_converted_weights_give_the_same_poses(
    tmp_path: Path, legacy: bool, old_numpy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(filter_widths=(3, 3), channels=16)
    content = training_checkpoint(network)
    if old_numpy:
        ctor = lambda *_: None  # noqa: E731
        ctor.__module__, ctor.__qualname__, ctor.__name__ = "numpy.random", "__RandomState_ctor", "__RandomState_ctor"
        monkeypatch.setattr(np.random, "__RandomState_ctor", ctor, raising=False)
        content["random_state"] = OldNumpy()
    source, output = tmp_path / "model.bin", tmp_path / "model.safetensors"
    torch.save(content, source, _use_new_zipfile_serialization=not legacy)
    monkeypatch.undo()

    summary = convert_videopose3d(source, output, skeleton="coco17")
    assert summary["receptive_field"] == 9
    assert "random_state" in summary["left_out"]
    loaded, info = load_checkpoint(output)
    assert (info.input_skeleton, info.normalization, info.fps) == ("coco17", "image", 50)
    x = torch.randn(1, 12, 17, 2)
    with torch.no_grad():
        np.testing.assert_allclose(loaded(x).joints[0].numpy(), naive(network, x[0].numpy()), atol=1e-5)
    with pytest.raises(OutputExistsError):
        convert_videopose3d(source, output)


def test_full_size_checkpoint_is_recognised(tmp_path: Path) -> None:
    torch.save(training_checkpoint(make()), tmp_path / "model.bin")
    summary = convert_videopose3d(tmp_path / "model.bin", tmp_path / "model.safetensors")
    assert (summary["parameters"], summary["receptive_field"]) == (16_952_371, 243)
    assert checkpoint_info(tmp_path / "model.safetensors").config["channels"] == 1024


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("legacy", [False, True])
def test_hostile_checkpoint_is_refused_and_runs_nothing(tmp_path: Path, legacy: bool) -> None:
    content = training_checkpoint(make(filter_widths=(3,), channels=4)) | {"epoch": Hostile(tmp_path / "harm")}
    torch.save(content, tmp_path / "model.bin", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r"model\.bin"):
        convert_videopose3d(tmp_path / "model.bin", tmp_path / "out.safetensors")
    assert not (tmp_path / "harm").exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_files_of_something_else_say_so(tmp_path: Path) -> None:
    path, output = tmp_path / "model.bin", tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        convert_videopose3d(path, output)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(CheckpointError, match="no 'model_pos'"):
        convert_videopose3d(path, output)
    torch.save({"model_pos": {"conv.weight": torch.zeros(3)}}, path)
    with pytest.raises(CheckpointError, match="not VideoPose3D's network"):
        convert_videopose3d(path, output)
    torch.save(training_checkpoint(make(filter_widths=(3,), channels=4)), path)
    with pytest.raises(CheckpointError, match="reads 17 joints"):
        convert_videopose3d(path, output, skeleton="body25")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        convert_videopose3d(path, output)
    path.write_bytes(pickle.dumps([1, 2]))
    with warnings.catch_warnings(record=True) as heard, pytest.raises(CheckpointError, match="cannot be read"):
        convert_videopose3d(path, output)
    assert not heard
