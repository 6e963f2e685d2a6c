"""Errors in units of sigma on windows of a batch source, such as synthesised ones, as ``lift3d.lift`` makes poses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lift3d.errors import CheckpointError, ShapeError
from lift3d.evaluation.coverage import SigmaTally
from lift3d.evaluation.validation import lift_windows
from lift3d.lifting.relative import mean_with_mirrored
from lift3d.models.checkpoint import CheckpointInfo
from lift3d.models.network import Lifter
from lift3d.skeletons import Skeleton, conversion, get_skeleton
from lift3d.training.batches import BatchSource


def count_window_errors(
    network: Lifter,
    info: CheckpointInfo,
    source: BatchSource,
    batches: int,
    people: Sequence[str] | None = None,
    flip: bool = True,
) -> SigmaTally:
    """Count the errors of a network on the first ``batches`` batches of a source; a calibration can be fitted on them.

    Args:
        network: gives sigma.
        info: its layouts and normalization.
        source: windows of people that it was not trained on.
        batches: how many.
        people: who each example of the source is (``Batch.index``), for cross-fitting; None takes all for one person.
        flip: average with the mirrored windows, as ``lift3d.lift`` does.

    Raises:
        CheckpointError: the network gives no sigma.
        ShapeError: there are no batches.
    """
    if not network.config.sigma:
        raise CheckpointError("the network gives no sigma that errors could be counted in")
    if batches < 1:
        raise ShapeError(f"errors are counted on one batch or more, not {batches}")
    layout, output = get_skeleton(info.input_skeleton), get_skeleton(info.output_skeleton)
    tally = SigmaTally(output.joints)
    device = next(network.parameters()).device
    for step in range(batches):
        batch = source.batch(step).to(device)
        if flip:
            both = lift_windows(network, torch.cat([batch.inputs, mirror_windows(batch.inputs, layout)]))
            lifted = mean_with_mirrored(both, output)
        else:
            lifted = lift_windows(network, batch.inputs)
        assert lifted.sigma is not None
        counts = (batch.weight > 0)[..., None]
        errors = torch.where(counts, lifted.joints - batch.target, torch.nan).detach().double().cpu().numpy()
        sigma = lifted.sigma.detach().double().cpu().numpy()
        frames = slice(network.config.past, network.config.past + errors.shape[1])
        seen = _seen(batch.inputs[:, frames].cpu(), layout, output)
        index = batch.index.cpu().numpy()
        names = np.array(["" if people is None else people[k] for k in index])
        for name in np.unique(names):
            who = names == name
            tally.add(
                errors[who].reshape(-1, *errors.shape[2:]),
                sigma[who].reshape(-1, *sigma.shape[2:]),
                None if seen is None else seen[who].reshape(-1, errors.shape[2]),
                str(name),
            )
    return tally


def mirror_windows(inputs: Tensor, layout: Skeleton) -> Tensor:
    """Inputs (batch, frames, rows, features) of the mirrored people; rows beyond the layout's joints stay."""
    joints = len(layout)
    mirrored = inputs[:, :, [*layout.mirror_order, *range(joints, inputs.shape[2])]]
    sign = torch.ones_like(mirrored[0, 0])
    sign[:joints, 0] = -1
    return mirrored * sign


def _seen(inputs: Tensor, layout: Skeleton, output: Skeleton) -> np.ndarray | None:
    """(batch, frames, output joints) whether what shows a joint was seen; None if the input does not tell."""
    if inputs.shape[-1] < 3:
        return None
    confidence = inputs[:, :, : len(layout), 2].numpy()
    return np.asarray(conversion(layout, output).apply_confidence(confidence) > 0)
