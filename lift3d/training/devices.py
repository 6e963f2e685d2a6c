"""Where a run computes: devices, processes, and the precision that they are good at."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING, Any, Literal

import torch

from lift3d.errors import ConfigurationError, MissingDependencyError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Precision = Literal["auto", "float32", "bfloat16", "float16"]
_FABRIC_NAMES = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


def make_fabric(precision: Precision = "auto", devices: int | None = None) -> Fabric:
    """Lightning Fabric for this machine; ``launch()`` it before use.

    Under torchrun its processes are used, over one machine or many. Otherwise ``devices`` processes are started here,
    one a GPU, or on the CPU (gloo) where there is none; None takes all GPUs that can be seen, or one process on a CPU.

    Raises:
        MissingDependencyError: lightning is not installed.
        ConfigurationError: there are not so many devices, or the precision is not for them.
    """
    try:
        from lightning.fabric import Fabric
        from lightning.fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise MissingDependencyError("training needs Lightning: pip install 'lift3d[train]'") from error
    kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    there = torch.cuda.device_count() if kind == "cuda" else 1
    nodes = 1
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        count = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // count
        if devices not in (None, count):
            raise ConfigurationError(f"--devices {devices}, but torchrun started {count} processes; leave one out")
    else:
        count = devices or there
    if kind != "cpu" and count > there:
        raise ConfigurationError(f"{count} devices are asked for, and there are {there}")
    if kind == "cpu" and count > (os.cpu_count() or 1):
        raise ConfigurationError(f"{count} processes are more than the {os.cpu_count()} cores of this machine")
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Convolutions of width 1 have gradients of another layout; DDP copies them, and warns at every start.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")
    chosen = choose_precision(precision, kind)
    return Fabric(
        accelerator=kind,
        devices=count,
        num_nodes=nodes,
        # The statistics of batch norms are each process's own; the trainer averages them.
        strategy=DDPStrategy(broadcast_buffers=False) if count * nodes > 1 else "auto",
        **_precision_arguments(chosen, kind),
    )


def choose_precision(wanted: Precision, device: str) -> Precision:
    """The precision to multiply in on a kind of device ("cpu", "cuda", "mps").

    "auto" is bfloat16 where the hardware multiplies it faster: on GPUs that have it, and on CPUs with AMX. Elsewhere on
    a CPU bfloat16 is far slower than float32.

    Raises:
        ConfigurationError: float16 on a device that is no GPU of CUDA.
    """
    if wanted == "float16" and device != "cuda":
        raise ConfigurationError("precision: float16 needs a CUDA device; take auto, float32 or bfloat16")
    if wanted != "auto":
        return wanted
    if device == "cuda":
        faster = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        faster = device == "cpu" and bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
    return "bfloat16" if faster else "float32"


def _precision_arguments(precision: Precision, kind: str) -> dict[str, Any]:
    """Arguments of Fabric for a precision, with inputs left as they are.

    Fabric would round the network's inputs to bfloat16, up to 2 pixels of a 1000-pixel image; autocast rounds them in
    the layers alone that multiply in it.
    """
    if precision == "float32":
        return {"precision": _FABRIC_NAMES[precision]}
    from lightning.fabric.plugins.precision import MixedPrecision

    class AutocastOnly(MixedPrecision):
        def convert_input(self, data: Any) -> Any:
            return data

    name: Any = _FABRIC_NAMES[precision]
    return {"plugins": [AutocastOnly(name, device=kind)]}


def makes_batches_ahead(device: torch.device) -> bool:
    """Whether a thread makes the next batch during a step.

    On a CPU it would take the cores that the step needs (experiments/benchmarks/synthesis.py).
    """
    return device.type != "cpu"
