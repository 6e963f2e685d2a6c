"""From a captured motion to a clip for animation: gaps filled, smoothed, feet held, looped, on the spot."""

from __future__ import annotations

from lift3d.errors import Lift3DError
from lift3d.motion.filters import filter_poses, parse_filter
from lift3d.motion.foot_lock import lock_feet
from lift3d.motion.gaps import fill_gaps as fill
from lift3d.motion.loops import BLEND, SHORTEST, find_loop, make_loop
from lift3d.motion.root import in_place as put_in_place
from lift3d.poses import Poses3D


def clean(
    poses: Poses3D,
    fill_gaps: float | None = None,
    smooth: str | None = None,
    foot_lock: bool = False,
    in_place: bool = False,
    loop: str | tuple[int, int] | None = None,
    blend: float = BLEND,
) -> Poses3D:
    """The steps that are asked for, in the order of the arguments; a loop is made before it is put in place.

    Args:
        poses: in any space.
        fill_gaps: seconds, the longest gap that is filled.
        smooth: a filter as the command line takes it: "butterworth:6", "butterworth:auto", "savitzky_golay", ...
        foot_lock: hold feet in one place while they stand.
        in_place: take out the way over the ground; of a loop all of it, so that its end meets its start.
        loop: "auto" for the best one, or its first frame and the one after its last.
        blend: seconds over which the loop's end passes into its start.

    Returns:
        The poses; the provenance says what was done.

    Raises:
        Lift3DError: a step cannot be done with these poses; the message says why.
    """
    if not poses.frames or not poses.people:
        raise Lift3DError(f"{poses.frames} frames of {poses.people} people are no motion that could be cleaned")
    if fill_gaps is not None:
        poses = fill(poses, fill_gaps)
    if smooth is not None:
        method, parameters = parse_filter(smooth)
        poses = filter_poses(poses, method, **parameters)
    if foot_lock:
        poses = lock_feet(poses)
    if loop is None:
        return put_in_place(poses) if in_place else poses
    if isinstance(loop, str):
        found = find_loop(poses, SHORTEST, blend)
        loop = (found.start, found.stop)
    return make_loop(poses, *loop, blend=blend, path="in_place" if in_place else "keep")
