"""The body of a stick figure: a rounded, tapered rod a bone, which moves with the bone's upper joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lift3d.motion.armature import Armature

SIDES = ("left", "right", "middle")
AROUND, ROUNDING = 16, 5  # corners of a rod's outline, rings of each of its rounded ends
# Metres at the thick end, by the end of the bone's lower joint; the thin end has THIN of it.
RADII = {
    "UpLeg": 0.045, "Spine": 0.045, "Spine1": 0.05, "Neck": 0.04, "Leg": 0.055, "Foot": 0.042, "ToeBase": 0.032,
    "Toe_End": 0.024, "Shoulder": 0.035, "Arm": 0.035, "ForeArm": 0.04, "Hand": 0.03, "Hand_End": 0.024,
}  # fmt: skip
USUAL_RADIUS, THIN = 0.028, 0.75
FINGER = 0.008
# The head is a rod from 0.35 to 0.65 of its bone, as wide as this part of the bone's length.
HEAD = 0.33


@dataclass(frozen=True)
class Part:
    """The rods of one side of the body, in the pose of rest.

    Attributes:
        vertices, normals: (n, 3) float32, metres.
        joints: (n,) uint8, the node that each vertex moves with.
        triangles: (m, 3) uint32, counter-clockwise from outside.
    """

    vertices: np.ndarray
    normals: np.ndarray
    joints: np.ndarray
    triangles: np.ndarray


def stick_figure(armature: Armature, rest: np.ndarray) -> dict[str, Part]:
    """The body by side of the body, where there is any.

    Args:
        armature: the bones.
        rest: (nodes, 3) metres, their places in the pose of rest.
    """
    rods: dict[str, list[tuple[int, np.ndarray, np.ndarray, np.ndarray]]] = {side: [] for side in SIDES}
    for node, parent in enumerate(armature.parents):
        length = float(np.linalg.norm(armature.offsets[node]))
        if parent < 0 or length < 1e-6:
            continue
        name, start, end = armature.nodes[node], rest[parent], rest[node]
        if name == "HeadTop_End":
            rod = _rod(start + 0.35 * (end - start), start + 0.65 * (end - start), HEAD * length, HEAD * length)
        else:
            radius = min(_radius(name), 0.6 * length)
            rod = _rod(start, end, radius, THIN * radius)
        side = next((side for side in SIDES if name.startswith(side.capitalize())), "middle")
        rods[side].append((parent, *rod))
    return {side: _joined(parts) for side, parts in rods.items() if parts}


def _radius(name: str) -> float:
    if "Hand" in name and name[-1].isdigit():
        return FINGER
    part = name.removeprefix("Left").removeprefix("Right")
    return RADII.get(part, USUAL_RADIUS)


def _rod(start: np.ndarray, end: np.ndarray, thick: float, thin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, normals and triangles of two half balls and the cone between them."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    across /= np.linalg.norm(across)
    other = np.cross(along, across)
    height = np.linspace(0, np.pi / 2, ROUNDING + 1)
    latitude = np.concatenate([height - np.pi / 2, height])
    radius = np.repeat([thick, thin], ROUNDING + 1)
    centre = np.repeat([start, end], ROUNDING + 1, axis=0)
    turn = 2 * np.pi * np.arange(AROUND) / AROUND
    outline = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * other
    normals = np.cos(latitude)[:, None, None] * outline + np.sin(latitude)[:, None, None] * along
    vertices = centre[:, None] + radius[:, None, None] * normals
    rings = len(latitude)
    ring, corner = np.meshgrid(np.arange(rings - 1), np.arange(AROUND), indexing="ij")
    a, b = ring * AROUND + corner, ring * AROUND + (corner + 1) % AROUND
    quads = np.stack([a, b, b + AROUND, a, b + AROUND, a + AROUND], axis=-1).reshape(-1, 3)
    # At the two poles one of a quad's triangles has no area.
    flat = (
        np.linalg.norm(np.cross(*np.diff(vertices.reshape(-1, 3)[quads], axis=1).transpose(1, 0, 2)), axis=-1) < 1e-12
    )
    return vertices.reshape(-1, 3), normals.reshape(-1, 3), quads[~flat]


def _joined(rods: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]]) -> Part:
    starts = np.cumsum([0, *(len(vertices) for _, vertices, _, _ in rods)])[:-1]
    normals = np.concatenate([normals for _, _, normals, _ in rods])
    return Part(
        np.concatenate([vertices for _, vertices, _, _ in rods]).astype(np.float32),
        (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32),
        np.concatenate([np.full(len(vertices), node, np.uint8) for node, vertices, _, _ in rods]),
        np.concatenate([faces + start for start, (_, _, _, faces) in zip(starts, rods, strict=True)]).astype(np.uint32),
    )
