"""Colours that colour-blind people can tell apart: sides of the body, people, truth.

They are those of Okabe and Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

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
