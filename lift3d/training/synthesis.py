"""Training windows for the lifter: recorded motion, varied, seen by virtual cameras through a virtual detector."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from lift3d.datasets.motion_bank import MotionBank
from lift3d.datasets.virtual_cameras import CameraVariation, sample_views
from lift3d.lifting.normalization import SIZE_WINDOW, encode, find_body
from lift3d.training.bodies import BodySampler, BodyVariation
from lift3d.training.detector_noise import DetectorNoise, detect


@dataclass(frozen=True)
class SynthesisConfig:
    """What the windows are like; see the three parts."""

    bodies: BodyVariation = field(default_factory=BodyVariation)
    cameras: CameraVariation = field(default_factory=CameraVariation)
    noise: DetectorNoise = field(default_factory=DetectorNoise)


class WindowSynthesizer:
    """Endless batches of (network input, target).

    Args:
        bank: recorded motion.
        config: what the windows are like.
        fps: the network's rate.
        seed: two synthesizers with the same seed give the same batches.
    """

    def __init__(self, bank: MotionBank, config: SynthesisConfig, fps: float, seed: int) -> None:
        self.bodies = BodySampler(bank, config.bodies, fps)
        self.config = config
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def sample(self, batch: int, frames: int) -> tuple[Tensor, Tensor]:
        """One batch.

        Returns:
            network input (batch, frames, 24, 3), and root-relative joints (batch, frames, 17, 3) in metres of the
            reference body, in the view that looks at the body.
        """
        # The window over which the body's size is averaged reaches beyond the frames that the network sees.
        body = self.bodies.sample(batch, frames + 2 * SIZE_WINDOW, self.generator)
        views = sample_views(body.target, self.config.cameras, self.generator)
        target = views.to_camera(body.target)
        seen = views.to_camera(body.seen)
        plane, confidence = detect(views.project(seen), target[:, :, 0, 2], self.config.noise, self.generator)
        view = find_body(plane, confidence)
        inputs = encode(plane, confidence, view, views.known)
        relative = (target - target[:, :, :1]) @ view.rotation.mT
        inside = slice(SIZE_WINDOW, SIZE_WINDOW + frames)
        return inputs[:, inside], relative[:, inside]
