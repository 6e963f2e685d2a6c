"""``lift3d.lifting.normalization`` for batches of windows, frames last: the same input, in a fraction of the time."""

from __future__ import annotations

import torch
from torch import Tensor

from lift3d.lifting.normalization import BodyMoments, look_at, place_body, ray, reference
from lift3d.skeletons import LIFTER23


def encode_windows(
    plane: Tensor, confidence: Tensor, known: Tensor, inside: slice, outputs: slice
) -> tuple[Tensor, Tensor]:
    """``encode`` of keypoints in the view of ``find_body``.

    Each frame is turned towards the body once for both: where no joint is seen the view is that of another frame, but
    then there is nothing to turn. With the centre (a, b), h = sqrt(1 + a^2) and n = sqrt(1 + a^2 + b^2), ``look_at``
    and ``rotate_plane`` take (x, y) to (n (x - a), h^2 y - a b x - b) / d, d = h (1 + a x + b y).

    Args:
        plane: (batch, 23, 2, frames) keypoints on the plane z = 1, finite everywhere.
        confidence: (batch, 23, frames), 0 where missing.
        known: (batch,) bool, whether the focal length is known.
        inside: frames of the input; all are looked at for the size of the body.
        outputs: frames of the rotation.

    Returns:
        input (batch, frames inside, 24, 3); rotation (batch, outputs, 3, 3) from camera space to the view.
    """
    standing, weights = reference(LIFTER23)
    x, y = plane.unbind(2)
    seen = confidence.sign()
    # Sums over the seen joints: how many, the reference body's place and size; weighted: how many, its centre.
    left, up = standing.T
    kinds = torch.stack([torch.ones_like(left), left, up, left**2 + up**2, weights, weights * left, weights * up])
    count, sum_left, sum_up, sum_squares, weight, mean_left, mean_up = (kinds @ seen).unbind(1)
    share = 1 / weight.clamp_min(1e-9)
    mean_left, mean_up = mean_left * share, mean_up * share
    in_metres = sum_squares - 2 * (mean_left * sum_left + mean_up * sum_up) + count * (mean_left**2 + mean_up**2)

    weighted = seen * weights[:, None]
    a, b = (weighted * x).sum(1) * share, (weighted * y).sum(1) * share
    a1, b1 = a[:, None], b[:, None]
    h = (1 + a1 * a1).sqrt()
    n = (h * h + b1 * b1).sqrt()
    d = torch.addcmul(h, h * a1, x).addcmul_(h * b1, y)
    # Points behind the turned camera stay finite, as in ``rotate_plane``.
    scale = torch.div(seen, torch.maximum(d, 0.09 * n * h, out=d), out=d)
    turned_x = torch.addcmul(-n * a1, n, x).mul_(scale)
    turned_y = torch.addcmul(-b1, h * h, y).addcmul_(-a1 * b1, x).mul_(scale)
    in_image = (turned_x * turned_x).addcmul_(turned_y, turned_y).sum(1)

    moments = BodyMoments(torch.stack([a, b], dim=-1), count > 0, in_image, in_metres.clamp_min(0))
    centre, size = place_body(moments)
    size = size[:, inside]
    larger = 1 / size[:, None]
    batch, joints, frames = confidence[..., inside].shape
    inputs = plane.new_empty(batch, joints + 1, 3, frames)
    torch.mul(turned_x[..., inside], larger, out=inputs[:, :-1, 0])
    torch.mul(turned_y[..., inside], larger, out=inputs[:, :-1, 1])
    inputs[:, :-1, 2] = confidence[..., inside]
    inputs[:, :-1, :2].clamp_(-4, 4)
    # Centred on a distance of 4 m, as in ``encode``.
    known = known.to(plane.dtype)[:, None]
    inputs[:, -1, 0] = (size * 4).log() * known
    inputs[:, -1, 1] = known
    inputs[:, -1, 2] = 0
    return inputs.permute(0, 3, 1, 2).contiguous(), look_at(ray(centre[:, outputs]))
