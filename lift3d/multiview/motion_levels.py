"""What the refinement over time learns of a person before it refines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lift3d.multiview.bone_lengths import Bones


@dataclass(frozen=True, eq=False)
class MotionLevels:
    """What holds for a person over a whole clip.

    Attributes:
        noise: (joints,) pixels, standard deviation along an axis of what a keypoint of confidence 1 is off anew within
            a tenth of a second.
        bias: (joints,) pixels, standard deviation of what it is off for longer: the detector sees another place than
            in the other images, or the calibration is not perfect. Smoothing does not take it away.
        acceleration: (joints,) metres per frame squared, standard deviation of an axis of the second difference.
        bones: the bones, None to leave them free.
        tied: (joints,) the share of a joint's variance that remains when its bones are known.
        steady: whether ``acceleration`` holds for every moment alike, and is not adapted to it.
    """

    noise: np.ndarray
    bias: np.ndarray
    acceleration: np.ndarray
    bones: Bones | None
    tied: np.ndarray
    steady: bool = False

    def describe(self, joints: Sequence[str]) -> dict[str, dict[str, float]]:
        """Noise and bias in pixels by the joints' names, and lengths of bones in metres by their outer joints."""

        def named(values: np.ndarray, indices: Iterable[int]) -> dict[str, float]:
            return {joints[index]: round(float(value), 4) for index, value in zip(indices, values, strict=True)}

        everywhere = range(len(joints))
        described = {"pixel_noise": named(self.noise, everywhere), "pixel_bias": named(self.bias, everywhere)}
        if self.bones is not None:
            described["bone_lengths"] = named(self.bones.lengths, self.bones.children)
        return described
