"""Filters over time that treat every gap-free stretch by itself: nothing is smeared into gaps or carried across them.

Arrays are (frames, ...), any number of columns, NaN where missing; what goes in missing comes out missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np

from lift3d.errors import Lift3DError, ShapeError
from lift3d.motion.gaps import runs
from lift3d.motion.kalman import kalman
from lift3d.motion.one_euro import one_euro
from lift3d.poses import Poses3D, add_step

# The median absolute deviation of a normal variable, as a part of its standard deviation.
MEDIAN_DEVIATION = 0.6745
# Residual analysis looks at cut-offs up to this part of the frame rate, in steps of QUARTER hertz, and takes the upper
# half of them for noise alone.
HIGHEST_CUTOFF = 0.4
QUARTER = 0.25
# In place of a cut-off: find it by residual analysis.
AUTO = "auto"


def butterworth(values: np.ndarray, fps: float, cutoff: float = 6.0, order: int = 4) -> np.ndarray:
    """Zero-phase Butterworth low-pass whose gain at ``cutoff`` is ``1 / sqrt(2)`` after both passes.

    Args:
        values: (frames, ...); stretches of up to ``3 (order / 2 + 1)`` frames stay as they are.
        fps: frames per second.
        cutoff: hertz, below half the frame rate.
        order: of the two passes together, an even number.

    Raises:
        ShapeError: the cut-off or the order is impossible.

    Source: D. Winter, "Biomechanics and Motor Control of Human Movement", 4th edition 2009, section 3.4.4.2.
    """
    from scipy.signal import butter, sosfiltfilt

    if order < 2 or order % 2:
        raise ShapeError(f"order counts both passes and must be an even number, not {order}")
    if not 0 < cutoff < fps / 2:
        raise ShapeError(f"cutoff must be between 0 and half the frame rate ({fps / 2:g} Hz), not {cutoff}")
    half = order // 2
    # Each pass may take sqrt(1 / sqrt(2)) at the cut-off: its own cut-off is higher, on the bilinear transform's scale.
    factor = (np.sqrt(2) - 1) ** (1 / (2 * half))
    corrected = np.arctan(np.tan(np.pi * cutoff / fps) / factor) / np.pi * fps
    sections = butter(half, corrected, fs=fps, output="sos")
    edge = 3 * (half + 1)
    return by_run(values, edge + 1, lambda run: np.asarray(sosfiltfilt(sections, run, axis=0, padlen=edge)))


def savitzky_golay(values: np.ndarray, window: int = 9, degree: int = 3) -> np.ndarray:
    """Each frame from the polynomial of least squares over the frames about it.

    Args:
        values: (frames, ...); stretches shorter than the window stay as they are.
        window: frames, an odd number above ``degree``.
        degree: of the polynomial; the ends are taken from the polynomials of the first and the last window.

    Raises:
        ShapeError: window or degree is impossible.

    Source: A. Savitzky and M. Golay, "Smoothing and differentiation of data by simplified least squares procedures",
    Analytical Chemistry 36(8), 1964.
    """
    from scipy.signal import savgol_filter

    if window < 3 or window % 2 == 0 or not 0 <= degree < window:
        raise ShapeError(f"window must be an odd number of frames above degree, not {window} with degree {degree}")
    return by_run(values, window, lambda run: np.asarray(savgol_filter(run, window, degree, axis=0, mode="interp")))


def median(values: np.ndarray, radius: int = 2) -> np.ndarray:
    """The median over the frames up to ``radius`` away; at the ends of a stretch its last value is repeated.

    Raises ShapeError if ``radius`` is not positive.
    """
    return by_run(values, 1, lambda run: sliding_median(run, radius))


def hampel(values: np.ndarray, radius: int = 3, threshold: float = 3.0) -> np.ndarray:
    """Spikes replaced by the median about them; everything else stays exactly as it is.

    A value is a spike if it is further from the median of the frames up to ``radius`` away than ``threshold`` standard
    deviations, estimated from the median distance of those frames from their median.

    Raises ShapeError if ``radius`` or ``threshold`` is not positive.

    Source: F. Hampel, "The influence curve and its role in robust estimation", J. Am. Stat. Assoc. 69, 1974.
    """
    if not threshold > 0:
        raise ShapeError(f"threshold must be positive, not {threshold}")

    def replace_spikes(run: np.ndarray) -> np.ndarray:
        middle = sliding_median(run, radius)
        deviation = np.median(np.abs(_windows(run, radius) - middle[..., None]), axis=-1) / MEDIAN_DEVIATION
        return np.where(np.abs(run - middle) > threshold * deviation, middle, run)

    return by_run(values, 1, replace_spikes)


def sliding_median(run: np.ndarray, radius: int) -> np.ndarray:
    """The median (frames, ...) over windows of values without gaps. Raises ShapeError if ``radius`` is not positive."""
    return np.asarray(np.median(_windows(run, radius), axis=-1))


def _windows(run: np.ndarray, radius: int) -> np.ndarray:
    if radius < 1:
        raise ShapeError(f"radius must be 1 frame or more, not {radius}")
    padded = np.pad(run, [(radius, radius)] + [(0, 0)] * (run.ndim - 1), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis=0)


def by_run(values: np.ndarray, least: int, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply ``work`` to every stretch (frames, columns) without a gap that has ``least`` frames; others stay."""
    values = np.asarray(values)
    columns = values.reshape(len(values), -1).astype(np.float64)
    # Columns with the same gaps, which the coordinates of a joint always are, go together.
    seen = np.isfinite(columns)
    alike: dict[bytes, list[int]] = {}
    for column, key in enumerate(np.packbits(seen, axis=0).T):
        alike.setdefault(key.tobytes(), []).append(column)
    for together in alike.values():
        for start, stop in runs(seen[:, together[0]]):
            if stop - start >= least:
                columns[start:stop, together] = work(columns[start:stop, together])
    return columns.reshape(values.shape).astype(np.result_type(values.dtype, np.float32))


def residual_cutoff(values: np.ndarray, fps: float) -> float:
    """The Butterworth cut-off, in hertz, at which the filter takes out as much as there is noise.

    The root mean square of what a filter removes falls with its cut-off, along a straight line where only noise is
    removed. That line, at a cut-off of 0, says how much noise there is in all.

    Args:
        values: (frames, ...), one motion; NaN where missing.
        fps: frames per second.

    Raises:
        ShapeError: no stretch without a gap lasts a second.

    Source: D. Winter, "Biomechanics and Motor Control of Human Movement", 2nd edition 1990, section 2.5.3.
    """
    columns = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    seen = np.isfinite(columns)
    if not any(stop - start >= fps for column in seen.T for start, stop in runs(column)):
        raise ShapeError("residual analysis needs a stretch of a second without a gap")
    cutoffs = np.arange(1.0, HIGHEST_CUTOFF * fps, QUARTER)
    if len(cutoffs) < 8:
        raise ShapeError(f"residual analysis needs 8 frames/s or more, not {fps:g}")
    residuals = np.array([np.sqrt(np.mean((columns - butterworth(columns, fps, c))[seen] ** 2)) for c in cutoffs])
    upper = slice(len(cutoffs) // 2, None)
    noise = np.polyfit(cutoffs[upper], residuals[upper], 1)[1]
    # Residuals fall with the cut-off, so their negatives rise.
    return float(np.interp(-noise, -residuals, cutoffs))


Filter = Callable[..., Any]
FILTERS: dict[str, Filter] = {
    "butterworth": butterworth,
    "savitzky_golay": savitzky_golay,
    "one_euro": one_euro,
    "kalman": kalman,
    "median": median,
    "hampel": hampel,
}


def parameters_of(method: str) -> tuple[str, ...]:
    """The names of a filter's parameters, the most important first. Raises Lift3DError for an unknown filter."""
    if method not in FILTERS:
        raise Lift3DError(f"unknown filter {method!r}; known are {', '.join(FILTERS)}")
    return tuple(name for name in signature(FILTERS[method]).parameters if name not in ("values", "fps"))


def parse_filter(text: str) -> tuple[str, dict[str, Any]]:
    """``butterworth:6``, ``butterworth:auto``, ``butterworth:cutoff=6,order=2`` or ``median`` for ``filter_poses``.

    Raises Lift3DError that says what is not understood.
    """
    method, _, rest = text.partition(":")
    names = parameters_of(method)
    parameters: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        name, equals, value = part.rpartition("=")
        name = name.strip() if equals else names[0]
        try:
            word = name == "model" or (name == "cutoff" and value.strip() == AUTO)
            parameters[name] = value.strip() if word else float(value) if "." in value else int(value)
        except ValueError as error:
            raise Lift3DError(f"filter {text!r}: {value!r} is not a number") from error
    return method, parameters


def filter_poses(poses: Poses3D, method: str, **parameters: Any) -> Poses3D:
    """Filter all joints over time.

    Missing joints stay missing. Sigma and covariance stay as they were, an upper bound, but for "kalman", which takes
    sigma for the noise of each joint and frame and gives back what is left of it. A joint of sigma 0, which the others'
    is relative to (the root of a lifted pose), is filtered like the surest of them, and its sigma stays 0.

    Args:
        poses: in any layout and space.
        method: "butterworth" (cutoff, order; of a cutoff "auto" residual analysis finds one for the clip),
            "savitzky_golay" (window, degree), "one_euro" (cutoff, beta, speed_cutoff), "kalman" (model, process_noise,
            and noise where sigma is unknown), "median" (radius) or "hampel" (radius, threshold).
        parameters: of the function of that name.

    Raises:
        Lift3DError: an unknown method or parameter, or a method in hertz for poses without a frame rate.
        ShapeError: a parameter is out of range.
    """
    known = parameters_of(method)
    if unknown := sorted(parameters.keys() - set(known)):
        raise Lift3DError(f"filter {method!r} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
    work = FILTERS[method]
    rate = {}
    if "fps" in signature(work).parameters:
        if poses.fps is None:
            raise Lift3DError(f"the {method} filter needs the frame rate, which these poses do not know")
        rate["fps"] = poses.fps
    automatic = method == "butterworth" and parameters.get("cutoff") == AUTO
    if automatic:
        parameters["cutoff"] = round(residual_cutoff(poses.xyz, rate["fps"]), 2)
    changed: dict[str, Any]
    if method == "kalman":
        noise = parameters.get("noise", poses.sigma)
        if noise is None:
            raise Lift3DError("the kalman filter needs sigma in the poses, or 'noise' in metres")
        is_origin = np.equal(noise, 0) & (poses.sigma is noise)
        if is_origin.any():
            surest = np.where(noise > 0, noise, np.inf).min(axis=-1, keepdims=True)
            noise = np.where(is_origin, surest, noise)
        xyz, sigma = work(poses.xyz, **{**parameters, **rate, "noise": noise})
        sigma = np.where(is_origin, np.float32(0), sigma)
        changed = {"xyz": xyz, "sigma": sigma, "covariance": None}
    else:
        changed = {"xyz": work(poses.xyz, **rate, **parameters)}
    shown = ", ".join(f"{name} {value}" for name, value in parameters.items())
    note = f"filtered: {method}" + (f" ({shown}{' Hz by residual analysis' if automatic else ''})" if shown else "")
    return replace(poses, reprojection_error=None, **changed, provenance=add_step(poses.provenance, note))
