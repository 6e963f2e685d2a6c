"""Training windows for the lifter: recorded motion, varied, seen by virtual cameras through a virtual detector."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.motion_bank import BANK_FPS, MotionBank
from lift3d.datasets.virtual_cameras import AIM_NORMAL, AIM_UNIFORM, Aims, CameraVariation, aim_cameras
from lift3d.errors import ShapeError
from lift3d.lifting.normalization import SIZE_WINDOW
from lift3d.skeletons import H36M17, LIFTER23
from lift3d.training import joint_kernels
from lift3d.training.batches import Batch
from lift3d.training.bodies import BodySampler, BodyVariation, PosedBodies
from lift3d.training.compiled import over_windows
from lift3d.training.configuration import SynthesisData
from lift3d.training.detector_noise import DetectorNoise, detect
from lift3d.training.draws import Draws
from lift3d.training.window_encoding import encode_windows

# A global batch is this many independent draws: any number of processes that divides it makes the same batch.
SHARDS = 8
# For each joint of the target, the joint of the input that shows whether a detector saw it.
_SHOWN_BY = {"pelvis": "left_hip", "spine": "left_hip", "thorax": "left_shoulder", "head_top": "nose"}
_SHOWN = torch.tensor([LIFTER23.index(_SHOWN_BY.get(joint, joint)) for joint in H36M17.joints])


@dataclass(frozen=True)
class SynthesisConfig:
    """What the windows are like; see the three parts."""

    bodies: BodyVariation = field(default_factory=BodyVariation)
    cameras: CameraVariation = field(default_factory=CameraVariation)
    noise: DetectorNoise = field(default_factory=DetectorNoise)


@dataclass(frozen=True)
class Windows:
    """Synthesised windows.

    Attributes:
        inputs: (batch, frames, 24, 3) network input of LIFTER23, see ``lift3d.lifting.normalization.encode``.
        target: (batch, outputs, 17, 3) root-relative joints of H36M17 in metres of the reference body, in the view
            that looks at the body.
        clip: (batch,) int64 clip of the bank that the motion is from.
    """

    inputs: Tensor
    target: Tensor
    clip: Tensor


class WindowSynthesizer:
    """Endless windows of network input and target.

    Args:
        bank: recorded motion.
        config: what the windows are like.
        fps: the network's rate.
        seed: of ``sample``: two synthesizers with the same seed give the same windows.
    """

    def __init__(self, bank: MotionBank, config: SynthesisConfig, fps: float, seed: int = 0) -> None:
        self.bodies = BodySampler(bank, config.bodies, fps)
        self.config, self.fps, self.seed = config, fps, seed
        self.drawn = 0

    def sample(self, batch: int, frames: int) -> tuple[Tensor, Tensor]:
        """Input (batch, frames, 24, 3) and target (batch, frames, 17, 3) of the next ``batch`` windows."""
        self.drawn += 1
        windows = self.make(Draws([(self.seed, self.drawn)], [batch]), frames)
        return windows.inputs, windows.target

    @torch.no_grad()
    def make(self, draws: Draws, frames: int, outputs: slice = slice(None)) -> Windows:
        """The windows of some random numbers.

        Args:
            draws: random numbers.
            frames: frames of the input.
            outputs: which of them have a target.
        """
        # The window over which the body's size is averaged reaches beyond the frames that the network sees.
        inside = slice(SIZE_WINDOW, SIZE_WINDOW + frames)
        first, last, _ = outputs.indices(frames)
        outputs = slice(SIZE_WINDOW + first, SIZE_WINDOW + last)
        aims = aim_cameras(self.config.cameras, draws.normal(AIM_NORMAL), draws.uniform(AIM_UNIFORM))
        bodies = self.bodies.sample(frames + 2 * SIZE_WINDOW, aims.rotation, draws)
        plane, depth = project(bodies, aims)
        plane, confidence = detect(plane, depth, self.config.noise, self.fps, draws)
        inputs, rotation = encode_windows(plane, confidence, torch.from_numpy(aims.known), inside, outputs)
        return Windows(inputs, view_target(bodies, outputs.start, rotation), torch.from_numpy(bodies.clip))


class SynthesisBatches:
    """Synthesised windows as a source of training batches; every window is new.

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
        self.windows = WindowSynthesizer(bank, SynthesisConfig(data.bodies, data.cameras, data.noise), data.fps)
        self.data, self.seed = data, seed
        self.edges = [shard * batch // SHARDS for shard in range(SHARDS + 1)]
        self.frames = past + outputs + future
        self.outputs = slice(past, past + outputs)
        # An epoch gives as many poses as the recordings have frames at the network's rate.
        self.steps_per_epoch = max(1, round(len(bank.positions) * data.fps / BANK_FPS / (batch * outputs)))

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Part ``part`` of ``parts`` of the batch of a step; ``index`` is the clip of the bank.

        Raises:
            ShapeError: the parts cannot share a batch evenly.
        """
        if SHARDS % parts:
            raise ShapeError(f"a synthesised batch is made in {SHARDS} shards: {parts} processes cannot share them")
        shards = range(part * SHARDS // parts, (part + 1) * SHARDS // parts)
        sizes = [self.edges[shard + 1] - self.edges[shard] for shard in shards]
        draws = Draws([(self.seed, step, shard) for shard in shards], sizes)
        windows = self.windows.make(draws, self.frames, self.outputs)
        weight = target_weights(windows.inputs[:, self.outputs], self.data.unseen_weight)
        return Batch(windows.inputs, windows.target, weight, windows.clip)


def target_weights(inputs: Tensor, unseen_weight: float) -> Tensor:
    """(batch, frames, 17): 1 where the detector saw the joint in that frame, ``unseen_weight`` elsewhere."""
    return unseen_weight + (1 - unseen_weight) * inputs[..., 2].index_select(2, _SHOWN).sign()


def project(bodies: PosedBodies, aims: Aims) -> tuple[Tensor, Tensor]:
    """Where a detector would see joints (batch, 23, 2, frames) on the plane z = 1; depth (batch, frames) of the pelvis.

    Cameras are placed around the middle of the body in the middle frame.
    """
    windows, _, _, frames = bodies.vectors.shape
    seen, target = bodies.joints.seen, bodies.joints.target
    plane, depth = np.empty((windows, seen.shape[1], 2, frames), np.float32), np.empty((windows, frames), np.float32)
    arrays = bodies.vectors, seen, target, aims.assumed_focal, aims.ray, aims.distance, plane, depth
    over_windows(joint_kernels.project, windows, *arrays)
    return torch.from_numpy(plane), torch.from_numpy(depth)


def view_target(bodies: PosedBodies, first: int, rotation: Tensor) -> Tensor:
    """Joints (batch, outputs, 17, 3) from the pelvis, of frames from ``first``, in views (batch, outputs, 3, 3)."""
    windows, outputs = rotation.shape[:2]
    target = bodies.joints.target
    turned = torch.empty(windows, outputs, target.shape[1], 3)
    arrays = bodies.vectors, target, rotation.numpy()
    over_windows(joint_kernels.turn_target, windows, *arrays, first, turned.numpy())
    return turned
