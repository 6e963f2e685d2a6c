"""Checkpoints of VideoPose3D (``pretrained_h36m_cpn.bin`` and those people trained with it) as lift3d checkpoints."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift3d.errors import CheckpointError
from lift3d.models.checkpoint import CheckpointInfo, save_checkpoint
from lift3d.skeletons import H36M17, get_skeleton

if TYPE_CHECKING:
    from torch import Tensor

# Human3.6M is filmed at 50 frames/s.
HUMAN36M_FPS = 50.0


class _Ignored:
    """Stands for objects of a checkpoint that are not weights: numpy's random state of the training run.

    Nothing of what the file says about them is carried out.
    """

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


# Under these names numpy, old and new, pickles a RandomState and the array and scalars in it.
_IGNORED_NAMES = (
    "numpy.random.__RandomState_ctor",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._mt19937.MT19937",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.mtrand.RandomState",
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    "numpy.ndarray",
    "numpy.dtype",
)  # fmt: skip


def convert_videopose3d(
    source: str | PathLike[str],
    output: str | PathLike[str],
    skeleton: str = "coco17",
    causal: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Turn a VideoPose3D checkpoint into a lift3d checkpoint with the same weights.

    The file is read by PyTorch's restricted unpickler (``weights_only``): tensors and plain containers are admitted,
    numpy's random state is skipped, anything else is refused.

    Args:
        source: the ``.bin`` file; its ``model_pos`` holds the weights.
        output: the ``.safetensors`` file to write.
        skeleton: layout of the 2D keypoints that it was trained on: coco17 for the published CPN and Detectron
            checkpoints, h36m17 for ground truth; the file does not say.
        causal: whether it was trained with ``--causal``; the file does not say.
        overwrite: replace an existing output.

    Returns:
        summary: layers, receptive field, parameters, and the names of what was left out.

    Raises:
        CheckpointError: the file is damaged, holds objects that are not admitted, or is not of VideoPose3D.
    """
    import torch

    from lift3d.models.factory import make_network

    path = Path(source)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([(_Ignored, name) for name in _IGNORED_NAMES]):
            # Of a file of another kind torch also warns what pickle protocol it seems to have.
            warnings.simplefilter("ignore", UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # The unpickler meets arbitrary bytes; whatever it raises means one thing.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path}: cannot be read as a VideoPose3D checkpoint ({reason})") from error
    state = content.get("model_pos") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"{path}: no 'model_pos' in the checkpoint; it holds {found or 'nothing'}")
    config = _read_config(path, state, causal)
    if config["joints_out"] != len(H36M17):
        raise CheckpointError(f"{path}: gives {config['joints_out']} joints; only Human3.6M's 17 are supported")
    if config["joints_in"] != len(get_skeleton(skeleton)):
        raise CheckpointError(
            f"{path}: reads {config['joints_in']} joints, but --skeleton {skeleton} has {len(get_skeleton(skeleton))}"
        )
    network = make_network("temporal_convolution", config)
    try:
        network.load_state_dict(_rename(state))
    except RuntimeError as error:
        raise CheckpointError(f"{path}: the weights are not those of VideoPose3D's network ({error})") from error
    info = CheckpointInfo(
        architecture="temporal_convolution",
        config=config,
        input_skeleton=skeleton,
        output_skeleton=H36M17.name,
        normalization="image",
        fps=HUMAN36M_FPS,
        card={
            "title": f"VideoPose3D checkpoint {path.name}",
            "terms": "VideoPose3D's weights and Human3.6M are for non-commercial use; ask whom you have the file from",
        },
    )
    save_checkpoint(network, info, output, overwrite)
    return {
        "output": str(output),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "receptive_field": network.config.past + network.config.future + 1,
        "skeleton": skeleton,
        "left_out": sorted(str(key) for key in content if key != "model_pos"),
    }


def _read_config(path: Path, state: dict[str, Tensor], causal: bool) -> dict[str, Any]:
    """The network's configuration from the shapes of its weights."""

    def shape(name: str, axes: int) -> tuple[int, ...]:
        value = state.get(name)
        if getattr(value, "ndim", None) != axes:
            raise CheckpointError(f"{path}: model_pos lacks {name!r}; this is not VideoPose3D's network")
        return tuple(value.shape)  # type: ignore[union-attr]

    channels, inputs, first = shape("expand_conv.weight", 3)
    blocks = len([name for name in state if name.startswith("layers_conv.") and name.endswith(".weight")]) // 2
    widths = [first, *(shape(f"layers_conv.{2 * block}.weight", 3)[2] for block in range(blocks))]
    if (blocks and shape("layers_conv.0.weight", 3)[2] > 31) or inputs % 2:
        raise CheckpointError(f"{path}: dense filters (--dense) or an odd number of inputs are not supported")
    return {
        "joints_in": inputs // 2,
        "features_in": 2,
        "joints_out": shape("shrink.weight", 3)[0] // 3,
        "filter_widths": widths,
        "channels": channels,
        "causal": causal,
    }


def _rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """VideoPose3D's names of weights as lift3d's."""
    renamed = {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part in ("layers_conv", "layers_bn"):
            index, _, leaf = rest.partition(".")
            layer = ("temporal", "pointwise")[int(index) % 2] + ("_norm" if part == "layers_bn" else "")
            renamed[f"blocks.{int(index) // 2}.{layer}.{leaf}"] = value
        else:
            renamed[{"expand_conv": "expand", "expand_bn": "expand_norm"}.get(part, part) + "." + rest] = value
    return renamed
