"""Checkpoints: a safetensors file whose metadata say what the weights need and give."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift3d.errors import CheckpointError, SkeletonError
from lift3d.io.files import atomic_path
from lift3d.skeletons import Skeleton, get_skeleton

if TYPE_CHECKING:
    from lift3d.models.network import Lifter, NetworkConfig

METADATA_KEY = "lift3d"
# Rows of the input beside the joints: person-centred input has one that says how the person is seen.
NORMALIZATIONS = {"person": 1, "image": 0}
# What a network gives: poses relative to the root, or the root's place.
OUTPUTS = ("pose", "root")
# What to say of a checkpoint that is taken for one of the other kind.
_OTHER_OUTPUT = {
    "pose": "a lifter of poses, not a root-trajectory network; 'lift3d train' with trajectory: true makes one",
    "root": "a root-trajectory network, which gives no pose; take the lifter that was trained with it",
}
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
        sigma: what makes the network's standard deviations true: "temperature", the factor of each of its three axes;
            "interval_68", "interval_95" and other levels, how many of the resulting sigma hold that percentage of the
            errors. Empty if the network has no sigma or was not calibrated.
        output: "pose", joints relative to the root; or "root", of a root-trajectory network: one row, the place of the
            first joint of ``output_skeleton`` in camera space, metres (with person-centred input of a person of
            ``height``, in the axes of that input's view).
    """

    architecture: str
    config: dict[str, Any]
    input_skeleton: str
    output_skeleton: str
    normalization: str
    fps: float
    height: float | None = None
    card: dict[str, Any] = field(default_factory=dict)
    sigma: dict[str, Any] = field(default_factory=dict)
    output: str = "pose"

    def __post_init__(self) -> None:
        for name in ("architecture", "input_skeleton", "output_skeleton", "normalization", "output"):
            if not isinstance(getattr(self, name), str):
                raise CheckpointError(f"{name} must be a name, not {getattr(self, name)!r}")
        for name in ("config", "card", "sigma"):
            if not isinstance(getattr(self, name), dict):
                raise CheckpointError(f"{name} must be names and values, not {getattr(self, name)!r}")
        if self.normalization not in NORMALIZATIONS:
            raise CheckpointError(
                f"normalization must be one of {', '.join(NORMALIZATIONS)}, not {self.normalization!r}"
            )
        if self.output not in OUTPUTS:
            raise CheckpointError(f"output must be one of {', '.join(OUTPUTS)}, not {self.output!r}")
        if not _is_positive(self.fps) or self.fps >= 10_000:
            raise CheckpointError(f"fps must be a positive number, not {self.fps}")
        if self.height is not None and not _is_positive(self.height):
            raise CheckpointError(f"height must be a positive number of metres, not {self.height}")
        for skeleton in (self.input_skeleton, self.output_skeleton):
            try:
                get_skeleton(skeleton)
            except SkeletonError as error:
                raise CheckpointError(str(error)) from error
        if self.sigma:
            _check_calibration(self.sigma)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _check_calibration(sigma: dict[str, Any]) -> None:
    """Raise CheckpointError unless it is a calibration of sigma."""
    temperature = sigma.get("temperature")
    if not isinstance(temperature, list | tuple) or len(temperature) != 3 or not all(map(_is_positive, temperature)):
        raise CheckpointError(f"sigma: temperature must be three positive numbers, not {temperature!r}")
    for name, value in sigma.items():
        if name.startswith("interval_") and not _is_positive(value):
            raise CheckpointError(f"sigma: {name} must be a positive number, not {value!r}")


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
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a lift3d checkpoint ({error}); a VideoPose3D .bin is turned into one by "
            "lift3d convert-checkpoint"
        ) from error
    try:
        return CheckpointInfo(**json.loads(text))
    except (TypeError, ValueError, RecursionError, CheckpointError) as error:
        raise CheckpointError(f"{path}: the checkpoint's description cannot be read ({error})") from error


def _check_layouts(config: NetworkConfig, info: CheckpointInfo) -> None:
    """Raise CheckpointError unless the network's joints are those of the layouts that the description names."""
    rows = NORMALIZATIONS[info.normalization]
    expected = len(get_skeleton(info.input_skeleton)) + rows
    if config.joints_in != expected:
        raise CheckpointError(
            f"the network reads {config.joints_in} joints, but input_skeleton {info.input_skeleton!r}"
            f"{' and the context row' if rows else ''} make {expected}"
        )
    expected = 1 if info.output == "root" else len(get_skeleton(info.output_skeleton))
    if config.joints_out != expected:
        named = "output 'root' is" if info.output == "root" else f"output_skeleton {info.output_skeleton!r} has"
        raise CheckpointError(f"the network gives {config.joints_out} joints, but {named} {expected}")


def require_layout(
    info: CheckpointInfo,
    input_skeleton: str | Skeleton | None = None,
    output_skeleton: str | Skeleton | None = None,
    normalization: str | None = None,
    name: str | PathLike[str] = "the checkpoint",
) -> None:
    """Check that a checkpoint reads what the data give and gives what they are compared with.

    Args:
        info: the checkpoint's description.
        input_skeleton, output_skeleton, normalization: what the data have; None is not compared.
        name: the checkpoint, for the message.

    Raises:
        CheckpointError: it is a checkpoint of another layout.
    """
    for what, own, given in (
        ("reads joints", info.input_skeleton, input_skeleton),
        ("gives joints", info.output_skeleton, output_skeleton),
    ):
        if given is not None and get_skeleton(own) != get_skeleton(given):
            raise CheckpointError(
                f"{name}: a checkpoint of another layout: it {what} {get_skeleton(own).name}, the data have "
                f"{get_skeleton(given).name}; take data or a checkpoint of the same layout"
            )
    if normalization is not None and info.normalization != normalization:
        raise CheckpointError(
            f"{name}: a checkpoint of another input: its normalization is {info.normalization!r}, the data's "
            f"{normalization!r}"
        )


@lru_cache(maxsize=4)
def _load(path: Path, _modified: int) -> tuple[Lifter, CheckpointInfo]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from lift3d.models.factory import make_network

    info = checkpoint_info(path)
    if path.stat().st_size > LARGEST_FILE:
        raise CheckpointError(f"{path}: larger than {LARGEST_FILE >> 30} GB")
    try:
        network = make_network(info.architecture, info.config)
        _check_layouts(network.config, info)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
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


def load_checkpoint(name: str | PathLike[str], output: str = "pose") -> tuple[Lifter, CheckpointInfo]:
    """The network, in evaluation mode, and its description; the last few are kept in memory, so do not change them.

    Args:
        name: of a checkpoint that ships with lift3d, or a path.
        output: what the network must give, one of ``OUTPUTS``.

    Raises:
        CheckpointError: the file is missing or damaged, its weights do not fit its description, or it gives something
            else.
    """
    path = checkpoint_path(name)
    network, info = _load(path, path.stat().st_mtime_ns)
    if info.output != output:
        raise CheckpointError(f"{path}: {_OTHER_OUTPUT[info.output]}")
    return network, info


def find_trajectory(name: str | PathLike[str]) -> Path | None:
    """The root-trajectory network that was saved beside a lifter's checkpoint, or None.

    It has the lifter's name with "_trajectory": ``last_trajectory.safetensors`` beside ``last.safetensors``.
    """
    if str(name) in _shipped():
        return None
    path = Path(name)
    beside = path.with_name(f"{path.stem}_trajectory.safetensors")
    return beside if beside.is_file() else None


def save_checkpoint(network: Lifter, info: CheckpointInfo, path: str | PathLike[str], overwrite: bool = False) -> None:
    """Write weights and description.

    Raises:
        CheckpointError: the description is of another network.
        OutputExistsError: the file exists and ``overwrite`` is False.
    """
    from safetensors.torch import save

    _check_layouts(network.config, info)

    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    # Not save_file, which makes files that only their owner may read.
    content = save(weights, metadata={METADATA_KEY: json.dumps(asdict(info))})
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(content)
