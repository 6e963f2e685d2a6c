"""Colours that colour-blind people can tell apart, and the lines that make a skeleton readable.

The colours are those of Okabe and Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

from lift3d.skeletons import Skeleton

LEFT, RIGHT, MIDDLE, TRUTH = "#0072B2", "#D55E00", "#4A4A4A", "#9A9A9A"
PEOPLE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")


def shade(colour: str, amount: float) -> str:
    """A ``#RRGGBB`` colour mixed with white (amount 0..1) or with black (amount -1..0)."""
    goal = 255 if amount > 0 else 0
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(c + (goal - c) * abs(amount)):02X}" for c in channels)


def side_colours(person: int, people: int) -> dict[str, str]:
    """Colour of the left, right and middle of a person: by side if alone, else shades of the person's own colour."""
    if people == 1:
        return {"left": LEFT, "right": RIGHT, "middle": MIDDLE}
    own = PEOPLE[person % len(PEOPLE)]
    return {"left": shade(own, 0.4), "right": shade(own, -0.35), "middle": own}


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
