"""How much later one video started than another, from their sound: coarse by onsets, fine by phases.

Coarse delays are those at which the sounds swell together. Fine ones come from the generalised cross-correlation with
phase transform (Knapp and Carter 1976), of spectra summed over windows: echoes, noise and gains differ between cameras,
the phases of the direct sound do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lift3d.multiview.sound import RATE, Sound

STEP = 0.01  # seconds between the delays that are tried
COARSE_SECONDS = 120.0  # in which no clock drifts by more than a step or two
BAND = (200.0, 3600.0)  # Hz: above rumble and below what 8000 samples a second hold
WINDOW = 3.968  # seconds whose phases are compared; with SEARCH to both sides a power of two of samples
SEARCH = 0.06  # seconds to each side of the delay that is expected
CANDIDATES = 16  # coarse delays whose phases are tested
TESTED_WINDOWS = 5
MOST_WINDOWS = 240
STRETCHES = 24  # of the clip, each with a delay of its own, from which spread and drift are told
CLEAR = 6.0  # a correlation's peak over its root mean square, below which it is chance
LEAST_SIGMA = 1e-4  # seconds: what microphones, codecs and sampling leave
FEW_SIGMA = 5e-4  # where there are too few stretches to tell
GROWTH = 4.0


@dataclass(frozen=True)
class Delays:
    """How much later camera b started than a, by stretches of time.

    Attributes:
        times: (stretches,) seconds on the clock of a.
        values: (stretches,) seconds.
        sigma: one standard deviation of each value, seconds.
    """

    times: np.ndarray
    values: np.ndarray
    sigma: float


def onsets(sound: Sound) -> np.ndarray:
    """(steps,) how much the sound swells, in each step from the first picture on, about its mean."""
    hop = round(STEP * RATE)
    level = np.zeros(max(2, int(np.ceil((sound.start + sound.duration) / STEP))))
    for first in range(0, len(level), 6000):
        part = level[first : first + 6000]
        samples = np.diff(sound.at(first * STEP - 1 / RATE, len(part) * hop + 1))  # rumble out
        part[:] = np.log(np.square(samples.reshape(len(part), hop)).mean(axis=1) + 1)
    swell = np.maximum(np.diff(level, prepend=level[:1]), 0)
    begin = max(0, int(sound.start / STEP))
    swell[: begin + 3] = 0  # that the recording begins is no sound
    swell[begin + 3 :] -= swell[begin + 3 :].mean() if len(swell) > begin + 3 else 0
    return swell


def liveliest(swells: Sequence[np.ndarray]) -> tuple[int, int]:
    """First and last step of the ``COARSE_SECONDS`` in which cameras together have most onsets; all if it is less."""
    longest = max(len(swell) for swell in swells)
    length = round(COARSE_SECONDS / STEP)
    if longest <= length:
        return 0, longest
    energy = np.zeros(longest)
    for swell in swells:
        energy[: len(swell)] += swell**2 / max(float(np.square(swell).sum()), 1e-12)
    sums = np.cumsum(np.r_[0, energy])
    first = int(np.argmax(sums[length:] - sums[:-length]))
    return first, first + length


def onset_curve(a: np.ndarray, b: np.ndarray, window: tuple[int, int], reach: int) -> np.ndarray:
    """Correlation (2 reach + 1,) of onsets if b begins -reach ... reach steps after a.

    Args:
        a, b: as ``onsets``.
        window: (first, last) step of a to compare.
    """
    kept = np.zeros(len(a))
    kept[slice(*window)] = a[slice(*window)]
    size = 1 << (len(a) + len(b)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(kept, size) * np.conj(np.fft.rfft(b, size)), size)
    lags = np.arange(-reach, reach + 1)  # step t of b meets step t + lag of a
    return np.asarray(np.where((lags < len(a)) & (lags > -len(b)), cross[lags % size], 0))


def tested_curve(a: Sound, b: Sound, onset: np.ndarray, window: tuple[int, int], curve: np.ndarray) -> np.ndarray:
    """How well phases agree, (2 reach + 1,) in 0..1, at the highest peaks of an ``onset_curve``; 0 elsewhere.

    Sounds that set on at equal intervals have many peaks; which one is right, the waveforms tell.

    Args:
        onset: the onsets of a.
        window: (first, last) step of a to compare.
        curve: of ``onset_curve``.
    """
    reach = len(curve) // 2
    first, last = min(window[0], len(onset)), min(window[1], len(onset))
    width = min(round(WINDOW / STEP), last - first)
    if width < 2:
        return np.zeros(len(curve))
    begins = np.arange(first, last - width + 1, max(1, width // 2))
    energy = [float(np.square(onset[begin : begin + width]).sum()) for begin in begins]
    starts = begins[np.argsort(energy)[-TESTED_WINDOWS:]] * STEP
    phases = _Phases(width * STEP)
    known = [(start, phases.spectrum(a, start)) for start in starts]
    tested = np.zeros(len(curve))
    for index in _highest(curve):
        delay = (index - reach) * STEP
        # Each window by itself, for clocks may drift from one to the next.
        each = np.array([phases.compare([(F, phases.spectrum(b, start - delay))]) for start, F in known])
        heights = np.where(each[:, 1] > CLEAR * each[:, 2], each[:, 1], 0)
        found = round((delay + each[heights.argmax(), 0]) / STEP) + reach
        if 0 < found < len(curve) - 1:
            near = tested[found - 1 : found + 2]
            np.maximum(near, heights.mean() * np.array([0.5, 1, 0.5]), out=near)
    return tested


def _highest(curve: np.ndarray) -> np.ndarray:
    """Indices of the highest peaks of a curve (n,), further apart than ``SEARCH`` reaches."""
    left = curve.copy()
    found = []
    for _ in range(CANDIDATES):
        index = int(left.argmax())
        if left[index] <= 0:
            break
        found.append(index)
        reach = round(SEARCH / STEP)
        left[max(0, index - reach) : index + reach + 1] = 0
    return np.array(found, int)


def fine_delays(a: Sound, b: Sound, coarse: float, middle: float) -> Delays | None:
    """Delays by stretches, from a coarse one that holds around a time; None if the sounds have too little in common.

    Args:
        coarse: seconds that b started after a, to about ``SEARCH``.
        middle: seconds on the clock of a; from there the delay is followed to both ends, so that it may drift.
    """
    begin = max(a.start, b.start + coarse)
    end = min(a.start + a.duration, b.start + b.duration + coarse)
    if end - begin < WINDOW / 4:
        return None
    length = min(WINDOW, end - begin)
    count = int(np.clip((end - begin) / (length / 2), 1, MOST_WINDOWS))
    starts = np.linspace(begin, end - length, count)
    middle = float(np.clip(middle, begin, end))
    half = COARSE_SECONDS / 2
    line = np.array([coarse, 0.0])  # delay and its change a second, at the middle
    while True:
        near = starts[np.abs(starts + length / 2 - middle) <= half]
        if len(near) == 0:
            near = starts[np.argmin(np.abs(starts + length / 2 - middle)), None]
        times, values = _measure(a, b, near, length, line, middle)
        if len(times) == 0:
            return None
        line, spread = _robust_line(times - middle, values)
        if middle - half <= begin and middle + half >= end:
            break
        half *= GROWTH
    sigma = max(spread, LEAST_SIGMA) if len(times) >= 4 else FEW_SIGMA
    return Delays(times, values, sigma)


def _measure(
    a: Sound, b: Sound, starts: np.ndarray, length: float, line: np.ndarray, middle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Middle times and delays of the stretches whose phases clearly agree."""
    phases = _Phases(length)
    times, values = [], []
    for stretch in np.array_split(starts, min(STRETCHES, len(starts))):
        time = float(stretch.mean()) + length / 2
        expected = line[0] + line[1] * (time - middle)
        spectra = ((phases.spectrum(a, start), phases.spectrum(b, start - expected)) for start in stretch)
        more, height, floor = phases.compare(spectra)
        if height > CLEAR * floor:
            times.append(time)
            values.append(expected + more)
    return np.array(times), np.array(values)


class _Phases:
    """Phases of windows of one length, at times that need not fall on a sample."""

    def __init__(self, length: float) -> None:
        self.samples = round(length * RATE)
        reach = round(SEARCH * RATE)
        self.lags = np.arange(-reach, reach + 1)
        self.size = 1 << (self.samples + 2 * reach - 1).bit_length()
        self.taper = np.hanning(self.samples)
        self.frequency = np.fft.rfftfreq(self.size, 1 / RATE)
        self.band = (self.frequency >= BAND[0]) & (self.frequency <= BAND[1])

    def spectrum(self, sound: Sound, start: float) -> np.ndarray:
        """Spectrum (frequencies,) of a window that starts at a time of the sound's own clock."""
        sample = sound.start + round((start - sound.start) * RATE) / RATE
        spectrum = np.fft.rfft(sound.at(start, self.samples) * self.taper, self.size)
        return np.asarray(spectrum * np.exp(-2j * np.pi * self.frequency * (sample - start)))

    def compare(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, float]:
        """How much earlier the second of two spectra, summed over pairs, shows the same.

        Returns:
            Seconds within ``SEARCH``; how well the phases agree there, 1 for the same sound; and the root mean square
            of that around.
        """
        cross, power = np.zeros(len(self.frequency), complex), np.full(len(self.frequency), 1e-12)
        for F, G in pairs:
            cross += np.conj(F) * G
            power += np.abs(F) * np.abs(G)
        correlation = np.fft.irfft(np.where(self.band, cross / power, 0), self.size)[self.lags % self.size]
        correlation *= self.size / (2 * self.band.sum())
        peak = int(correlation[1:-1].argmax()) + 1
        lag = self.lags[peak] + _vertex(*correlation[peak - 1 : peak + 2])
        return -lag / RATE, float(correlation[peak]), float(np.sqrt(np.square(correlation).mean()))


def _vertex(left: float, middle: float, right: float) -> float:
    """Where a parabola through three equidistant values around a peak has its own, in steps from the middle."""
    bend = left - 2 * middle + right
    return 0.0 if bend == 0 else float(np.clip((left - right) / (2 * bend), -0.5, 0.5))


def _robust_line(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Value at 0 and slope (2,) of a line, by repeated medians (Siegel 1982), and the spread about it."""
    slope = 0.0
    if len(times) >= 4:
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = (values[:, None] - values) / (times[:, None] - times)
        slope = float(np.median([np.median(np.delete(row, i)) for i, row in enumerate(slopes)]))
    level = float(np.median(values - slope * times))
    return np.array([level, slope]), 1.4826 * float(np.median(np.abs(values - level - slope * times)))
