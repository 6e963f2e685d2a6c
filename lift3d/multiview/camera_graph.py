"""Offsets of all cameras from how well each two of them fit together at every offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lift3d.errors import Lift3DError

# A peak that stands out less than this from its curve is chance.
LEAST_PEAK = 0.04
MOST_SWEEPS = 20


def place_cameras(
    curves: Mapping[tuple[int, int], np.ndarray], names: Sequence[str], step: float
) -> tuple[np.ndarray, np.ndarray]:
    """The offsets at which all pairs of cameras fit best together.

    The camera that fits those already placed most clearly is placed next; then each is placed again beside all
    others until nothing moves. A camera that shares no motion with the first gets its offset through the others.

    Args:
        curves: for each pair of cameras (a, b), how well they fit, (2 n + 1,), when b starts -n ... n steps after a.
        names: of the cameras, for messages.
        step: seconds.

    Returns:
        offsets: (cameras,) int, steps after the first camera.
        peak_ratios: (cameras,) how much higher each camera's best peak is than its second; 1 is a toss-up.

    Raises:
        Lift3DError: a camera fits none of the others at any offset.
    """
    above = {pair: curve - np.median(curve) for pair, curve in curves.items()}
    reach = len(next(iter(above.values()))) // 2
    span = 2 * len(names) * reach
    offsets = np.zeros(len(names), dtype=int)

    def votes(camera: int, others: set[int]) -> np.ndarray:
        """How well the camera fits beside the others, (2 span + 1,), if it starts at -span ... span."""
        total = np.zeros(2 * span + 1)
        for (a, b), curve in above.items():
            if camera in (a, b) and (other := a + b - camera) in others:
                start = span + offsets[other] - reach
                total[start : start + len(curve)] += curve if camera == b else curve[::-1]
        return total

    def best(total: np.ndarray) -> int:
        """Where the camera fits best; at 0 if it fits nowhere, which is an error further on."""
        return int(total.argmax()) - span if total.max() > 0 else 0

    everyone = set(range(len(names)))
    clearest = max(above, key=lambda pair: above[pair].max())
    placed = {clearest[0]}
    while placed != everyone:
        waiting = {camera: votes(camera, placed) for camera in everyone - placed}
        camera = max(waiting, key=lambda one: (waiting[one].max(), -one))
        offsets[camera] = best(waiting[camera])
        placed.add(camera)
    for _ in range(MOST_SWEEPS):
        before = offsets.copy()
        for camera in everyone:
            offsets[camera] = best(votes(camera, everyone - {camera}))
        offsets -= offsets[0]
        if (offsets == before).all():
            break
    ratios = np.empty(len(names))
    for camera, name in enumerate(names):
        height, second = peaks(votes(camera, everyone - {camera}))
        if height < LEAST_PEAK:
            raise Lift3DError(
                f"camera {name!r} fits none of the others at any offset up to {reach * step:.3g} s: raise the largest "
                "offset if it started earlier or later, check that it recorded the same people and that its "
                "calibration, if it has one, is right, or leave it out"
            )
        ratios[camera] = height / second if second > 0 else np.inf
    return offsets - offsets[0], ratios


def peaks(curve: np.ndarray) -> tuple[float, float]:
    """Heights of the highest peak of a curve (n,) and of the highest other one, 0 if there is none above 0.

    A peak reaches down to half its height; what lies within is no other peak.
    """
    top = int(curve.argmax())
    height = float(curve[top])
    low = curve < height / 2
    left = top - int(np.argmax(np.r_[low[:top][::-1], True]))
    right = top + int(np.argmax(np.r_[low[top:], True]))
    rises = np.r_[-np.inf, curve[:-1]] <= curve
    falls = np.r_[curve[1:], -np.inf] <= curve
    others = np.r_[curve[:left][(rises & falls)[:left]], curve[right:][(rises & falls)[right:]]]
    return height, max(0.0, float(others.max(initial=0)))
