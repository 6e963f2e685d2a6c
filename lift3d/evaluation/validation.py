"""Figures of a network on a fixed set of windows: what a training run looks at between its steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lift3d.errors import ShapeError
from lift3d.evaluation.metrics import PCK_THRESHOLD, aligned_joint_errors, joint_errors, scaled_joint_errors
from lift3d.models.network import Lifted, Lifter
from lift3d.training.batches import Batch, BatchSource

# Half widths of the intervals that hold 68.27 and 95.45 % of normal errors, in standard deviations.
INTERVALS = {"coverage_68": 1.0, "coverage_95": 2.0}


def make_validation(source: BatchSource, batches: int) -> Callable[[Lifter], dict[str, float]]:
    """A function that measures a network on the first ``batches`` batches of a source, the same ones at every call.

    The network is put in evaluation mode for it, works where its weights are, and is left in the mode that it had.

    Args:
        source: windows of people that the network is not trained on.
        batches: how many of its batches; they are made anew at every call, so that memory stays flat.

    Returns:
        network -> figures: ``mpjpe``, ``p_mpjpe``, ``n_mpjpe`` in mm and ``pck_3d`` in per cent, each the mean over
        the joints that have a weight; where the network gives sigma also ``coverage_68`` and ``coverage_95``, the per
        cent of coordinates within one and two sigma, and ``sigma``, the mean in mm.

    Raises:
        ShapeError: there is no batch to measure.
    """
    if batches < 1:
        raise ShapeError(f"validation needs at least one batch, not {batches}")

    def validate(network: Lifter) -> dict[str, float]:
        totals: dict[str, Tensor] = {}
        counts: dict[str, Tensor] = {}
        device = next(network.parameters()).device
        for step in range(batches):
            batch = source.batch(step).to(device)
            for name, values in _measure(batch, lift_windows(network, batch.inputs)).items():
                known = torch.isfinite(values)
                totals[name] = totals.get(name, 0) + torch.where(known, values, 0).sum(dtype=torch.float64)
                counts[name] = counts.get(name, 0) + known.sum()
        return {name: float(total / counts[name]) for name, total in totals.items()}

    return validate


def lift_windows(network: Lifter, inputs: Tensor) -> Lifted:
    """What a network makes of windows, in evaluation mode and without gradients; it keeps the mode that it had."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            lifted: Lifted = network(inputs)
            return lifted
    finally:
        network.train(training)


def _measure(batch: Batch, lifted: Lifted) -> dict[str, Tensor]:
    """Each figure of every joint (batch, outputs, joints), or coordinate; NaN where it does not count."""
    counts = batch.weight > 0
    joints = lifted.joints.float()
    errors = joint_errors(joints, batch.target, counts)
    figures = {
        "mpjpe": errors,
        "p_mpjpe": aligned_joint_errors(joints, batch.target, counts),
        "n_mpjpe": scaled_joint_errors(joints, batch.target, counts),
        "pck_3d": torch.where(torch.isfinite(errors), 100.0 * (errors < PCK_THRESHOLD), torch.nan),
    }
    if lifted.sigma is not None:
        sigma = torch.where(counts[..., None], lifted.sigma.float(), torch.nan)
        ratio = (joints - batch.target).abs() / sigma
        for name, width in INTERVALS.items():
            figures[name] = torch.where(torch.isfinite(ratio), 100.0 * (ratio <= width), torch.nan)
        figures["sigma"] = 1000.0 * sigma
    return figures
