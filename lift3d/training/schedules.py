"""What changes from step to step of a training run: the learning rate and the momentum of batch norms."""

from __future__ import annotations

import math

from lift3d.training.configuration import OptimizerConfig

# A cosine schedule ends at this share of its peak.
COSINE_END = 0.01


def learning_rate(config: OptimizerConfig, step: int, steps: int, steps_per_epoch: int) -> float:
    """The learning rate of optimizer step ``step`` (0, 1, ...) of ``steps``.

    Exponential: constant within an epoch, times ``decay`` from each to the next (Pavllo et al., CVPR 2019). Cosine:
    half a period from the peak to a hundredth of it (Loshchilov and Hutter, ICLR 2017, without restarts). Over the
    warm-up either is multiplied by a ramp.
    """
    if config.schedule == "exponential":
        share = config.decay ** (step // steps_per_epoch)
    else:
        share = COSINE_END + (1 - COSINE_END) * 0.5 * (1 + math.cos(math.pi * step / steps))
    ramp = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    return config.learning_rate * share * ramp


def norm_momentum(config: OptimizerConfig, step: int, steps: int) -> float:
    """The momentum of batch norms at a step: from the first to the last one, decaying exponentially."""
    first, last = config.norm_momentum
    return first * math.pow(last / first, step / steps)
