"""Person-centred input of the lifter, the same in training and in use.

The camera is turned towards the person in every frame (a rotation, so a homography of the image: exact, and the
lifted pose is turned back by the same rotation), and the image is scaled to the size of the body around that frame.
What is left for the network to see does not depend on focal length, resolution or where in the image the person is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from lift3d.skeletons import LIFTER23, Skeleton

# Frames on either side, at the network's rate, over which the apparent size of the body is averaged.
SIZE_WINDOW = 15
# Stature of the reference body, metres: the network's poses are of a person of this height.
REFERENCE_HEIGHT = 1.70

# The reference body standing upright, metres: (to its left, up from the middle of the hips).
_STANDING: dict[str, tuple[float, float]] = {
    "nose": (0.0, 0.66), "left_eye": (0.03, 0.69), "left_ear": (0.07, 0.68), "neck": (0.0, 0.52),
    "head_top": (0.0, 0.80), "left_shoulder": (0.165, 0.49), "left_elbow": (0.22, 0.22), "left_wrist": (0.25, -0.02),
    "left_hip": (0.10, 0.0), "left_knee": (0.10, -0.41), "left_ankle": (0.10, -0.82), "left_heel": (0.10, -0.88),
    "left_big_toe": (0.14, -0.89),
}  # fmt: skip
# The joints that say where the body is: the trunk if it is seen, anything else only if not.
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_OTHERS_WEIGHT = 1e-3


@dataclass(frozen=True)
class BodyView:
    """Where the body is in a camera's view, frame by frame.

    Attributes:
        rotation: (..., frames, 3, 3) from camera space to the view that looks at the body.
        scale: (..., frames) apparent size: plane units a metre of the reference body, about 1 / depth.
    """

    rotation: Tensor
    scale: Tensor


@lru_cache
def reference(skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Standing positions (joints, 2) and centring weights (joints,) of a layout whose joints are all known."""
    points, weights = [], []
    for joint in skeleton.joints:
        left, up = _STANDING[joint.replace("right_", "left_")]
        points.append((-left if joint.startswith("right_") else left, up))
        weights.append(1.0 if joint in _TRUNK else _OTHERS_WEIGHT)
    return torch.tensor(points), torch.tensor(weights)


def look_at(direction: Tensor) -> Tensor:
    """Rotations (..., 3, 3) that turn the camera to look along ``direction`` (..., 3) and keep its x axis level."""
    # Number by number: torch's norms and products of vectors of three are many times as slow.
    x, y, z = direction.unbind(-1)
    level, length = (x * x + z * z).sqrt(), (x * x + y * y + z * z).sqrt()
    x, y, z, cos, sin = x / length, y / length, z / length, z / level, x / level
    rows = [cos, torch.zeros_like(x), -sin, -y * sin, z * cos + x * sin, -y * cos, x, y, z]
    rotation: Tensor = torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
    return rotation


def rotate_plane(rotation: Tensor, plane: Tensor) -> Tensor:
    """Points (..., joints, 2) on the plane z = 1 as the camera turned by ``rotation`` (..., 3, 3) sees them."""
    turned = plane @ rotation[..., :2].mT + rotation[..., None, :, 2]
    # Points that the turned camera has behind it (beyond 85 degrees off the axis) stay finite.
    return turned[..., :2] / turned[..., 2:].clamp_min(0.09)


@dataclass(frozen=True)
class BodyMoments:
    """What each frame by itself says about where the body is; see ``measure_body``.

    Attributes:
        centre: (..., frames, 2) of the seen joints, on the plane z = 1.
        seen: (..., frames) bool, whether any joint was.
        in_image, in_metres: (..., frames) second moments of the seen joints about their centre, in the image, and of
            the same joints of the reference body.
    """

    centre: Tensor
    seen: Tensor
    in_image: Tensor
    in_metres: Tensor


def measure_body(plane: Tensor, confidence: Tensor, skeleton: Skeleton = LIFTER23) -> BodyMoments:
    """Centre and spread of the seen joints, frame by frame.

    Args:
        plane: (..., frames, joints, 2) keypoints on the plane z = 1 of the camera; anything where missing.
        confidence: (..., frames, joints), 0 where missing.
        skeleton: the layout of the joints.
    """
    standing, weights = reference(skeleton)
    seen = (confidence > 0).to(plane.dtype)
    plane = torch.where(seen[..., None] > 0, plane, 0)
    centring = seen * weights
    centre = _weighted_mean(plane, centring)
    turned = rotate_plane(look_at(ray(centre)), plane)
    standing = standing.expand(*seen.shape, 2)
    standing = standing - _weighted_mean(standing, centring)[..., None, :]
    return BodyMoments(
        centre,
        seen.any(-1),
        in_image=(seen * turned.square().sum(-1)).sum(-1),
        in_metres=(seen * standing.square().sum(-1)).sum(-1),
    )


def place_body(moments: BodyMoments) -> tuple[Tensor, Tensor]:
    """Centre (..., frames, 2) on the plane z = 1 and apparent size (..., frames) of the body over a whole clip.

    The apparent size is the ratio of the two moments, each summed over a window first, so that no frame decides alone.
    Frames in which nothing is seen are as the last earlier frame, or else as the first later one.
    """
    in_image, in_metres = _window_sum(moments.in_image), _window_sum(moments.in_metres)
    known = in_metres > 1e-3
    scale = torch.where(known, (in_image / in_metres.clamp_min(1e-3)).sqrt(), 1.0)
    return _hold(moments.centre, moments.seen), _hold(scale[..., None], known)[..., 0].clamp_min(1e-4)


def body_view(moments: BodyMoments) -> BodyView:
    """The view of the body over a whole clip: towards the centre of ``place_body``, of its size."""
    centre, scale = place_body(moments)
    return BodyView(look_at(ray(centre)), scale)


def find_body(plane: Tensor, confidence: Tensor, skeleton: Skeleton = LIFTER23) -> BodyView:
    """Where the body is over a whole clip: ``body_view`` of ``measure_body``."""
    return body_view(measure_body(plane, confidence, skeleton))


def encode(plane: Tensor, confidence: Tensor, view: BodyView, known_camera: Tensor) -> Tensor:
    """Input of the network.

    Args:
        plane, confidence: as for ``find_body``.
        view: the result of ``find_body``.
        known_camera: (...,) bool, whether the focal length is known: then the apparent size says how strong the
            perspective is, otherwise it is withheld.

    Returns:
        (..., frames, joints + 1, 3): for each joint x and y in metres of the reference body and the confidence, all 0
        where missing; last the logarithm of the apparent size, whether the camera is known, and 0.
    """
    seen = confidence[..., None] > 0
    plane = torch.where(seen, plane, 0)
    body = rotate_plane(view.rotation, plane) / view.scale[..., None, None]
    joints = torch.cat([body, confidence[..., None]], dim=-1)
    joints = torch.where(seen, joints, 0).clamp(-4, 4)
    known = known_camera.to(plane.dtype)[..., None].expand_as(view.scale)
    # Centred on a distance of 4 m.
    apparent = (view.scale * 4).log() * known
    context = torch.stack([apparent, known, torch.zeros_like(known)], dim=-1)
    return torch.cat([joints, context[..., None, :]], dim=-2)


def ray(centre: Tensor) -> Tensor:
    """Direction (..., 3) towards a point (..., 2) of the plane z = 1."""
    return torch.cat([centre, torch.ones_like(centre[..., :1])], dim=-1)


def _weighted_mean(points: Tensor, weights: Tensor) -> Tensor:
    """(..., joints, 2) and (..., joints) -> (..., 2)."""
    return (points * weights[..., None]).sum(-2) / weights.sum(-1, keepdim=True).clamp_min(1e-9)


def _window_sum(values: Tensor) -> Tensor:
    """Sum over ``SIZE_WINDOW`` frames on either side along the last axis; the ends are repeated."""
    width = 2 * SIZE_WINDOW + 1
    flat = values.reshape(-1, 1, values.shape[-1])
    padded = torch.nn.functional.pad(flat, (SIZE_WINDOW, SIZE_WINDOW), mode="replicate")
    return (torch.nn.functional.avg_pool1d(padded, width, stride=1) * width).reshape(values.shape)


def _hold(values: Tensor, known: Tensor) -> Tensor:
    """Values (..., frames, d) with each unknown frame taking the last known one, or else the first known one."""
    frames = torch.arange(known.shape[-1]).expand(known.shape)
    last = torch.where(known, frames, -1).cummax(-1).values
    first = known.to(torch.int8).argmax(-1, keepdim=True)
    source = torch.where(last >= 0, last, first)
    return values.gather(-2, source[..., None].expand_as(values))
