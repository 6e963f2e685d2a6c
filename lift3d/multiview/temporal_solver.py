"""The motion of one person that explains what all cameras saw, moves smoothly and keeps its bones.

Over the points x of all joints and frames it minimises

    sum_(camera, joint, frame) rho(c |pixels(x) - seen|^2 / noise^2)
        + sum_(joint, frame) |x_t - 2 x_(t+1) + x_(t+2)|^2 / q
        + sum_(bone, frame) (|x_b - x_a| - L)^2 / s^2

with the confidence c, by Gauss-Newton steps with weights for rho. Nothing needs tuning: the noise in pixels and q, the
variance of a joint's acceleration about each moment, are those that make the recording most likely (EM; A. Dempster,
N. Laird and D. Rubin, J. Royal Stat. Soc. B 39(1), 1977). EM needs to know how uncertain the points are. For the
clip as a whole that is read off one draw from their joint distribution: a random right side of the normal equations,
solved along with the step (G. Papandreou and A. Yuille, "Gaussian sampling by local perturbations", NIPS 2010); for a
moment there is a closed form (``hidden_share``).

Without bones every joint is a chain of its own (``block_banded``); the bones tie the chains, and conjugate gradients
with the chains as preconditioner take care of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lift3d.geometry.rays import Rays
from lift3d.geometry.triangulation import RigArrays, evaluate, invert
from lift3d.multiview.block_banded import BandedChains, second_differences, spread_differences
from lift3d.multiview.bone_lengths import BoneTerms
from lift3d.multiview.motion_levels import MotionLevels

# An observation this many standard deviations away counts half; gross errors count nothing.
TRUSTED = 3.5
# The exponential of more is not needed.
MOST_DOUBT = 50.0
# The median of the squared length of a 2D normal vector, in units of its variance along an axis.
MEDIAN_SQUARE = 1.386
# Errors less likely than this to be true ones are not looked at.
BELIEVED = 0.01
# Seconds: what an error keeps for longer is not noise but bias.
LASTING = 0.1
# Pixels: no detector is better than this.
LEAST_NOISE = 0.1
# Metres: a point is held at its place this loosely, for the case that nothing else holds it.
ANCHOR = 10.0
# The acceleration of a moment is averaged over this many seconds, and drawn to the clip's own as if that had been
# seen over PRIOR_FRAMES frames.
MOMENT = 0.25
PRIOR_FRAMES = 2.0
# What is seen of a point is averaged over this many frames, for those next to it hold it nearly as well.
NEAR_FRAMES = 5
# Metres per frame squared: the least standard deviation of an acceleration.
LEAST_ACCELERATION = 1e-5
CONJUGATE_STEPS = 4
NOISE_FRAMES = 1024


class Step(NamedTuple):
    """One Gauss-Newton step.

    Attributes:
        trusted: as TRUSTED; more in the first steps, when the points are not yet where they belong.
        bones: whether the bones take part.
    """

    trusted: float = TRUSTED
    bones: bool = False


class Window(NamedTuple):
    """A stretch of one person's motion.

    Attributes:
        rays: what C cameras saw, (C, joints * frames) with the frames of a joint side by side.
        points: (joints, frames, 3) where to start, metres from the rig's centre.
        known: (joints, frames) bool, whether the point is asked for.
        tied: (joints, frames - 2) bool, whether three frames that follow each other are one motion.
        frames: (frames,) numbers of the frames in the clip.
        fps: frames per second.
    """

    rays: Rays
    points: np.ndarray
    known: np.ndarray
    tied: np.ndarray
    frames: np.ndarray
    fps: float


class Solution(NamedTuple):
    """The motion in a window.

    Attributes:
        points: (joints, frames, 3) metres from the rig's centre.
        levels: as given, or as learned.
        covariance: (joints, frames, 3, 3) square metres.
        squares: (C, joints, frames) squared reprojection errors, pixels, times the confidence; 0 where none was seen.
        trust: (C, joints, frames) from 0 to 1, how much of the observation is believed; 0 where nothing was seen.
    """

    points: np.ndarray
    levels: MotionLevels
    covariance: np.ndarray
    squares: np.ndarray
    trust: np.ndarray


def solve_window(
    rig: RigArrays, window: Window, levels: MotionLevels, steps: Sequence[Step], learn: bool = False
) -> Solution:
    """Minimise over the points of a window.

    Args:
        rig: the cameras.
        window: what they saw.
        levels: what is known of the clip.
        steps: what to do in turn.
        learn: whether the levels are learned from the window.
    """
    return _Minimisation(rig, window, levels, learn).run(steps)


class Observation(NamedTuple):
    """What the cameras say at given points.

    Attributes:
        information: (6, joints, frames) of every point, its upper triangle row by row.
        descent: (joints, frames, 3) against the gradient.
        errors: (2, C, joints, frames) on the plane z = 1.
        squares, trust: (C, joints, frames) as in Solution.
    """

    information: np.ndarray
    descent: np.ndarray
    errors: np.ndarray
    squares: np.ndarray
    trust: np.ndarray


class _Minimisation:
    def __init__(self, rig: RigArrays, window: Window, levels: MotionLevels, learn: bool) -> None:
        self.rig, self.window, self.levels, self.learn = rig, window, levels, learn
        self.points = window.points
        self.sample = np.zeros_like(self.points)
        self.q = np.broadcast_to((levels.acceleration**2)[:, None], window.tied.shape)

    def run(self, steps: Sequence[Step]) -> Solution:
        for step in steps:
            seen = self.observe(step.trusted)
            bones = self.levels.bones if step.bones else None
            terms = None if bones is None else BoneTerms(bones, self.points, self.window.known)
            self.move(seen, terms)
            self.update_acceleration(seen)
            if self.learn:
                self.update_noise(seen)
                if bones is not None:
                    bones = bones.learn(self.points, self.window.known, self.sample)
                    self.levels = replace(self.levels, bones=bones)
        seen = self.observe(TRUSTED)
        covariance = BandedChains(seen.information, self.stiffness()).covariances()
        if self.learn:
            self.update_tied(covariance)
        covariance *= self.levels.tied[:, None, None, None]
        return Solution(self.points, self.levels, covariance + self.lasting(seen), seen.squares, seen.trust)

    def observe(self, trusted: float) -> Observation:
        joints, frames = self.window.known.shape
        points = np.ascontiguousarray(self.points.reshape(-1, 3).T)
        rays = self.window.rays
        x, y, depth = self.rig.project(points)
        errors = np.stack([x, y]) / depth - np.stack([rays.x, rays.y])
        squares = np.where(depth > 0, _lengths(rays, errors), np.inf).reshape(-1, joints, frames)
        # The probability that the observation is no gross error, if those are as likely at TRUSTED as true ones.
        total = np.square([self.levels.noise, self.levels.bias]).sum(0)[:, None]
        doubt = np.exp(np.minimum((squares / total - trusted**2) / 2, MOST_DOUBT))
        trust = rays.used.reshape(squares.shape) / (1 + doubt)
        weight = (trust / self.levels.noise[:, None] ** 2).reshape(len(squares), -1)
        weighted = rays._replace(xx=rays.xx * weight, xy=rays.xy * weight, yy=rays.yy * weight)
        state = evaluate(self.rig, weighted, points)
        information = state.normal.reshape(6, joints, frames)
        information[[0, 3, 5]] += 1 / ANCHOR**2
        return Observation(
            information,
            -state.gradient.T.reshape(joints, frames, 3),
            errors.reshape(2, -1, joints, frames),
            squares,
            trust,
        )

    def lasting(self, seen: Observation) -> np.ndarray:
        """(joints, frames, 3, 3) the covariance of what bias does to each frame on its own."""
        if not self.levels.bias.any():
            return np.zeros(())
        # Of frames that fewer than two cameras saw it is that of the others, on average.
        alone = np.where(seen.trust.sum(0) > 1.5, invert(seen.information), np.nan)
        full = alone[[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3, *alone.shape[1:]).transpose(2, 3, 0, 1)
        known = np.isfinite(full[..., :1, :1])
        usual = np.where(known, full, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
        ratio = (self.levels.bias / self.levels.noise) ** 2
        return np.asarray(np.where(known, full, usual) * ratio[:, None, None, None])

    def stiffness(self) -> np.ndarray:
        """(joints, frames - 2) the weights of the second differences."""
        return np.asarray(self.window.tied / self.q)

    def move(self, seen: Observation, bones: BoneTerms | None) -> None:
        """Move the points, and draw one sample of their error if something is to be learned from it."""
        stiffness = self.stiffness()
        smooth = stiffness[..., None]
        joints, frames = self.window.known.shape
        rights = [seen.descent - spread_differences(second_differences(self.points) * smooth, frames)]
        if self.learn:
            noise = _multiply_root(seen.information, _noise(0, self.window.frames, joints))
            push = _noise(1, self.window.frames[:-2], joints) * np.sqrt(smooth)
            rights.append(noise + spread_differences(push, frames))
        if bones is None:
            steps = BandedChains(seen.information, stiffness).solve(np.stack(rights))
        else:
            chains = BandedChains(bones.add_blocks(seen.information), stiffness)
            shares = [bones.gradient(), bones.spread(_noise(2, self.window.frames, len(bones.rows))[..., 0])]
            starts = [np.zeros_like(self.points), self.sample]
            steps = np.stack(
                [
                    _conjugate_gradients(chains, bones, right + share, start)
                    for right, share, start in zip(rights, shares, starts, strict=False)
                ]
            )
        self.points = self.points + steps[0]
        if self.learn:
            self.sample = steps[1]

    def update_acceleration(self, seen: Observation) -> None:
        """The acceleration about each moment: what is seen of it, and what of it may have been smoothed away."""
        from scipy.ndimage import uniform_filter1d

        tied = self.window.tied
        if self.levels.steady or not tied.any():
            return
        about = invert(uniform_filter1d(seen.information, NEAR_FRAMES, axis=-1, mode="nearest"))
        variance = (about[0] + about[3] + about[5])[:, 1:-1] / 3
        # A frame that nothing holds but its neighbours tells nothing of its acceleration.
        hidden = self.q * hidden_share(np.nan_to_num(variance / self.q, nan=np.inf, posinf=np.inf))
        energy = np.where(tied, (second_differences(self.points) ** 2).mean(-1) + hidden, 0.0)
        if self.learn:
            mean = energy.sum(-1) / np.maximum(tied.sum(-1), 1)
            self.levels = replace(self.levels, acceleration=np.maximum(np.sqrt(mean), LEAST_ACCELERATION))
        width = max(3, round(MOMENT * self.window.fps))
        near = uniform_filter1d(energy, width, axis=-1, mode="constant") * width
        count = uniform_filter1d(tied.astype(float), width, axis=-1, mode="constant") * width
        clip = self.levels.acceleration[:, None] ** 2
        self.q = np.maximum((near + PRIOR_FRAMES * clip) / (count + PRIOR_FRAMES), LEAST_ACCELERATION**2)

    def update_noise(self, seen: Observation) -> None:
        """The noise and bias of each joint: the errors' medians, and what of them the points have followed."""
        joints, frames = self.window.known.shape
        lag = min(round(LASTING * self.window.fps), frames - 1)
        late, early = np.s_[..., lag:], np.s_[..., : frames - lag]
        # The difference of two errors holds the noise twice, and the bias not at all.
        rays = Rays._make(part.reshape(-1, joints, frames)[late] for part in self.window.rays)
        change = _lengths(rays, seen.errors[late] - seen.errors[early]) / 2
        apart = self.window.frames[late] - self.window.frames[early] == lag
        both = seen.trust[late] * (seen.trust[early] > BELIEVED) * apart
        moved = (self.sample[:, lag:] - self.sample[:, : frames - lag]) / np.sqrt(2)
        before = self.levels.noise**2
        noise = before * _error_variance(change, both, seen.information[late], moved, before)
        total = before * _error_variance(seen.squares, seen.trust, seen.information, self.sample, before)
        noise = np.maximum(np.minimum(noise, total), LEAST_NOISE**2)
        self.levels = replace(self.levels, noise=np.sqrt(noise), bias=np.sqrt(np.maximum(total - noise, 0)))

    def update_tied(self, covariance: np.ndarray) -> None:
        known = self.window.known
        free = np.where(known, np.trace(covariance, axis1=-2, axis2=-1), 0.0).sum(-1)
        sampled = np.where(known, (self.sample**2).sum(-1), 0.0).sum(-1)
        share = np.where(free > 0, sampled / np.where(free > 0, free, 1.0), 1.0)
        self.levels = replace(self.levels, tied=np.clip(share, 0.2, 1.0))


def _lengths(rays: Rays, errors: np.ndarray) -> np.ndarray:
    """Squared lengths (...) of errors (2, ...) in the metric of the rays, pixels."""
    x, y = errors
    return np.asarray(x * (rays.xx * x + 2 * rays.xy * y) + rays.yy * y * y)


def _error_variance(
    squares: np.ndarray, trust: np.ndarray, information: np.ndarray, sample: np.ndarray, unit: np.ndarray
) -> np.ndarray:
    """(joints,) the variance of errors in units of ``unit``: their median, and what of them the points have followed.

    Args:
        squares, trust: (C, joints, frames) of the errors.
        information: (6, joints, frames) in which ``unit`` is the errors' variance.
        sample: (joints, frames, 3) a draw of the points' error.
        unit: (joints,) square pixels.
    """
    xx, xy, xz, yy, yz, zz = information
    x, y, z = np.moveaxis(sample, -1, 0)
    followed = xx * x * x + yy * y * y + zz * z * z + 2 * (xy * x * y + xz * x * z + yz * y * z)
    variance = np.ones(len(unit))
    for joint in range(len(unit)):
        use = trust[:, joint] > BELIEVED
        if use.any():
            share = followed[joint].sum() / (2 * trust[:, joint].sum())
            variance[joint] = np.median(squares[:, joint][use]) / MEDIAN_SQUARE / unit[joint] + min(share, 1.0)
    return variance


def hidden_share(ratio: np.ndarray) -> np.ndarray:
    """The part of an acceleration's variance q that remains unknown when points of variance v are smoothed.

    At the frequency w, where a second difference multiplies by ``d = 2 cos(w) - 2``, the noise hides
    ``v d^2 / (q + v d^2)``; this is the mean over all frequencies of an endless steady motion.

    Args:
        ratio: v / q, any shape, 0 to infinity.
    """
    exponents, shares = _hidden_table()
    inside = np.log(np.clip(ratio, np.exp(exponents[0]), np.exp(exponents[-1])))
    return np.asarray(np.interp(inside, exponents, shares))


@lru_cache(maxsize=1)
def _hidden_table() -> tuple[np.ndarray, np.ndarray]:
    exponents = np.linspace(-12, 30, 400)
    power = (2 * np.cos((np.arange(4000) + 0.5) * np.pi / 4000) - 2) ** 2
    return exponents, np.array([np.mean(1 / (1 + np.exp(-e) / power)) for e in exponents])


def _conjugate_gradients(chains: BandedChains, bones: BoneTerms, right: np.ndarray, start: np.ndarray) -> np.ndarray:
    """A few steps towards the solution of chains and bones together."""

    def multiply(points: np.ndarray) -> np.ndarray:
        product: np.ndarray = chains.multiply(points) + bones.multiply_across(points)
        return product

    solution = start.copy()
    residual = right - multiply(start) if start.any() else right
    conditioned = chains.solve(residual)
    direction, norm = conditioned, _inner(residual, conditioned)
    for _ in range(CONJUGATE_STEPS):
        if norm <= 0:
            break
        product = multiply(direction)
        length = norm / _inner(direction, product)
        solution = solution + length * direction
        residual = residual - length * product
        conditioned = chains.solve(residual)
        norm, before = _inner(residual, conditioned), norm
        direction = conditioned + norm / before * direction
    return solution


def _inner(a: np.ndarray, b: np.ndarray) -> float:
    """The sum of the products. (BLAS would do it in threads, which wait for each other longer than it takes.)"""
    return float(np.einsum("jfi,jfi->", a, b))


def _multiply_root(blocks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) times the lower Cholesky factors of symmetric blocks (6, ...)."""
    xx, yx, zx, yy, zy, zz = blocks
    a = np.sqrt(xx)
    b, c = yx / a, zx / a
    d = np.sqrt(np.maximum(yy - b * b, 0))
    e = (zy - b * c) / np.maximum(d, 1e-12)
    f = np.sqrt(np.maximum(zz - c * c - e * e, 0))
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([a * x, b * x + d * y, c * x + e * y + f * z], axis=-1)


def _noise(kind: int, frames: np.ndarray, chains: int) -> np.ndarray:
    """(chains, frames, 3) standard normal numbers that depend on a frame's number only, whatever window it is in."""
    return _noise_table(kind, chains)[:, frames % NOISE_FRAMES]


@lru_cache(maxsize=8)
def _noise_table(kind: int, chains: int) -> np.ndarray:
    return np.random.default_rng([kind, chains]).standard_normal((chains, NOISE_FRAMES, 3))
