"""From a checkpoint and 2D keypoints to 3D poses."""

from lift3d.lifting.lift import describe, lift

__all__ = ["describe", "lift"]
