"""A clip as something to look at: what every moment looks like, and from where it is worth seeing.

The stage knows no renderer. It reads the clip in blocks as it is looked at, so that a clip of hours opens at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lift3d.errors import Lift3DError, ShapeError
from lift3d.geometry.rigs import Rig
from lift3d.palette import TRUTH, shade, side_colours
from lift3d.skeletons import Skeleton
from lift3d.viz.bones import drawn_bones
from lift3d.viz.clip_blocks import BLOCK, ClipBlocks
from lift3d.viz.drawing import Cylinders, Drawing, Ellipsoids, Label, Lines, Picture, Spheres
from lift3d.viz.error_bars import error_bar_axes
from lift3d.viz.look import Look, error_colours, rgb, shown_joints
from lift3d.viz.scene import check_truth, floor_height, front_view, root_path
from lift3d.viz.standpoints import standpoints
from lift3d.viz.surroundings import FAR, Frustum, draw_axes, draw_frusta, floor_grid, frusta, into_drawings
from lift3d.viz.trails import Trails
from lift3d.viz.truth_match import Match, match_truth
from lift3d.viz.video_frames import FrustumPictures
from lift3d.viz.viewpoint import Viewpoint

if TYPE_CHECKING:
    from lift3d.io.videos import VideoFile
    from lift3d.viz.clip_blocks import Clip

# Parts of a body's size: a grown person of 1.7 m has bones 3.7 cm thick.
BONE, JOINT, TRUTH_THICKNESS = 0.011, 0.016, 0.75
# Where joints lie dense (faces, hands) spheres and bones are at most this part of the bone's length thick.
SLIM_BONE, SLIM_JOINT = 0.16, 0.24
# The last of the error colours, metres, is one of these.
ERROR_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Stage:
    """One clip, with all that is to be seen beside it.

    The rows of spheres and cylinders are the same things in every frame and under every look: what is missing or hidden
    is NaN. The rows of the others change with the look only.

    Args:
        clip: the poses; read in blocks through ``select``.
        truth: poses to compare with, as many frames and in the same space.
        rig: the cameras around poses in world space.
        videos: a video for each camera, by the camera's name; of poses in camera space a single one may have any name.
        look: what is drawn; may be set anew at any time.

    Attributes:
        frames, people: their numbers.
        fps: frames a second, None if unknown.
        names: what each person is called, for legends.
        cameras: the cameras in the drawings' space, each with the depth of its picture.

    Raises:
        ShapeError: truth or rig do not fit the clip.
        Lift3DError: no joint is seen in the whole clip, or a video belongs to no camera.
    """

    def __init__(
        self,
        clip: Clip,
        truth: Clip | None = None,
        rig: Rig | None = None,
        videos: Mapping[str, VideoFile] | None = None,
        look: Look | None = None,
    ) -> None:
        check_truth(clip, truth)
        if rig is not None and clip.space != "world":
            raise ShapeError("a rig can be shown around poses in world space only; these are in their camera's space")
        self.clip, self.truth = clip, truth
        self.frames, self.people, self.fps = clip.frames, clip.people, clip.fps
        self.names = tuple(f"person {number}" for number in clip.track_ids)
        self._blocks = ClipBlocks(clip)
        self._truth_blocks = None if truth is None else ClipBlocks(truth)
        runs, self._sample = self._blocks.sample()
        seen = self._sample.reshape(-1, 3)
        seen = seen[np.isfinite(seen[:, 0])]
        self.low, self.high = seen.min(axis=0), seen.max(axis=0)
        self.centre = (self.low + self.high) / 2
        self.floor = floor_height(self._sample, clip.skeleton, clip.space)
        self.front = front_view(self._sample, clip.skeleton, clip.space)
        self._body = _Body(clip.skeleton, self._sample, self.people)
        self._truth_body: _Body | None = None
        self._match: Match | None = None
        if truth is not None and self._truth_blocks is not None:
            self._truth_sample = self._truth_blocks.read(runs)
            self._truth_body = _Body(truth.skeleton, self._truth_sample, truth.people, truth=True)
            self._match = match_truth(self._sample, clip.skeleton, self._truth_sample, truth.skeleton)
        own = [] if clip.space == "world" or clip.camera is None else [clip.camera]
        placed = [into_drawings(camera, clip.space) for camera in (list(rig) if rig is not None else own)]
        self.cameras: tuple[Frustum, ...] = tuple(frusta(placed, self.centre))
        self._pictures = FrustumPictures(self.cameras, dict(videos or {}), clip.fps, clip.space)
        self._look = look or Look()

    @property
    def look(self) -> Look:
        """What is drawn."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        self._look = look
        for name in ("backdrop", "_shown", "_trails"):
            self.__dict__.pop(name, None)

    @cached_property
    def error_limit(self) -> float:
        """The distance from truth in metres that has the last of the error colours."""
        if self._match is None:
            return ERROR_LIMITS[0]
        away = self._match.distances(self._sample, self._truth_sample)
        away = away[np.isfinite(away)]
        most = float(np.percentile(away, 95)) if len(away) else 0.0
        return next((limit for limit in ERROR_LIMITS if limit >= most), ERROR_LIMITS[-1])

    @property
    def error_legend(self) -> tuple[tuple[float, np.ndarray], ...]:
        """(millimetres, colour (3,)) of the error colours, from none to the limit; nothing where none are drawn."""
        if not self._errors_drawn:
            return ()
        limit = self.look.error_limit or self.error_limit
        return tuple(
            (1000 * part * limit, error_colours(np.array(part * limit), limit)) for part in (0, 0.25, 0.5, 0.75, 1)
        )

    @cached_property
    def backdrop(self) -> Drawing:
        """What does not move: the floor's grid, the axes, the cameras and their names."""
        lines: list[Lines] = []
        labels: list[Label] = []
        low, high = self.low[:2].astype(float), self.high[:2].astype(float)
        places = [item.camera.centre[:2] for item in self.cameras]
        near = [place for place in places if np.linalg.norm(place - self.centre[:2]) < FAR]
        if near:
            low, high = np.minimum(low, np.min(near, axis=0)), np.maximum(high, np.max(near, axis=0))
        if self.floor is not None and self.look.floor:
            lines.append(floor_grid(low, high, self.floor))
        if self.look.axes:
            # At the origin, or where the motion is far from there at the near corner of the floor.
            ground = self.low[2] if self.floor is None else self.floor
            corner = np.array([*low, ground], float)
            at_origin = self.clip.space == "world" and (low - 1 < 0).all() and (high + 1 > 0).all()
            drawn, letters = draw_axes(np.zeros(3) if at_origin else corner)
            lines.append(drawn)
            labels.extend(letters)
        if self.look.cameras and self.cameras:
            drawn, letters = draw_frusta(list(self.cameras))
            lines.append(drawn)
            labels.extend(letters)
        return Drawing(lines=tuple(lines), labels=tuple(labels))

    def drawing(self, frame: int, through: str | None = None) -> Drawing:
        """What moves, at one frame: people, truth, trails, error bars and the videos' frames.

        Args:
            frame: the frame's number.
            through: the name of the camera that one looks through: its picture is moved behind the people.

        Raises:
            Lift3DError: the clip has no such frame.
        """
        return replace(self.bodies(frame), pictures=self.pictures(frame, through))

    def bodies(self, frame: int) -> Drawing:
        """``drawing`` without the videos' frames, which are slow to read."""
        if not 0 <= frame < self.frames:
            raise Lift3DError(f"the clip has no frame {frame}; it has {self.frames}, counted from 0")
        shown, truth_shown = self._shown
        points = np.where(shown[..., None], self._blocks.frame(frame), np.float32(np.nan))
        truth = None
        if self._truth_blocks is not None and self.look.truth:
            truth = np.where(truth_shown[..., None], self._truth_blocks.frame(frame), np.float32(np.nan))
        errors = None
        lines: list[Lines] = []
        if self._errors_drawn and self._match is not None and truth is not None:
            limit = self.look.error_limit or self.error_limit
            errors = error_colours(self._match.distances(points[None], truth[None])[0], limit)
            lines.append(self._match.connectors(points, truth, errors))
        spheres, cylinders = self._body.draw(points, errors)
        if self._truth_body is not None:
            unseen = np.full((self._truth_body.people, len(self._truth_body.skeleton), 3), np.nan, np.float32)
            others = self._truth_body.draw(unseen if truth is None else truth, None)
            spheres = Spheres(*(np.concatenate(p) for p in zip(_fields(spheres), _fields(others[0]), strict=True)))
            cylinders = Cylinders(
                *(np.concatenate(p) for p in zip(_fields(cylinders), _fields(others[1]), strict=True))
            )
        if self.look.trails > 0:
            lines.append(self._trails.draw(frame, self._blocks))
        return Drawing(spheres, cylinders, self._error_bars(frame, points), tuple(lines))

    @property
    def has_pictures(self) -> bool:
        """Whether there is a video of any of the cameras."""
        return bool(self._pictures.shown)

    def pictures(self, frame: int, through: str | None = None) -> tuple[Picture, ...]:
        """The videos' frames of ``drawing`` alone."""
        if not (self.look.pictures and self.look.cameras):
            return ()
        behind = 0.0
        if through is not None:
            camera = next((item.camera for item in self.cameras if item.camera.name == through), None)
            if camera is not None:
                corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
                places = self.low + corners * (self.high - self.low)
                behind = float((places @ camera.R[2] + camera.t[2]).max()) + 0.5
        return self._pictures.draw(frame, through, behind)

    @cached_property
    def viewpoints(self) -> dict[str, Viewpoint]:
        """Where to look from, for a wide image (16:9): "front", "side", "top", "overview" if there are cameras around
        the people, and each camera's own view by its name."""
        return self.viewpoints_for(16 / 9)

    def viewpoints_for(self, aspect: float) -> dict[str, Viewpoint]:
        """The viewpoints for an image whose width is ``aspect`` times its height."""
        seen = self._sample[:: max(1, len(self._sample) // 200)].reshape(-1, 3)
        motion = seen[np.isfinite(seen[:, 0])] if np.isfinite(seen).any() else np.stack([self.low, self.high])
        motion = np.concatenate([motion, [self.low, self.high]]).astype(float)
        if self.floor is not None:
            motion = np.concatenate([motion, [[*self.centre[:2], self.floor]]])
        around = [item.corners() for item in self.cameras] + [item.camera.centre[None] for item in self.cameras]
        views = standpoints(motion, np.concatenate(around) if around else np.zeros((0, 3)), self.front, aspect)
        for item in self.cameras:
            name = item.camera.name if item.camera.name not in views else f"{item.camera.name} camera"
            distance = float(np.linalg.norm(item.camera.centre - self.centre))
            views[name] = Viewpoint.of_camera(item.camera, max(distance, 0.1))
        return views

    def middle(self, frame: int, person: int | None = None) -> np.ndarray:
        """(3,) the middle of a person, or of all people who are seen, at a frame; of the clip where none is."""
        people = slice(None) if person is None else slice(person, person + 1)
        place = root_path(self._blocks.frame(frame)[people], self.clip.skeleton)
        seen = place[np.isfinite(place[:, 0])]
        return np.asarray(seen.mean(axis=0) if len(seen) else self.centre, dtype=float)

    @property
    def _errors_drawn(self) -> bool:
        return self.look.errors and self.look.truth and self.truth is not None

    @cached_property
    def _shown(self) -> tuple[np.ndarray, np.ndarray]:
        """Which joints are drawn: (people, joints) of the clip, and of truth."""
        people = np.array([person not in self.look.hidden_people for person in range(self.people)], bool)
        shown = people[:, None] & shown_joints(self.clip.skeleton, self.look.hidden_parts)
        if self.truth is None or self._match is None:
            return shown, np.zeros((0, 0), bool)
        truth_people = np.ones(self.truth.people, bool)
        truth_people[self._match.truth_people] = people[self._match.people]
        return shown, truth_people[:, None] & shown_joints(self.truth.skeleton, self.look.hidden_parts)

    @cached_property
    def _trails(self) -> Trails:
        return Trails(self.clip.skeleton, self._body.middle_colours, self._body.joint_colours, self.look, self.fps)

    def _error_bars(self, frame: int, points: np.ndarray) -> Ellipsoids:
        if self.look.ellipsoids <= 0:
            return Ellipsoids()
        poses = self._blocks.block(frame // BLOCK).poses
        axes = error_bar_axes(poses, frame % BLOCK)
        if axes is None:
            return Ellipsoids()
        joints = self._body.joint_colours
        return Ellipsoids(points.reshape(-1, 3), self.look.ellipsoids * axes.reshape(-1, 3, 3), joints)


def _fields(rows: Spheres | Cylinders) -> list[np.ndarray]:
    return [getattr(rows, name) for name in rows.__dataclass_fields__]


class _Body:
    """Joints and bones of all people of one skeleton: what of them is the same in all frames."""

    def __init__(self, skeleton: Skeleton, sample: np.ndarray, people: int, truth: bool = False) -> None:
        self.skeleton, self.people = skeleton, people
        bones = drawn_bones(skeleton)
        self.starts = np.array([a for a, _, _ in bones], int)
        self.ends = np.array([b for _, b, _ in bones], int)
        tones = [
            dict.fromkeys(("left", "right", "middle"), TRUTH) if truth else side_colours(p, people)
            for p in range(people)
        ]
        sides = [skeleton.side(joint) for joint in range(len(skeleton))]
        self.joint_colours = rgb([shade(tone[side], 0 if truth else -0.2) for tone in tones for side in sides])
        self.bone_colours = rgb([tone[side] for tone in tones for _, _, side in bones])
        self.middle_colours = rgb([tone["middle"] for tone in tones])
        thickness = TRUTH_THICKNESS if truth else 1.0
        bone, joint = _radii(sample, self.starts, self.ends)
        self.bone_radii = (thickness * bone).reshape(-1).astype(np.float32)
        self.joint_radii = (thickness * joint).reshape(-1).astype(np.float32)

    def draw(self, points: np.ndarray, errors: np.ndarray | None) -> tuple[Spheres, Cylinders]:
        """Spheres and cylinders of points (people, joints, 3); ``errors`` (people, joints, 3) are colours, or NaN."""
        joints, bones = self.joint_colours, self.bone_colours
        if errors is not None:
            flat = errors.reshape(-1, 3)
            joints = np.where(np.isfinite(flat), flat, joints)
            middle = ((errors[:, self.starts] + errors[:, self.ends]) / 2).reshape(-1, 3)
            bones = np.where(np.isfinite(middle), middle, bones)
        starts, ends = points[:, self.starts].reshape(-1, 3), points[:, self.ends].reshape(-1, 3)
        gone = np.isnan(starts[:, 0] + ends[:, 0])
        if gone.any():
            starts, ends = (np.where(gone[:, None], np.float32(np.nan), ends_) for ends_ in (starts, ends))
        return Spheres(points.reshape(-1, 3), self.joint_radii, joints), Cylinders(starts, ends, self.bone_radii, bones)


def _radii(sample: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radii in metres of bones (people, bones) and joints (people, joints), by the bodies' size and bones' lengths."""
    few = sample[:: max(1, len(sample) // 200)]
    with np.errstate(all="ignore"):
        extents = np.fmax.reduce(few, axis=2) - np.fmin.reduce(few, axis=2)
        size = np.linalg.norm(extents, axis=-1)
        lengths = np.linalg.norm(few[:, :, starts] - few[:, :, ends], axis=-1)
    size = _known_median(size, 1.7)[:, None]
    lengths = _known_median(lengths, np.inf)
    shortest = np.full((sample.shape[1], sample.shape[2]), np.inf)
    # A joint of a dense part is as slim as the longest of its bones allows.
    longest = np.zeros_like(shortest)
    for ends_ in (starts, ends):
        np.maximum.at(longest.T, ends_, np.where(np.isfinite(lengths), lengths, 0).T)
    longest = np.where(longest > 0, longest, shortest)
    least = 0.002 * size
    bones = np.maximum(np.minimum(BONE * size, SLIM_BONE * lengths), least)
    joints = np.maximum(np.minimum(JOINT * size, SLIM_JOINT * longest), least)
    return bones, joints


def _known_median(values: np.ndarray, default: float) -> np.ndarray:
    """Medians over the first axis of what is finite and not 0; ``default`` where nothing is."""
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    known = np.isfinite(values).any(axis=0)
    medians = np.full(values.shape[1:], default)
    if known.any():
        medians[known] = np.nanmedian(values[:, known], axis=0)
    return medians
