"""Windows of a prepared data set, shuffled and cut in batches, for training.

A view of n frames (after ``keep_every``) has ``ceil(n / outputs)`` windows, whose output frames lie side by side and
cover the clip; what is too much is shared by both ends. Frames before the first and after the last repeat these, in
the keypoints and in the poses, so a recording shorter than the window is one window like any other. Views in which
nothing was seen, and recordings without views, have no windows.

An epoch holds every window once. A set that fits the pool is read once and an epoch is one shuffle of its windows. A
larger set is cut in blocks of consecutive windows of one view; an epoch shuffles the blocks, reads as many at a time
as fit the pool, and shuffles their windows. The last batch of an epoch holds what is left, as VideoPose3D's does.

Nothing is read ahead in a thread: h5py holds Python's lock while it reads, and it reads faster by far than any
network trains (``experiments/benchmarks/reading.py``).

Source: Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training"
(CVPR 2019), ``ChunkedGenerator`` of its code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lift3d.datasets.pose_sets import PoseSet
from lift3d.errors import CameraError, FileFormatError, ShapeError
from lift3d.geometry.camera_batch import CameraBatch
from lift3d.geometry.cameras import Camera

# Room for the training subjects of Human3.6M.
POOL_BYTES = 768 << 20
# A block's frames: reading one costs three seeks, and the context at its ends is read twice.
BLOCK_FRAMES = 1024
BLOCK_CONTEXTS = 4
# Windows of a batch come from at least so many blocks of the pool, if the pool is small.
LEAST_BLOCKS = 16


@dataclass(frozen=True)
class RawWindows:
    """Windows of keypoints and poses, T = past + outputs + future frames each.

    Attributes:
        xy: (batch, T, joints of the 2D layout, 2) float32 pixels, 0 where missing.
        confidence: (batch, T, joints of the 2D layout) float32 in 0..1, 0 where missing.
        xyz: (batch, T, joints of the 3D layout, 3) float32, metres, in the space of the window's camera, NaN where
            missing.
        camera: the camera of each window.
        index: (batch,) int64, number of the window in the set, the same in every epoch.
        up: (batch, 3) the vertical in the space of the window's camera; against y where the set's space is a camera's.
        first: where in the whole batch the first of these windows stands; the others follow it.
    """

    xy: Tensor
    confidence: Tensor
    xyz: Tensor
    camera: CameraBatch
    index: Tensor
    up: Tensor
    first: int = 0


@dataclass(frozen=True)
class _Segments:
    """Stretches of views, as arrays with an entry each.

    Attributes:
        view: number of the view.
        window: its first window, counted in the view.
        windows: how many.
        first, stop: the frames of the view (after ``keep_every``) that they touch.
    """

    view: np.ndarray
    window: np.ndarray
    windows: np.ndarray
    first: np.ndarray
    stop: np.ndarray


@dataclass(frozen=True)
class _Pool:
    """Frames in memory, and the segments that they belong to.

    Attributes:
        seen: (rows, joints, 3) x, y and confidence, 0 where missing.
        xyz: (rows, joints, 3) in the space of each view's camera, turned once when it is read.
        segments: what lies in it, in the order of the pool's windows.
        row: (segments,) where the first frame of each lies.
        ends: (segments,) windows up to and with each segment.
    """

    seen: np.ndarray
    xyz: np.ndarray
    segments: _Segments
    row: np.ndarray
    ends: np.ndarray


class WindowReader:
    """Batches of windows of a pose set; the same for the same seed and step, whatever was read before.

    Args:
        pose_set: the set, or a selection of it; stays open as long as this reads.
        past, future: frames of context before and after a window's output frames.
        outputs: output frames a window.
        keep_every: use every n-th frame of each recording, as if it had been filmed so.
        seed: of the shuffling.
        pool_bytes: memory for frames.

    Attributes:
        windows: how many there are; each epoch holds every one once.
        frames: T, the frames of a window.

    Raises:
        FileFormatError: the set has no view with keypoints.
        CameraError: a camera's lens does not fit ``CameraBatch``.
        ShapeError: a number is out of range.
    """

    def __init__(
        self,
        pose_set: PoseSet,
        past: int,
        future: int,
        outputs: int,
        keep_every: int = 1,
        seed: int = 0,
        pool_bytes: int = POOL_BYTES,
    ) -> None:
        if min(past, future, seed) < 0 or min(outputs, keep_every) < 1:
            raise ShapeError("past, future and seed must be 0 or more, outputs and keep_every 1 or more")
        self._set, self._past, self._outputs, self._keep_every, self._seed = pose_set, past, outputs, keep_every, seed
        self.frames = past + outputs + future
        self._views = [view for view in pose_set.views if view.seen]
        if not self._views:
            raise FileFormatError(
                pose_set.path, "no recording has keypoints of a camera, and windows are of such", "views/xy"
            )
        recordings = np.array([view.recording for view in self._views])
        length = np.array([entry.frames for entry in pose_set.recordings])
        self._length = -(-length[recordings] // keep_every)  # frames of each view
        self._windows = -(-self._length // outputs)  # windows of each view
        # Output frames beyond the clip are shared by its ends.
        self._offset = (self._windows * outputs - self._length) // 2
        self._first_window = self._windows.cumsum() - self._windows
        self.windows = int(self._windows.sum())
        self._cameras = _stack([view.camera for view in self._views])
        # Transposed, for rows of points.
        self._rotation = np.stack([view.camera.R.T for view in self._views]).astype(np.float32)
        self._translation = np.stack([view.camera.t for view in self._views]).astype(np.float32)
        level = torch.tensor([0.0, -1.0, 0.0]).expand(len(self._views), 3)
        self._up = torch.from_numpy(self._rotation[:, 2]) if pose_set.info.space == "world" else level
        self._plan(pool_bytes)

    def steps_per_epoch(self, batch: int) -> int:
        """Optimizer steps that one pass over all windows takes; the last one may have fewer windows."""
        return -(-self.windows // batch)

    def read(self, step: int, batch: int, part: int = 0, parts: int = 1) -> RawWindows:
        """One part of a batch; all parts one after the other are the batch, whatever their number.

        Args:
            step: optimizer step, counted over all epochs.
            batch: windows of a whole batch.
            part, parts: which part of how many. Where an epoch's last batch has fewer windows than there are parts,
                some windows are given to several parts, so that none is empty.

        Raises:
            FileFormatError: the file is damaged there.
        """
        if step < 0 or batch < 1 or not 0 <= part < parts:
            raise ShapeError(f"there is no part {part} of {parts} of step {step} with batches of {batch}")
        epoch, place = divmod(step, self.steps_per_epoch(batch))
        first = place * batch
        size = min(batch, self.windows - first)
        low = size * part // parts
        high = max(size * (part + 1) // parts, low + 1)
        found = []
        for number, start, stop in self._pools(epoch, first + low, first + high):
            self._enter(epoch, number)
            assert self._pool is not None
            found.append(self._gather(self._pool, self._order[start:stop]))
        return replace(found[0] if len(found) == 1 else _join(found), first=low)

    def read_windows(self, index: Tensor) -> RawWindows:
        """Windows by their numbers; of a set larger than the pool each is read from the file.

        Args:
            index: (n,) int64, numbers as in ``RawWindows.index``.

        Raises:
            FileFormatError: the file is damaged there.
        """
        numbers = index.numpy()
        if not numbers.size or numbers.min() < 0 or numbers.max() >= self.windows:
            raise ShapeError(f"windows are numbered from 0 to {self.windows - 1}")
        if self._whole:
            if self._pool is None:
                self._pools(0, 0, 1)
                self._enter(0, 0)
            assert self._pool is not None
            return self._gather(self._pool, numbers)
        view = np.searchsorted(self._first_window, numbers, "right") - 1
        cut = self._cut(view, numbers - self._first_window[view], np.ones_like(view))
        return self._gather(self._fill(cut), np.arange(len(numbers)))

    def _plan(self, pool_bytes: int) -> None:
        """Decide whether everything is read at once, or else cut the views in blocks."""
        joints_2d, joints_3d = len(self._set.skeleton_2d), len(self._set.skeleton_3d)
        row = 4 * 3 * (joints_2d + joints_3d)
        self._whole = row * int(self._length.sum()) <= pool_bytes
        views = np.arange(len(self._views))
        if self._whole:
            zero = np.zeros_like(views)
            self._segments = _Segments(views, zero, self._windows, zero, self._length)
            self._per_pool = len(views)
        else:
            context = self.frames - self._outputs
            most = pool_bytes // row  # frames that the pool holds
            wanted = min(max(BLOCK_FRAMES, BLOCK_CONTEXTS * context), most // LEAST_BLOCKS)
            each = max(1, (wanted - context) // self._outputs)
            blocks = -(-self._windows // each)
            view = views.repeat(blocks)
            window = (np.arange(len(view)) - (blocks.cumsum() - blocks).repeat(blocks)) * each
            windows = np.minimum(each, self._windows[view] - window)
            self._segments = self._cut(view, window, windows)
            self._per_pool = max(1, most // (each * self._outputs + context))
        self._epoch, self._number = -1, -1
        self._blocks = self._ends = self._order = np.zeros(0, dtype=np.int64)
        self._pool: _Pool | None = None

    def _cut(self, view: np.ndarray, window: np.ndarray, windows: np.ndarray) -> _Segments:
        """Stretches of views with the frames that their windows touch."""
        first = window * self._outputs - self._offset[view] - self._past
        stop = first + windows * self._outputs + self.frames - self._outputs
        last = self._length[view] - 1
        first = first.clip(0, last)
        return _Segments(view, window, windows, first, stop.clip(first + 1, last + 1))

    def _shuffle_blocks(self, epoch: int) -> None:
        """The order of the blocks in an epoch, and how many windows there are up to the end of each pool."""
        blocks = np.arange(len(self._segments.view))
        if not self._whole:
            blocks = np.random.default_rng([self._seed, epoch]).permutation(blocks)
        ends = self._segments.windows[blocks].cumsum()
        self._epoch, self._number, self._blocks = epoch, -1, blocks
        self._ends = np.append(ends[self._per_pool - 1 :: self._per_pool], ends[-1:])
        if len(blocks) % self._per_pool == 0:
            self._ends = self._ends[:-1]

    def _pools(self, epoch: int, first: int, stop: int) -> list[tuple[int, int, int]]:
        """The pools that windows ``first`` to ``stop - 1`` of an epoch lie in: number, and first and stop in it."""
        if epoch != self._epoch:
            self._shuffle_blocks(epoch)
        numbers = range(
            int(np.searchsorted(self._ends, first, "right")), int(np.searchsorted(self._ends, stop - 1, "right")) + 1
        )
        starts = [int(self._ends[number - 1]) if number else 0 for number in numbers]
        return [
            (number, max(first - start, 0), min(stop, int(self._ends[number])) - start)
            for number, start in zip(numbers, starts, strict=True)
        ]

    def _enter(self, epoch: int, number: int) -> None:
        """Make a pool of this epoch the one that is read from, its windows shuffled."""
        if number == self._number:
            return
        if self._pool is None or not self._whole:
            self._pool = None  # its memory is needed for the next one
            blocks = self._blocks[number * self._per_pool : (number + 1) * self._per_pool]
            columns = (getattr(self._segments, name)[blocks] for name in _Segments.__dataclass_fields__)
            self._pool = self._fill(_Segments(*columns))
        windows = int(self._pool.ends[-1])
        self._order = np.random.default_rng([self._seed, epoch, number]).permutation(windows)
        self._number = number

    def _fill(self, chosen: _Segments) -> _Pool:
        """Read the frames of some segments."""
        lengths = chosen.stop - chosen.first
        row = lengths.cumsum() - lengths
        frames = int(lengths.sum())
        seen = np.empty((frames, len(self._set.skeleton_2d), 3), dtype=np.float32)
        xyz = np.empty((frames, len(self._set.skeleton_3d), 3), dtype=np.float32)
        stretches = (column.tolist() for column in (row, chosen.view, chosen.first, chosen.stop))
        for at, number, first, stop in zip(*stretches, strict=True):
            view = self._views[number]
            keypoints = seen[at : at + stop - first]
            keypoints[..., :2] = self._rows("views/xy", view.start, first, stop)
            keypoints[..., 2] = self._rows("views/confidence", view.start, first, stop)
            keypoints[np.isnan(keypoints)] = 0
            poses = self._rows("poses/xyz", self._set.recordings[view.recording].start, first, stop)
            np.add(poses @ self._rotation[number], self._translation[number], out=xyz[at : at + stop - first])
        return _Pool(seen, xyz, chosen, row, chosen.windows.cumsum())

    def _rows(self, name: str, start: int, first: int, stop: int) -> np.ndarray:
        """Frames ``first`` to ``stop - 1`` (after ``keep_every``) of what starts at row ``start`` of an array."""
        every = self._keep_every
        return self._set.rows(name, start + first * every, start + (stop - 1) * every + 1)[::every]

    def _gather(self, pool: _Pool, windows: np.ndarray) -> RawWindows:
        """Windows of a pool by their numbers in it."""
        of = np.searchsorted(pool.ends, windows, "right")
        view, first = pool.segments.view[of], pool.segments.first[of]
        window = windows - (pool.ends - pool.segments.windows)[of] + pool.segments.window[of]
        start = window * self._outputs - self._offset[view] - self._past
        frame = (start[:, None] + np.arange(self.frames)).clip(0, self._length[view][:, None] - 1) - first[:, None]
        frame += pool.row[of][:, None]
        seen = torch.from_numpy(pool.seen[frame])
        number = torch.from_numpy(view)
        camera = CameraBatch(*(getattr(self._cameras, name)[number] for name in CameraBatch.__dataclass_fields__))
        return RawWindows(
            seen[..., :2],
            seen[..., 2],
            torch.from_numpy(pool.xyz[frame]),
            camera,
            torch.from_numpy(self._first_window[view] + window),
            self._up[number],
        )


def _stack(cameras: list[Camera]) -> CameraBatch:
    """The cameras as tensors, an entry each. Raises CameraError that names one that does not fit."""
    for camera in cameras:
        if camera.fisheye or camera.distortion[5:].any() or camera.K[0, 1]:
            raise CameraError(
                f"camera {camera.name!r} has a fisheye lens, more than five distortion coefficients or a skew; "
                "undistort its keypoints and use a camera without distortion"
            )
    K = np.stack([camera.K for camera in cameras])
    return CameraBatch(
        focal=torch.from_numpy(K[:, [0, 1], [0, 1]]).float(),
        centre=torch.from_numpy(K[:, :2, 2]).float(),
        distortion=torch.from_numpy(np.stack([camera.distortion[:5] for camera in cameras])).float(),
        image_size=torch.tensor([camera.image_size or (0, 0) for camera in cameras], dtype=torch.float32),
    )


def _join(parts: list[RawWindows]) -> RawWindows:
    """Windows of several pools, one after the other."""
    cameras = [part.camera for part in parts]
    camera = CameraBatch(
        *(torch.cat([getattr(camera, name) for camera in cameras]) for name in CameraBatch.__dataclass_fields__)
    )
    names = ("xy", "confidence", "xyz", "index", "up")
    xy, confidence, xyz, index, up = (torch.cat([getattr(part, name) for part in parts]) for name in names)
    return RawWindows(xy, confidence, xyz, camera, index, up)
