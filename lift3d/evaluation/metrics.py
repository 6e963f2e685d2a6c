"""The errors that 3D pose papers report: metres in, millimetres (or per cent) out.

All of them take ``(prediction, truth, mask=None)`` with poses of shape ``(..., joints, 3)``, as numpy arrays or as
torch tensors, and return a number of the same kind: a numpy scalar, or a tensor of no dimensions through which
gradients flow (but for PCK and AUC, which count). A joint with a NaN in either pose counts as masked out; how many
there are is for the caller to report. With nothing left to compare the result is NaN.

``root`` is the joint that is subtracted from both poses: an index, several indices whose middle is the root (the two
hips), or None to compare the positions as they are. The root itself stays among the joints that are averaged, as in
the published Human3.6M numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift3d.errors import ShapeError
from lift3d.geometry.alignment import Array, align, array_namespace, as_points

Root = int | Sequence[int] | None

MILLIMETRES = 1000.0
PCK_THRESHOLD = 150.0
AUC_THRESHOLDS = tuple(float(step) for step in range(0, 151, 5))


def joint_errors(
    prediction: Array, truth: Array, mask: Array | None = None, *, root: Root = 0, keep_predicted_root: bool = False
) -> Array:
    """Euclidean error of every joint: ``|(p_j - p_root) - (g_j - g_root)|`` in mm.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts; None counts all.
        root: the joint subtracted from both, several for their middle, None for none.
        keep_predicted_root: subtract the root from the truth only, for predictions that are relative to a root of
            their own and pay for its error (the evaluation of VideoPose3D, Pavllo et al., CVPR 2019).

    Returns:
        (..., joints) mm, NaN where the joint does not count.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).
    """
    return _distances(*_prepare(prediction, truth, mask, root, keep_predicted_root))


def aligned_joint_errors(prediction: Array, truth: Array, mask: Array | None = None) -> Array:
    """Euclidean error of every joint after the best similarity alignment of each pose, in mm.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts, for the alignment too.

    Returns:
        (..., joints) mm, NaN where the joint does not count.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).
    """
    p, g, counts = _prepare(prediction, truth, mask, root=None)
    return _distances(align(p, g, counts).apply(p), g, counts)


def scaled_joint_errors(prediction: Array, truth: Array, mask: Array | None = None, *, root: Root = 0) -> Array:
    """Euclidean error of every joint after the best scale of each root-relative pose, in mm.

    The scale is ``s = <p, g> / <p, p>`` over the joints that count.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts, for the scale too.
        root: the joint subtracted from both, several for their middle, None for none.

    Returns:
        (..., joints) mm, NaN where the joint does not count.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).
    """
    p, g, counts = _prepare(prediction, truth, mask, root)
    xp = array_namespace(p)
    square = (p * p).sum(axis=-1).sum(axis=-1)
    scale = (p * g).sum(axis=-1).sum(axis=-1) / xp.where(square > 0, square, 1.0)
    return _distances(scale[..., None, None] * p, g, counts)


def mpjpe(
    prediction: Array, truth: Array, mask: Array | None = None, *, root: Root = 0, keep_predicted_root: bool = False
) -> Array:
    """Mean per joint position error, mm: the mean over poses and joints of ``|(p_j - p_root) - (g_j - g_root)|``.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts; None counts all.
        root: the joint subtracted from both, several for their middle, None for none.
        keep_predicted_root: subtract the root from the truth only, as VideoPose3D does (see ``joint_errors``).

    Returns:
        The mean in mm.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).

    Source: C. Ionescu et al., "Human3.6M", IEEE TPAMI 36(7), 2014 ("protocol 1" of later papers).
    """
    return nan_mean(joint_errors(prediction, truth, mask, root=root, keep_predicted_root=keep_predicted_root))


def p_mpjpe(prediction: Array, truth: Array, mask: Array | None = None) -> Array:
    """MPJPE after a similarity alignment of every pose, mm: the mean of ``|s R p_j + t - g_j|``, det R = +1.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts, for the alignment too.

    Returns:
        The mean in mm.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).

    Source: J. Martinez et al., "A simple yet effective baseline for 3d human pose estimation", ICCV 2017
    ("protocol 2"); the alignment is Umeyama's, reflections excluded.
    """
    return nan_mean(aligned_joint_errors(prediction, truth, mask))


def n_mpjpe(prediction: Array, truth: Array, mask: Array | None = None, *, root: Root = 0) -> Array:
    """MPJPE after the best scale of every root-relative pose, mm: the mean of ``|s p_j - g_j|``, s = <p,g> / <p,p>.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts, for the scale too.
        root: the joint subtracted from both, several for their middle, None for none.

    Returns:
        The mean in mm.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).

    Source: H. Rhodin et al., "Unsupervised geometry-aware representation for 3D human pose estimation", ECCV 2018.
    """
    return nan_mean(scaled_joint_errors(prediction, truth, mask, root=root))


def mpjve(prediction: Array, truth: Array, mask: Array | None = None, *, root: Root = 0) -> Array:
    """Mean per joint velocity error, mm per frame: the mean of ``|(p_j[i+1] - p_j[i]) - (g_j[i+1] - g_j[i])|``.

    It depends on the frame rate, which must be stated beside it.

    Args:
        prediction, truth: (frames, ..., joints, 3) metres, time on the first axis.
        mask: (frames, ..., joints) True where the joint counts; a step counts if both its frames do.
        root: the joint subtracted from both, several for their middle, None for none.

    Returns:
        The mean in mm per frame; NaN for fewer than two frames.

    Raises:
        ShapeError: the shapes differ, or are not (frames, ..., joints, 3).

    Source: D. Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised
    training", CVPR 2019.
    """
    p, g, counts = _prepare(prediction, truth, mask, root)
    if p.ndim < 3:
        raise ShapeError(f"a velocity needs (frames, ..., joints, 3), not {tuple(p.shape)}")
    return nan_mean(_distances(p[1:] - p[:-1], g[1:] - g[:-1], counts[1:] & counts[:-1]))


def pck_3d(
    prediction: Array,
    truth: Array,
    mask: Array | None = None,
    *,
    root: Root = 0,
    threshold: float = PCK_THRESHOLD,
) -> Array:
    """Percentage of correct keypoints in 3D: the share of joints whose root-relative error is below the threshold.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts; None counts all.
        root: the joint subtracted from both, several for their middle, None for none.
        threshold: millimetres.

    Returns:
        Per cent, 0..100.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).

    Source: D. Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN supervision",
    3DV 2017, and its evaluation script (the error must be strictly below the threshold).
    """
    return _share_below(joint_errors(prediction, truth, mask, root=root), (threshold,))


def auc_3d(prediction: Array, truth: Array, mask: Array | None = None, *, root: Root = 0) -> Array:
    """Area under the PCK curve: the mean of PCK3D over the 31 thresholds 0, 5, ..., 150 mm.

    No error is strictly below the first threshold, so that a perfect prediction reaches 100 * 30 / 31 = 96.8, as in
    the evaluation script of MPI-INF-3DHP.

    Args:
        prediction, truth: (..., joints, 3) metres.
        mask: (..., joints) True where the joint counts; None counts all.
        root: the joint subtracted from both, several for their middle, None for none.

    Returns:
        Per cent, 0..100.

    Raises:
        ShapeError: the shapes differ, or are not (..., joints, 3).

    Source: D. Mehta et al., 3DV 2017, and its evaluation script.
    """
    return _share_below(joint_errors(prediction, truth, mask, root=root), AUC_THRESHOLDS)


def nan_mean(errors: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Mean of the entries that are not NaN, over all axes or some; NaN without a warning where there is none."""
    xp = array_namespace(errors)
    known = xp.isfinite(errors)
    axes = tuple(range(errors.ndim)) if axis is None else axis
    total = xp.where(known, errors, 0.0).sum(axis=axes)
    count = known.sum(axis=axes)
    return xp.where(count > 0, total / xp.where(count > 0, count, 1), float("nan"))[()]


def _prepare(
    prediction: Array, truth: Array, mask: Array | None, root: Root, keep_predicted_root: bool = False
) -> tuple[Array, Array, Array]:
    """Both poses relative to the root, and which joints count; those that do not are 0, so that no NaN reaches a sum
    or a gradient."""
    xp = array_namespace(prediction, truth)
    p = as_points(xp, prediction)
    g = as_points(xp, truth, like=p)
    if p.ndim < 2 or p.shape[-1] != 3 or tuple(p.shape) != tuple(g.shape):
        raise ShapeError(
            f"prediction and truth must both be (..., joints, 3), not {tuple(p.shape)} and {tuple(g.shape)}"
        )
    if not keep_predicted_root:
        p = _centre(p, root)
    g = _centre(g, root)
    counts = xp.isfinite(p).all(axis=-1) & xp.isfinite(g).all(axis=-1)
    if mask is not None:
        given = np.asarray(mask, dtype=bool) if xp is np else xp.as_tensor(mask, device=p.device).bool()
        if tuple(given.shape) != tuple(counts.shape):
            raise ShapeError(f"mask must be (..., joints) = {tuple(counts.shape)}, not {tuple(given.shape)}")
        counts = counts & given
    return xp.where(counts[..., None], p, 0.0), xp.where(counts[..., None], g, 0.0), counts


def _centre(points: Array, root: Root) -> Array:
    if root is None:
        return points
    indices = [int(i) for i in (root if isinstance(root, Sequence) else (root,))]
    joints = points.shape[-2]
    if not indices or not all(-joints <= i < joints for i in indices):
        raise ShapeError(f"root {root} is not among the {joints} joints")
    return points - points[..., indices, :].mean(axis=-2)[..., None, :]


def _distances(p: Array, g: Array, counts: Array) -> Array:
    """Norm of p - g in mm, NaN where it does not count."""
    xp = array_namespace(p)
    norm = xp.linalg.vector_norm(xp.where(counts[..., None], p - g, 0.0), axis=-1)
    return xp.where(counts, norm * MILLIMETRES, float("nan"))


def _share_below(errors: Array, thresholds: Sequence[float]) -> Array:
    xp = array_namespace(errors)
    known = xp.isfinite(errors)
    shares = [nan_mean(xp.where(known, 100.0 * (errors < threshold), errors)) for threshold in thresholds]
    return sum(shares) / len(shares)
