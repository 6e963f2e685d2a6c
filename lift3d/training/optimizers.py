"""The optimizers by their names in the configuration."""

from __future__ import annotations

import torch
from torch import nn

from lift3d.training.configuration import OptimizerConfig
from lift3d.training.muon import Muon


def make_optimizer(config: OptimizerConfig, networks: list[nn.Module], fused: bool) -> torch.optim.Optimizer:
    """The optimizer of all weights of some networks."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.name == "muon":
        return Muon(networks, rate, decay, fused)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    parameters = [parameter for network in networks for parameter in network.parameters()]
    return kind(parameters, rate, weight_decay=decay, amsgrad=config.amsgrad, fused=fused)
