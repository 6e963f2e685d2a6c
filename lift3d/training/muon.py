"""Muon: the update of a weight matrix is its momentum with all singular values brought to about 1.

Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the scale of the step is that of Liu et
al., "Muon is scalable for LLM training", 2025, so that learning rates and weight decays are those of AdamW. In
trial runs of the default lifter it needed fewer steps than AdamW for the same error (experiments/default_lifter).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
# Coefficients of the odd quintic polynomial that Jordan et al. iterate, and how often.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonalize(matrices: Tensor) -> Tensor:
    """Matrices (..., rows, columns) with the same singular vectors and singular values of about 1 (0.7 to 1.2)."""
    wide = matrices.shape[-2] <= matrices.shape[-1]
    # bfloat16 is precise enough for it, and several times as fast where the processor multiplies it.
    x = (matrices if wide else matrices.mT).bfloat16()
    x = x / (torch.linalg.matrix_norm(x.float(), keepdim=True).to(x.dtype) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    orthogonal: Tensor = (x if wide else x.mT).to(matrices.dtype)
    return orthogonal


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """The weights of a network's hidden layers: all matrices, in the network's order, but the first and the last."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2][1:-1]


class Muon(torch.optim.AdamW):
    """Muon for the hidden layers' matrices, AdamW for all else.

    Args:
        networks: whose weights are trained.
        learning_rate, weight_decay: of both.
        fused: whether AdamW's part is one kernel.
    """

    def __init__(self, networks: Iterable[nn.Module], learning_rate: float, weight_decay: float, fused: bool) -> None:
        networks = list(networks)
        hidden = [matrix for network in networks for matrix in hidden_matrices(network)]
        chosen = {id(matrix) for matrix in hidden}
        others = [p for network in networks for p in network.parameters() if id(p) not in chosen]
        groups = [{"params": hidden, "orthogonalized": True}, {"params": others, "orthogonalized": False}]
        super().__init__(
            [group for group in groups if group["params"]], learning_rate, weight_decay=weight_decay, fused=fused
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step. The gradients of hidden matrices are used up by it."""
        if closure is not None:
            with torch.enable_grad():
                closure()
        for group in self.param_groups:
            if not group["orthogonalized"]:
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["weight_decay"])
                    # AdamW passes over parameters without a gradient.
                    parameter.grad = None
        return super().step()

    def _move(self, parameter: nn.Parameter, rate: float, weight_decay: float) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
        momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        ahead = parameter.grad.lerp(momentum, MOMENTUM)  # Nesterov's
        update = orthogonalize(ahead.flatten(1))
        # A step of this size changes weights as much as one of AdamW's does.
        size = 0.2 * max(update.shape) ** 0.5
        parameter.mul_(1 - rate * weight_decay).add_(update.view_as(parameter), alpha=-rate * size)
