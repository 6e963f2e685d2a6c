"""``lift3d.lifting.normalization`` for batches of windows, frames last: the same input, in a fraction of the time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lift3d.lifting.normalization import SIZE_WINDOW, reference
from lift3d.skeletons import LIFTER23
from lift3d.training.compiled import compiled, over_windows

# Numbers of kernels are float32: a Python number would make them double.
_ZERO, _ONE, _TWO, _FOUR = (np.float32(number) for number in (0, 1, 2, 4))
# As in ``rotate_plane``, ``place_body`` (twice) and ``_weighted_mean``.
_NEAREST, _LEAST_MOMENT, _LEAST_SIZE, _LEAST_WEIGHT = (np.float32(number) for number in (0.09, 1e-3, 1e-4, 1e-9))
_STANDING, _WEIGHTS = (values.numpy() for values in reference(LIFTER23))
# What is summed over the seen joints: 1, the reference body's place and size; then the weight, and with it the place.
_SUMMED = np.stack([np.ones_like(_WEIGHTS), *_STANDING.T, (_STANDING**2).sum(1), _WEIGHTS, *(_STANDING.T * _WEIGHTS)])


def encode_windows(
    plane: Tensor, confidence: Tensor, known: Tensor, inside: slice, outputs: slice
) -> tuple[Tensor, Tensor]:
    """``encode`` of keypoints in the view of ``find_body``.

    Args:
        plane: (batch, 23, 2, frames) keypoints on the plane z = 1, finite everywhere.
        confidence: (batch, 23, frames), 0 where missing.
        known: (batch,) bool, whether the focal length is known.
        inside: frames of the input; all are looked at for the size of the body.
        outputs: frames of the rotation.

    Returns:
        input (batch, frames inside, 24, 3); rotation (batch, outputs, 3, 3) from camera space to the view.
    """
    windows, joints, frames = confidence.shape
    first_inside, behind_inside, _ = inside.indices(frames)
    first_output, behind_outputs, _ = outputs.indices(frames)
    inputs = torch.empty(windows, behind_inside - first_inside, joints + 1, 3)
    rotation = torch.empty(windows, behind_outputs - first_output, 3, 3)
    arrays = (tensor.contiguous().numpy() for tensor in (plane, confidence, known))
    over_windows(_encode, windows, *arrays, first_inside, first_output, inputs.numpy(), rotation.numpy())
    return inputs, rotation


@compiled
def _encode(
    first: int,
    last: int,
    plane: np.ndarray,
    confidence: np.ndarray,
    known: np.ndarray,
    first_inside: int,
    first_output: int,
    inputs: np.ndarray,
    rotation: np.ndarray,
) -> None:
    """``encode_windows`` for some windows.

    Each frame is turned towards the body once for both moments and input: where no joint is seen the view is that of
    another frame, but then there is nothing to turn.
    """
    joints, frames = confidence.shape[1:]
    seen = np.empty((joints, frames), np.float32)
    turned = np.empty((joints, 2, frames), np.float32)
    sums = np.empty((len(_SUMMED), frames), np.float32)
    centre = np.empty((2, frames), np.float32)
    in_image, in_metres = np.empty(frames, np.float32), np.empty(frames, np.float32)
    size, scale = np.empty(frames, np.float32), np.empty(frames, np.float32)
    anyone, sized = np.empty(frames, np.bool_), np.empty(frames, np.bool_)
    for w in range(first, last):
        for joint in range(joints):
            for frame in range(frames):
                seen[joint, frame] = _ONE if confidence[w, joint, frame] > _ZERO else _ZERO
        _find_centre(plane[w], seen, sums, centre, in_metres)
        _turn(plane[w], seen, centre, turned, in_image)
        _find_size(in_image, in_metres, size, sized)
        for frame in range(frames):
            anyone[frame] = sums[0, frame] > _ZERO
        source = _hold(sized)
        for frame in range(frames):
            scale[frame] = max(size[source[frame]], _LEAST_SIZE)
        for joint in range(joints):
            for axis in range(2):
                for frame in range(frames):
                    turned[joint, axis, frame] = min(max(turned[joint, axis, frame] / scale[frame], -_FOUR), _FOUR)
        for inside in range(inputs.shape[1]):
            frame = first_inside + inside
            for joint in range(joints):
                inputs[w, inside, joint, 0] = turned[joint, 0, frame]
                inputs[w, inside, joint, 1] = turned[joint, 1, frame]
                inputs[w, inside, joint, 2] = confidence[w, joint, frame]
            # Centred on a distance of 4 m, as in ``encode``.
            inputs[w, inside, joints, 0] = np.log(_FOUR * scale[frame]) if known[w] else _ZERO
            inputs[w, inside, joints, 1] = _ONE if known[w] else _ZERO
            inputs[w, inside, joints, 2] = _ZERO
        source = _hold(anyone)
        for output in range(rotation.shape[1]):
            frame = source[first_output + output]
            _look_at(centre[0, frame], centre[1, frame], rotation[w, output])


@compiled
def _find_centre(
    plane: np.ndarray, seen: np.ndarray, sums: np.ndarray, centre: np.ndarray, in_metres: np.ndarray
) -> None:
    """Sums over the seen joints, their ``centre`` (2, frames), and the reference body's second moment about its own."""
    frames = seen.shape[1]
    for frame in range(frames):
        for axis in range(2):
            centre[axis, frame] = _ZERO
        for summed in range(len(sums)):
            sums[summed, frame] = _ZERO
    for joint in range(len(seen)):
        for summed in range(len(sums)):
            value = _SUMMED[summed, joint]
            for frame in range(frames):
                sums[summed, frame] += value * seen[joint, frame]
        weight = _WEIGHTS[joint]
        for axis in range(2):
            for frame in range(frames):
                centre[axis, frame] += weight * seen[joint, frame] * plane[joint, axis, frame]
    for frame in range(frames):
        share = _ONE / max(sums[4, frame], _LEAST_WEIGHT)
        centre[0, frame] *= share
        centre[1, frame] *= share
        left, up = sums[5, frame] * share, sums[6, frame] * share
        moment = sums[3, frame] - _TWO * (left * sums[1, frame] + up * sums[2, frame])
        in_metres[frame] = max(moment + sums[0, frame] * (left * left + up * up), _ZERO)


@compiled
def _turn(plane: np.ndarray, seen: np.ndarray, centre: np.ndarray, turned: np.ndarray, in_image: np.ndarray) -> None:
    """Seen joints (joints, 2, frames) where a camera sees them that looks at the centre, else 0; their second moment.

    With the centre (a, b), h = sqrt(1 + a^2) and n = sqrt(1 + a^2 + b^2), ``look_at`` and ``rotate_plane`` take (x, y)
    to (n (x - a), h^2 y - a b x - b) / d, where d = h (1 + a x + b y).
    """
    frames = seen.shape[1]
    h, n, scale = np.empty(frames, np.float32), np.empty(frames, np.float32), np.empty(frames, np.float32)
    a, b = centre[0], centre[1]
    for frame in range(frames):
        h[frame] = np.sqrt(_ONE + a[frame] * a[frame])
        n[frame] = np.sqrt(_ONE + a[frame] * a[frame] + b[frame] * b[frame])
        in_image[frame] = _ZERO
    for joint in range(len(seen)):
        x, y = plane[joint, 0], plane[joint, 1]
        # Three loops of few arrays each: LLVM does not vectorise one of them all. Points behind the turned camera stay
        # finite, as in ``rotate_plane``.
        for frame in range(frames):
            depth = max(_ONE + a[frame] * x[frame] + b[frame] * y[frame], _NEAREST * n[frame])
            scale[frame] = seen[joint, frame] / (h[frame] * depth)
        for frame in range(frames):
            turned[joint, 0, frame] = n[frame] * (x[frame] - a[frame]) * scale[frame]
        for frame in range(frames):
            down = h[frame] * h[frame] * y[frame] - b[frame] * (_ONE + a[frame] * x[frame])
            turned[joint, 1, frame] = down * scale[frame]
        for axis in range(2):
            for frame in range(frames):
                in_image[frame] += turned[joint, axis, frame] * turned[joint, axis, frame]


@compiled
def _look_at(a: float, b: float, rotation: np.ndarray) -> None:
    """The rotation (3, 3) of ``look_at`` towards (a, b, 1)."""
    level = np.sqrt(_ONE + a * a)
    length = np.sqrt(_ONE + a * a + b * b)
    rotation[0, 0], rotation[0, 1], rotation[0, 2] = _ONE / level, _ZERO, -a / level
    rotation[1, 0], rotation[1, 1], rotation[1, 2] = -a * b / (length * level), level / length, -b / (length * level)
    rotation[2, 0], rotation[2, 1], rotation[2, 2] = a / length, b / length, _ONE / length


@compiled
def _find_size(in_image: np.ndarray, in_metres: np.ndarray, size: np.ndarray, sized: np.ndarray) -> None:
    """Size of the body in each frame as in ``place_body``, 1 where it is not known, and whether it is."""
    end = len(size) - 1
    image, metres = 0.0, 0.0
    for step in range(-SIZE_WINDOW, SIZE_WINDOW + 1):
        image += in_image[min(max(step, 0), end)]
        metres += in_metres[min(max(step, 0), end)]
    for frame in range(len(size)):
        sized[frame] = metres > _LEAST_MOMENT
        size[frame] = np.sqrt(max(image, 0.0) / metres) if sized[frame] else 1.0
        # The ends are repeated.
        entering, leaving = min(frame + SIZE_WINDOW + 1, end), max(frame - SIZE_WINDOW, 0)
        image += in_image[entering] - in_image[leaving]
        metres += in_metres[entering] - in_metres[leaving]


@compiled
def _hold(known: np.ndarray) -> np.ndarray:
    """For each frame the last known one up to it, or else the first known one, or else frame 0."""
    held = 0
    for frame in range(len(known) - 1, -1, -1):
        if known[frame]:
            held = frame
    source = np.empty(len(known), np.int64)
    for frame in range(len(known)):
        if known[frame]:
            held = frame
        source[frame] = held
    return source
