"""Motion as signals and as movement: filters, gaps, joint angles, kinematics, contacts with the ground.

The names load their modules when they are first used, so that importing one part does not load all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift3d.motion.analysis import Analysis, analyze
    from lift3d.motion.angle_errors import angle_sigma
    from lift3d.motion.angles import ANGLES, Angles, joint_angles
    from lift3d.motion.bones import bone_lengths
    from lift3d.motion.contacts import footskate, ground_contacts
    from lift3d.motion.filters import filter_poses
    from lift3d.motion.gaps import fill_gaps
    from lift3d.motion.kinematics import acceleration, angular_acceleration, angular_velocity, speed, velocity
    from lift3d.motion.segment_masses import centre_of_mass
    from lift3d.motion.side_symmetry import symmetry

_MODULES = {
    "ANGLES": "angles",
    "Angles": "angles",
    "Analysis": "analysis",
    "acceleration": "kinematics",
    "analyze": "analysis",
    "angle_sigma": "angle_errors",
    "angular_acceleration": "kinematics",
    "angular_velocity": "kinematics",
    "bone_lengths": "bones",
    "centre_of_mass": "segment_masses",
    "fill_gaps": "gaps",
    "filter_poses": "filters",
    "footskate": "contacts",
    "ground_contacts": "contacts",
    "joint_angles": "angles",
    "speed": "kinematics",
    "symmetry": "side_symmetry",
    "velocity": "kinematics",
}

__all__ = [
    "ANGLES",
    "Analysis",
    "Angles",
    "acceleration",
    "analyze",
    "angle_sigma",
    "angular_acceleration",
    "angular_velocity",
    "bone_lengths",
    "centre_of_mass",
    "fill_gaps",
    "filter_poses",
    "footskate",
    "ground_contacts",
    "joint_angles",
    "speed",
    "symmetry",
    "velocity",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"lift3d.motion.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'lift3d.motion' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
