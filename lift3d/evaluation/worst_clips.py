"""The clips with the largest errors, kept while clips go by, and drawn: the prediction over the truth in grey."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lift3d.poses import Poses3D
from lift3d.skeletons import Skeleton

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Seconds of a clip that are drawn, around its worst frame.
SHOWN_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class WorstClip:
    """A clip with a large error.

    Attributes:
        recording, camera: which one.
        mpjpe: mean over the whole clip, mm.
        frames: of the whole clip.
        worst_frame: its frame with the largest mean error.
        worst: that error, mm.
        worst_joint: the joint with the largest mean error over the clip.
        first: number of the first frame that is drawn.
        prediction, truth: the frames around the worst, in camera space, at the true root.
    """

    recording: str
    camera: str
    mpjpe: float
    frames: int
    worst_frame: int
    worst: float
    worst_joint: str
    first: int
    prediction: Poses3D
    truth: Poses3D

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        names = ("recording", "camera", "mpjpe", "frames", "worst_frame", "worst", "worst_joint")
        return {name: getattr(self, name) for name in names}


@dataclass
class WorstClips:
    """Keeps the clips with the largest errors.

    Attributes:
        keep: how many.
        joints: names of the joints compared.
        skeletons: the layouts of prediction and truth.
        clips: the worst so far, the worst first.
    """

    keep: int
    joints: tuple[str, ...]
    skeletons: tuple[Skeleton, Skeleton]
    clips: list[WorstClip] = field(default_factory=list)

    def offer(
        self, recording: str, camera: str, fps: float, errors: np.ndarray, prediction: np.ndarray, truth: np.ndarray
    ) -> None:
        """Take a clip if it is among the worst.

        Args:
            recording, camera, fps: of the clip.
            errors: (frames, joints compared) mm, NaN where a joint does not count.
            prediction, truth: (frames, joints, 3) metres, camera space, the prediction at the true root.
        """
        known = np.isfinite(errors)
        if not known.any():
            return
        mean = float(errors[known].mean())
        if len(self.clips) == self.keep and mean <= self.clips[-1].mpjpe:
            return
        filled, count = np.where(known, errors, 0), np.maximum(known.sum(axis=1), 1)
        by_frame = filled.sum(axis=1) / count
        by_joint = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        frame = int(by_frame.argmax())
        half = max(1, round(fps * SHOWN_SECONDS / 2))
        first = max(0, min(frame - half, len(errors) - 2 * half - 1))
        shown = slice(first, first + 2 * half + 1)
        # A picture's title is the last part of a path.
        title = f"{recording.replace('/', ' ')}, camera {camera}: {mean:.1f} mm; from frame {first}"

        def poses(points: np.ndarray, skeleton: Skeleton) -> Poses3D:
            return Poses3D(
                points[shown, None], skeleton=skeleton, fps=fps, space="camera", provenance={"source": title}
            )

        clip = WorstClip(
            recording, camera, mean, len(errors), frame, float(by_frame[frame]), self.joints[int(by_joint.argmax())],
            first, poses(prediction, self.skeletons[0]), poses(truth, self.skeletons[1]),
        )  # fmt: skip
        self.clips = sorted([*self.clips, clip], key=lambda c: -c.mpjpe)[: self.keep]


def draw_worst_clip(clip: WorstClip) -> Figure:
    """Moments of the clip around its worst frame, from the camera and from the side."""
    from lift3d.viz.picture import draw_picture

    return draw_picture(clip.prediction, clip.truth)
