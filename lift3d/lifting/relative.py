"""Root-relative poses of stretches of a clip, with their covariance: a network at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lift3d.lifting.encoding import Encoder
from lift3d.lifting.placement import with_margins
from lift3d.lifting.rate import blend_phases
from lift3d.models.inference import Predictor
from lift3d.models.network import Lifted
from lift3d.skeletons import Skeleton


def mean_with_mirrored(lifted: Lifted, output: Skeleton) -> Lifted:
    """The mean of poses and of the mirrored person's poses turned back; of sigma, the root of the mean variance.

    Args:
        lifted: (2 batch, ...) the poses, then, in the same order, those of the mirrored people.
        output: the layout of the poses.
    """
    order = list(output.mirror_order)
    straight, mirrored = lifted.joints.chunk(2)
    joints = (straight + mirrored[..., order, :] * straight.new_tensor([-1.0, 1.0, 1.0])) / 2
    if lifted.sigma is None:
        return Lifted(joints)
    straight, mirrored = lifted.sigma.square().chunk(2)
    return Lifted(joints, ((straight + mirrored[..., order, :]) / 2).sqrt())


def lift_both_ways(predictor: Predictor, inputs: Tensor, encoder: Encoder, first: int, output: Skeleton) -> Lifted:
    """Poses of clips, averaged with those of the mirrored people.

    Args:
        predictor: the network; one that is equivariant to the mirror needs no second pass.
        inputs: (batch, frames, joints, features) of the encoder.
        encoder: the clip as the network takes it.
        first: number of the first output's frame in the clip.
        output: the layout of the poses.
    """
    if predictor.mirror_equivariant:
        return predictor(inputs, first, encoder.end)
    return mean_with_mirrored(predictor(torch.cat([inputs, encoder.mirror(inputs)]), first, encoder.end), output)


@dataclass(frozen=True)
class RelativeLifter:
    """Root-relative poses of stretches of a clip.

    A clip that is m times as fast as the network is lifted as m interleaved clips, and every clip once more mirrored;
    the two poses are averaged, and so are their variances (see ``lift3d.models.inference``).

    Attributes:
        predictor: the network.
        encoder: the clip as the network takes it.
        output: the layout of the poses.
        temperature: (3,) factors of the network's sigma along each axis.
    """

    predictor: Predictor
    encoder: Encoder
    output: Skeleton
    temperature: Tensor

    def whole_clip(
        self, present: np.ndarray, size: int, progress: Callable[[int, int], None] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The poses of all frames, and their covariance, as ``poses`` gives them.

        Args:
            present: (frames, people) bool; the others have no pose: NaN.
            size: frames lifted at a time.
            progress: called with (frames done, frames in all).
        """
        frames, people = present.shape
        xyz = np.empty((frames, people, len(self.output), 3), np.float32)
        covariance: np.ndarray | None = None
        for start in range(0, frames, size):
            chunk = slice(start, min(start + size, frames))
            xyz[chunk], spread = self.poses(chunk.start, chunk.stop)
            if spread is not None:
                covariance = np.empty((*xyz.shape, 3), np.float32) if covariance is None else covariance
                covariance[chunk] = spread
            if progress is not None:
                progress(chunk.stop, frames)
        phases = self.encoder.plan.phases
        for values in (xyz, covariance):
            if values is None:
                continue
            values[~present] = np.nan
            if phases > 1:
                for chunk, lead, around in with_margins(values, phases - 1, size):
                    values[chunk] = blend_phases(around, phases)[lead : lead + chunk.stop - chunk.start]
        return xyz, covariance

    def poses(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Clip frames ``start`` to ``stop``.

        Returns:
            (frames, people, joints, 3) metres, camera axes, root at 0; and (frames, people, joints, 3, 3) covariance
            in square metres, 0 for the root, or None if the network has no sigma.
        """
        plan, encoder = self.encoder.plan, self.encoder
        # At the network's rate, in each interleaved clip: the frames that cover the stretch, and those around them.
        first, last = start * plan.insert // plan.phases, ((stop - 1) * plan.insert) // plan.phases
        inputs = encoder.encode(first - self.predictor.past, last + 1 + self.predictor.future)
        people = inputs.shape[0]
        joints, sigma = lift_both_ways(self.predictor, inputs.flatten(0, 1), encoder, first, self.output)

        def timeline(values: Tensor) -> np.ndarray:
            """Interleaves the phases again, and keeps the frames of the clip."""
            frames = values.transpose(0, 2).flatten(0, 1).numpy()
            offset = start * plan.insert - first * plan.phases
            return np.asarray(frames[offset : offset + (stop - start - 1) * plan.insert + 1 : plan.insert])

        relative = (joints - joints[:, :, :1]).unflatten(0, (people, plan.phases))
        poses = timeline(encoder.to_camera_axes(relative, first))
        if sigma is None:
            return poses, None
        variance = (sigma * self.temperature).square().unflatten(0, (people, plan.phases))
        variance[..., 0, :] = 0
        return poses, timeline(encoder.covariance_to_camera_axes(variance, first))
