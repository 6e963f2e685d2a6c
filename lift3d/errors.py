"""The named errors that lift3d raises for input it cannot use.

Each message says what is wrong, in which file and field, and what to do about it; the command line prints it
without a traceback and exits with code 2.
"""

from __future__ import annotations

from os import PathLike


class Lift3DError(Exception):
    """Base of every error that lift3d raises on purpose."""


class FileFormatError(Lift3DError):
    """A file is truncated, malformed, or not in the format that it was taken for.

    Args:
        path: the file.
        problem: what is wrong, and what to do.
        field: the place inside the file (``people[3].pose_keypoints_2d``), if there is one.
    """

    def __init__(self, path: str | PathLike[str], problem: str, field: str | None = None) -> None:
        self.path = str(path)
        self.field = field
        self.problem = problem
        place = f"{self.path}, field {field}" if field else self.path
        super().__init__(f"{place}: {problem}")


class UnknownFormatError(FileFormatError):
    """No reader recognises the file, or no writer knows the file ending."""


class SkeletonError(Lift3DError):
    """A joint layout is unknown, or lacks the joints that a step needs."""


class ShapeError(Lift3DError, ValueError):
    """An array has the wrong shape, dtype or range for the contract of a container."""


class CameraError(Lift3DError, ValueError):
    """A camera is impossible: K not finite, focal length not positive, R not a rotation, unknown distortion."""


class CheckpointError(Lift3DError):
    """A checkpoint is malformed, unsafe, or does not fit the network or the keypoints."""


class ConfigurationError(Lift3DError):
    """A training configuration has an unknown field, an impossible value, or asks for what its data do not have."""


class MissingDependencyError(Lift3DError, ImportError):
    """An optional library is needed and not installed; the message names the extra to install."""


class OutputExistsError(Lift3DError):
    """The output exists already and may be replaced only with ``--overwrite``."""
