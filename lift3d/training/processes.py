"""Numbers that the processes of a run share."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a number of which every process has its own, in a training step of several processes.

    Where a loss is a sum over a sum of weights, each process has to divide by the mean of these: the mean of the
    processes' gradients, which DDP takes, is then that of one process with the whole batch.

    Without gradients, as in validation, which the first process does alone, the number itself is given.
    """
    if not (torch.is_grad_enabled() and distributed.is_available() and distributed.is_initialized()):
        return value
    shared = value.detach().clone()
    distributed.all_reduce(shared)
    return shared / distributed.get_world_size()
