"""The lines that make a skeleton readable."""

from __future__ import annotations

from lift3d.skeletons import Skeleton


def drawn_bones(skeleton: Skeleton) -> list[tuple[int, int, str]]:
    """(joint, joint, side) of each line to draw: the bones, and the lines between shoulders and hips that some lack."""
    lines = [(parent, child, bone_side(skeleton, parent, child)) for parent, child in skeleton.bones]
    for part in ("shoulder", "hip"):
        pair = [skeleton.joints.index(j) for j in (f"left_{part}", f"right_{part}") if j in skeleton.joints]
        parents = {skeleton.parents[joint] for joint in pair}
        trunk = len(parents) == 1 and skeleton.joints[max(parents)] != "nose" and min(parents) >= 0
        if len(pair) == 2 and not trunk and not {tuple(pair), tuple(pair[::-1])} & set(skeleton.bones):
            lines.append((pair[0], pair[1], "middle"))
    return lines


def bone_side(skeleton: Skeleton, parent: int, child: int) -> str:
    """The side of the body that a bone belongs to: its child's, unless it crosses the body."""
    sides = skeleton.side(parent), skeleton.side(child)
    return "middle" if set(sides) == {"left", "right"} else sides[1]
