"""Checkpoints: a safetensors file whose metadata say what the weights need and give."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift3d.errors import CheckpointError, SkeletonError
from lift3d.io.files import atomic_path
from lift3d.skeletons import get_skeleton

if TYPE_CHECKING:
    from lift3d.models.temporal_convolution.modeling import TemporalConvolution

METADATA_KEY = "lift3d"
NORMALIZATIONS = ("person", "image")
# More than any network of this field has; checked before weights are allocated.
LARGEST_FILE = 2 << 30


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint's weights are.

    Attributes:
        architecture: name of the network in the factory.
        config: the network's configuration.
        input_skeleton, output_skeleton: joint layouts.
        normalization: "person" (lift3d.lifting.normalization) or "image" (VideoPose3D: pixels over half the width).
        fps: frame rate of the motion that the network was trained on.
        height: stature in metres of the body that the output is scaled to; None if it is whatever it was trained on.
        card: what people should know: data, terms, errors.
    """

    architecture: str
    config: dict[str, Any]
    input_skeleton: str
    output_skeleton: str
    normalization: str
    fps: float
    height: float | None = None
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.normalization not in NORMALIZATIONS:
            raise CheckpointError(f"normalization must be one of {NORMALIZATIONS}, not {self.normalization!r}")
        if not 0 < self.fps < 10_000:
            raise CheckpointError(f"fps must be a positive number, not {self.fps}")
        for skeleton in (self.input_skeleton, self.output_skeleton):
            try:
                get_skeleton(skeleton)
            except SkeletonError as error:
                raise CheckpointError(str(error)) from error


def checkpoint_path(name: str | PathLike[str]) -> Path:
    """The file of a checkpoint that ships with lift3d ("default") or of a path.

    Raises:
        CheckpointError: there is no such checkpoint.
    """
    shipped = _shipped()
    if str(name) in shipped:
        return shipped[str(name)]
    path = Path(name)
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such checkpoint; give a .safetensors file or one of {', '.join(shipped) or '(none ship)'}"
        )
    return path


def _shipped() -> dict[str, Path]:
    folder = Path(str(resources.files("lift3d.weights")))
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def list_checkpoints() -> list[dict[str, Any]]:
    """Name and description of every checkpoint that ships with lift3d."""
    return [{"name": name, **asdict(checkpoint_info(path))} for name, path in _shipped().items()]


def checkpoint_info(name: str | PathLike[str]) -> CheckpointInfo:
    """The description inside a checkpoint, without reading its weights.

    Raises:
        CheckpointError: the file is missing, damaged, or not a lift3d checkpoint.
    """
    path = checkpoint_path(name)
    # The header of a safetensors file: its length in 8 bytes, then JSON.
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 10_000_000 or length > path.stat().st_size:
                raise ValueError("the header's length is impossible")
            header = json.loads(file.read(length))
            text = header["__metadata__"][METADATA_KEY]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not a lift3d checkpoint ({error}); a VideoPose3D .bin is turned into one by "
            "lift3d convert-checkpoint"
        ) from error
    try:
        return CheckpointInfo(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the checkpoint's description cannot be read ({error})") from error


@lru_cache(maxsize=4)
def _load(path: Path, _modified: int) -> tuple[TemporalConvolution, CheckpointInfo]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from lift3d.models.factory import make_network

    info = checkpoint_info(path)
    if path.stat().st_size > LARGEST_FILE:
        raise CheckpointError(f"{path}: larger than {LARGEST_FILE >> 30} GB")
    network = make_network(info.architecture, info.config)
    try:
        weights = {
            name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()
        }
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise CheckpointError(
            f"{path}: the weights do not fit the network that the file describes ({error})"
        ) from error
    return network.eval(), info


def load_checkpoint(name: str | PathLike[str]) -> tuple[TemporalConvolution, CheckpointInfo]:
    """The network, in evaluation mode, and its description; the last few are kept in memory, so do not change them.

    Raises:
        CheckpointError: the file is missing or damaged, or its weights do not fit its description.
    """
    path = checkpoint_path(name)
    return _load(path, path.stat().st_mtime_ns)


def save_checkpoint(
    network: TemporalConvolution, info: CheckpointInfo, path: str | PathLike[str], overwrite: bool = False
) -> None:
    """Write weights and description. Raises OutputExistsError if the file exists and ``overwrite`` is False."""
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with atomic_path(path, overwrite) as temporary:
        save_file(weights, temporary, metadata={METADATA_KEY: json.dumps(asdict(info))})
