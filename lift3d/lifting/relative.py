"""Root-relative poses of stretches of a clip, with their covariance: a network at work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lift3d.lifting.encoding import Encoder
from lift3d.models.inference import Predictor
from lift3d.skeletons import Skeleton


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
        flat = inputs.flatten(0, 1)
        joints, sigma = self.predictor(torch.cat([flat, encoder.mirror(flat)]), first, encoder.end)

        def mean(values: Tensor, turn: Tensor) -> Tensor:
            """The mean of (2 people phases, frames, joints, 3) and its mirror image: (people, phases, ...)."""
            straight, mirrored = values.chunk(2)
            mirrored = mirrored[:, :, list(self.output.mirror_order)] * turn
            return ((straight + mirrored) / 2).unflatten(0, (people, plan.phases))

        def timeline(values: Tensor) -> np.ndarray:
            """Interleaves the phases again, and keeps the frames of the clip."""
            frames = values.transpose(0, 2).flatten(0, 1).numpy()
            offset = start * plan.insert - first * plan.phases
            return np.asarray(frames[offset : offset + (stop - start - 1) * plan.insert + 1 : plan.insert])

        relative = mean(joints, torch.tensor([-1.0, 1.0, 1.0]))
        poses = timeline(encoder.to_camera_axes(relative - relative[..., :1, :], first))
        if sigma is None:
            return poses, None
        variance = mean(sigma.square(), torch.ones(3)) * self.temperature.square()
        variance[..., 0, :] = 0
        return poses, timeline(encoder.covariance_to_camera_axes(variance, first))
