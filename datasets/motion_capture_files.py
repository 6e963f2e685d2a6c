"""Files of motion capture (BVH, ASF/AMC, C3D, HDF5) and folders of them: which clips there are, and each of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lift3d.datasets.motion_capture_joints import place_joints
from lift3d.errors import FileFormatError, SkeletonError

ENDINGS = (".bvh", ".amc", ".c3d", ".h5", ".hdf5")
MAX_FILES = 100_000
AMC_FPS = 120.0  # of nearly all that CMU recorded; an AMC does not say
# The subject in a name: 16 in 16_21 and in cmu_16_21; in the name of an ASF what is left without the word in front.
_NUMBERED = re.compile(r"(?:[A-Za-z]+_)?(\d+)_.+")
_WORD = re.compile(r"[A-Za-z]+_(?=.)")


@dataclass(frozen=True)
class MotionSource:
    """A clip that can be read.

    Attributes:
        path: its file.
        name: unique among the clips of a folder.
        subject, action: "" where unknown.
        clip: the group of an HDF5 file; "" for other files, which hold one clip.
        skeleton: the ASF of an AMC.
    """

    path: Path
    name: str
    subject: str
    action: str = ""
    clip: str = ""
    skeleton: Path | None = None


@dataclass(frozen=True, eq=False)
class Motion:
    """A clip as it was recorded.

    Attributes:
        joints: lift3d's names; unknown ones as the file spells them.
        positions: (frames, joints, 3), metres, Z up; NaN where missing.
        fps: frames per second.
        notes: sentences that say what had to be put right.
    """

    joints: tuple[str, ...]
    positions: np.ndarray
    fps: float
    notes: tuple[str, ...] = ()


def find_motion(source: Path) -> tuple[MotionSource, ...]:
    """The clips of a file, or of all files below a folder.

    The subject of a clip is what its HDF5 file says, the name of the ASF of an AMC, the number at the start of the
    file's name (16 in ``16_21``), or else the folder that it is in, below ``source``.

    Raises:
        FileFormatError: there are none, an AMC has no ASF, or an HDF5 file holds something else.
    """
    if not source.exists():
        raise FileFormatError(source, "there is no such file or folder")
    root = source if source.is_dir() else source.parent
    paths = [source]
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    elif source.suffix.lower() not in ENDINGS:
        raise FileFormatError(source, f"motion capture is read from {', '.join(ENDINGS)}")
    if not paths or len(paths) > MAX_FILES:
        raise FileFormatError(source, f"holds {len(paths)} files that end in {', '.join(ENDINGS)}")
    found = [entry for path in paths for entry in _clips(path, root)]
    if not found:
        raise FileFormatError(source, "holds no clip")
    # The same take in two formats keeps both: names say which.
    count = Counter(entry.name for entry in found)
    return tuple(
        entry if count[entry.name] == 1 else replace(entry, name=f"{entry.name}{entry.path.suffix}") for entry in found
    )


def read_motion(source: MotionSource, amc_fps: float = AMC_FPS) -> Motion:
    """Read a clip.

    Args:
        source: of ``find_motion``.
        amc_fps: frames per second of AMC files, which do not say.

    Raises:
        FileFormatError: the file is malformed or cut off, or a C3D holds markers that are not known.
    """
    ending = source.path.suffix.lower()
    if ending == ".bvh":
        from lift3d.datasets.motion_capture_bvh import read_motion_bvh

        poses, notes = read_motion_bvh(source.path)
        return Motion(poses.skeleton.joints, poses.xyz[:, 0], float(poses.fps or 0), notes)
    if ending == ".amc":
        from lift3d.datasets.asf_amc import read_asf_amc

        assert source.skeleton is not None
        names, positions, notes = read_asf_amc(source.skeleton, source.path)
        return Motion(names, positions, amc_fps, (*notes, f"taken to have {amc_fps:g} frames/s: an AMC does not say"))
    if ending == ".c3d":
        return _read_c3d(source.path)
    from lift3d.datasets.motion_clips import read_clip_joints

    return Motion(*read_clip_joints(source.path, source.clip))


def read_joints(source: MotionSource, wanted: tuple[str, ...], fps: float | None, amc_fps: float = AMC_FPS) -> Motion:
    """Read a clip in given joints (see ``place_joints``) at a given rate, None for its own.

    Raises:
        FileFormatError: as ``read_motion``, or a joint is missing in the whole clip.
    """
    motion = read_motion(source, amc_fps)
    try:
        placed = place_joints(motion.joints, motion.positions, wanted)
    except SkeletonError as error:
        raise FileFormatError(
            source.path, f"the joints of a body are needed, and {error}", source.clip or None
        ) from error
    rate = fps or motion.fps
    return Motion(wanted, resample(placed, motion.fps, rate), rate, motion.notes)


def resample(positions: np.ndarray, fps: float, rate: float) -> np.ndarray:
    """Positions (frames, joints, 3) at another rate: cubic splines; straight lines where joints are missing."""
    if abs(fps - rate) < 1e-6 or len(positions) < 4:
        return positions
    seconds = np.arange(len(positions)) / fps
    wanted = np.arange(0, seconds[-1], 1 / rate)
    if np.isfinite(positions).all():
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(seconds, positions)(wanted))
    place = np.minimum(wanted * fps, len(positions) - 1)
    before = np.minimum(place.astype(int), len(positions) - 2)
    share = (place - before)[:, None, None]
    return np.asarray((1 - share) * positions[before] + share * positions[before + 1])


def _clips(path: Path, root: Path) -> Iterator[MotionSource]:
    name = path.relative_to(root).with_suffix("").as_posix()
    ending = path.suffix.lower()
    if ending in (".h5", ".hdf5"):
        from lift3d.datasets.motion_clips import list_clips

        for clip, subject, action in list_clips(path):
            yield MotionSource(path, f"{name}/{clip}", subject, action, clip)
        return
    numbered = _NUMBERED.fullmatch(path.stem)
    folder = path.parent.name if path.parent != root else ""
    subject = numbered[1] if numbered else folder
    if ending != ".amc":
        yield MotionSource(path, name, subject)
        return
    skeleton = _skeleton_of(path)
    yield MotionSource(path, name, _WORD.sub("", skeleton.stem, count=1), skeleton=skeleton)


def _skeleton_of(path: Path) -> Path:
    """The ASF beside an AMC: the one whose name starts that of the AMC, the longest of them, or else the only one."""
    there = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf")
    fitting = [file for file in there if path.stem.startswith(file.stem)]
    if fitting:
        return max(fitting, key=lambda file: len(file.stem))
    if len(there) == 1:
        return there[0]
    names = ", ".join(file.name for file in there) or "none"
    raise FileFormatError(path, f"needs its skeleton, an ASF whose name starts its own, beside it; there is {names}")


def _read_c3d(path: Path) -> Motion:
    from lift3d.datasets.motion_capture_markers import NOTE, has_markers, joints_from_markers
    from lift3d.io.poses_c3d import read_c3d

    poses = read_c3d(path)
    if poses.people != 1:
        raise FileFormatError(path, f"holds {poses.people} people; save each in a file of its own")
    labels, points = poses.skeleton.joints, poses.xyz[:, 0].astype(np.float64)
    if not has_markers(labels):
        return Motion(labels, points, float(poses.fps or 0))
    try:
        return Motion(*joints_from_markers(labels, points), float(poses.fps or 0), (NOTE,))
    except SkeletonError as error:
        raise FileFormatError(path, str(error), "POINT:LABELS") from error
