"""Training windows for the lifter: recorded motion, varied, seen by virtual cameras through a virtual detector."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.motion_bank import BANK_FPS, MotionBank
from lift3d.datasets.virtual_cameras import CameraVariation, sample_views
from lift3d.errors import ShapeError
from lift3d.lifting.normalization import SIZE_WINDOW, encode, find_body
from lift3d.skeletons import H36M17, LIFTER23
from lift3d.training.batches import Batch
from lift3d.training.bodies import BodySampler, BodyVariation
from lift3d.training.configuration import SynthesisData
from lift3d.training.detector_noise import DetectorNoise, detect

# A global batch is this many independent draws: any number of processes that divides it makes the same batch.
SHARDS = 8
# For each joint of the target, the joint of the input that shows whether a detector saw it.
_SHOWN_BY = {"pelvis": "left_hip", "spine": "left_hip", "thorax": "left_shoulder", "head_top": "nose"}
_SHOWN = [LIFTER23.index(_SHOWN_BY.get(joint, joint)) for joint in H36M17.joints]


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


class SynthesisBatches:
    """Synthesised windows as a source of training batches: H36M17 from LIFTER23 and the context row of ``encode``.

    Args:
        bank: recorded motion.
        data: how it is varied and seen.
        batch: windows of a step, over all parts.
        outputs: poses of a window.
        past, future: frames that the network wants before and after each of them.
        seed: two sources with the same seed give the same batches.
    """

    def __init__(
        self, bank: MotionBank, data: SynthesisData, batch: int, outputs: int, past: int, future: int, seed: int
    ) -> None:
        self.windows = WindowSynthesizer(bank, SynthesisConfig(data.bodies, data.cameras, data.noise), data.fps, seed)
        self.data, self.seed, self.size = data, seed, batch
        self.frames = past + outputs + future
        self.middle = slice(past, past + outputs)
        # An epoch gives as many poses as the recordings have frames at the network's rate.
        poses = bank.positions.shape[0] * data.fps / BANK_FPS
        self.steps_per_epoch = max(1, round(poses / (batch * outputs)))

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Part ``part`` of ``parts`` of the batch of a step.

        Raises:
            ShapeError: the parts cannot share a batch evenly.
        """
        if SHARDS % parts or self.size < SHARDS:
            raise ShapeError(f"synthesised batches are made in {SHARDS} shards: {parts} processes cannot share them")
        edges = [shard * self.size // SHARDS for shard in range(SHARDS + 1)]
        drawn = []
        for shard in range(part * SHARDS // parts, (part + 1) * SHARDS // parts):
            state = np.random.SeedSequence((self.seed, step, shard)).generate_state(1, np.uint64)
            self.windows.generator.manual_seed(int(state[0] >> np.uint64(1)))
            drawn.append(self.windows.sample(edges[shard + 1] - edges[shard], self.frames))
        inputs, target = (torch.cat(tensors) for tensors in zip(*drawn, strict=True))
        first = edges[part * SHARDS // parts]
        return Batch(
            inputs,
            target[:, self.middle].contiguous(),
            target_weights(inputs[:, self.middle], self.data.unseen_weight),
            torch.arange(first, first + len(inputs)),
        )


def target_weights(inputs: Tensor, unseen_weight: float) -> Tensor:
    """(batch, frames, 17): 1 where the detector saw the joint in that frame, ``unseen_weight`` elsewhere."""
    return torch.where(inputs[:, :, _SHOWN, 2] > 0, 1.0, unseen_weight)
