"""What every data set is read into: recordings of one person with the cameras that saw them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lift3d.geometry.cameras import Camera


@dataclass(frozen=True, eq=False)
class View:
    """What one camera saw of a recording.

    Attributes:
        camera: intrinsics, and R and t from the recording's space to camera space; its name tells it from the others.
        xy: (frames, joints of the 2D layout, 2) float32 pixels, NaN where missing.
        confidence: (frames, joints of the 2D layout) float32 in 0..1, 0 where missing.
    """

    camera: Camera
    xy: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class Recording:
    """One person doing one thing.

    Attributes:
        name: unique in its data set, ``subject/action``.
        subject, action: as the data set's papers call them; "" where unknown.
        fps: frames per second.
        xyz: (frames, joints of the 3D layout, 3) float32, metres, in the set's space, NaN where missing.
        views: what the cameras saw; none for motion capture without cameras.
    """

    name: str
    subject: str
    action: str
    fps: float
    xyz: np.ndarray
    views: tuple[View, ...] = ()


@dataclass(frozen=True)
class DataSetInfo:
    """What holds for a whole data set; travels in the prepared file and into every report.

    Attributes:
        name: "human36m", "mpi_inf_3dhp", "humaneva", "motion_capture", "own".
        skeleton_3d: name of the layout of ``Recording.xyz``; its first joint is the root.
        skeleton_2d: name of the layout of ``View.xy``.
        space: "world" (right-handed, Z up) or "camera".
        keypoints: where the 2D come from ("cpn_ft_h36m_dbb", "ground truth", ...).
        rules: the family of rules that results on it belong to ("VideoPose3D", ...), "" if none.
        training, test: subjects of the customary split; empty if there is none.
        actions: the set's actions in the order of its tables.
        exclusions: sentences that say what was left out and why.
        provenance: the files that it was made from and the settings.
    """

    name: str
    skeleton_3d: str
    skeleton_2d: str
    space: str = "world"
    keypoints: str = ""
    rules: str = ""
    training: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
