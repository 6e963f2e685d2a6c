"""Speeds and events of movements with closed forms."""

import numpy as np
import pytest
from exercise_bodies import hills, stand, together, with_noise, without

from lift3d.errors import Lift3DError, SkeletonError
from lift3d.motion.events import GRAVITY, key_events, peak_speeds, smooth_speed, speeds_dataframe
from lift3d.poses import Poses3D
from lift3d.skeletons import make_skeleton

FPS = 120.0


def throw(fastest: float = 9.0) -> Poses3D:
    """The right arm swings forward about the shoulder; its wrist is fastest in the middle, at 1.5 s."""
    time = np.arange(0, 3, 1 / FPS)
    swing = 0.5 / (1 + np.exp(-8 * (time - 1.5))) * 8 * 0.56
    # A logistic angle a / (1 + exp(-k t)) turns at a k / 4 at most.
    angle = np.degrees(swing / swing.max() * fastest / 0.56 * 4 / 8)
    still = np.zeros(len(time))
    poses = stand(FPS, still + 5, arm_forward=angle, elbow=0.0)
    left = stand(FPS, still + 5, arm_forward=0.0, elbow=0.0)
    xyz = poses.xyz.copy()
    for joint in ("left_elbow", "left_wrist"):
        xyz[:, :, poses.skeleton.index(joint)] = left.xyz[:, :, poses.skeleton.index(joint)]
    return Poses3D(xyz, skeleton=poses.skeleton, fps=FPS)


def jump(rise: float, fps: float = 60.0) -> Poses3D:
    """A stiff body that stands for a second, flies, and stands again."""
    flight = 2 * np.sqrt(2 * rise / GRAVITY)
    time = np.arange(0, 2 + flight, 1 / fps) - 1.0
    up = np.where((time > 0) & (time < flight), GRAVITY / 2 * time * (flight - time), 0.0)
    poses = stand(fps, np.full(len(time), 5.0))
    return Poses3D(poses.xyz + up[:, None, None, None] * [0, 0, 1], skeleton=poses.skeleton, fps=fps)


def walk(steps: int = 6, fps: float = 60.0) -> Poses3D:
    """Feet that swing in turn, half a second each, while the body goes forward."""
    half = round(0.5 * fps)
    swing = (1 - np.cos(np.pi * np.arange(half) / half)) / 2
    lift = 0.12 * np.sin(np.pi * np.arange(half) / half)
    body = stand(fps, np.full(half * (steps + 2), 10.0))
    xyz = body.xyz.astype(np.float64)
    ways = {"left": np.zeros(len(xyz)), "right": np.zeros(len(xyz))}
    heights = {"left": np.zeros(len(xyz)), "right": np.zeros(len(xyz))}
    for step in range(steps):
        side = ("left", "right")[step % 2]
        frames = slice(half * (step + 1), half * (step + 2))
        ways[side][frames] += 0.6 * swing
        ways[side][frames.stop :] += 0.6
        heights[side][frames] = lift
    for side in ("left", "right"):
        for joint in ("ankle", "heel", "big_toe"):
            xyz[:, 0, body.skeleton.index(f"{side}_{joint}"), 1:] += np.stack([ways[side], heights[side]], axis=1)
    return Poses3D(xyz, skeleton=body.skeleton, fps=fps)


def test_peak_speed_of_a_throw() -> None:
    peaks = {peak.joint: peak for peak in peak_speeds(throw())}
    wrist = peaks["right_wrist"]
    assert wrist.speed == pytest.approx(9.0, rel=0.01)
    assert wrist.seconds == pytest.approx(1.5, abs=1 / FPS)
    assert peaks["left_wrist"].speed < 0.01
    assert set(peaks) == {"left_wrist", "right_wrist", "left_ankle", "right_ankle"}


def test_spikes_and_noise_make_no_peak() -> None:
    clean = throw()
    noisy = with_noise(clean, 0.004, 1)
    rng = np.random.default_rng(2)
    spikes = rng.choice(clean.frames, 10, replace=False)
    noisy.xyz[spikes] += rng.normal(0, 0.5, noisy.xyz[spikes].shape)
    wrist = next(peak for peak in peak_speeds(noisy) if peak.joint == "right_wrist")
    assert wrist.speed == pytest.approx(9.0, rel=0.08)
    assert wrist.seconds == pytest.approx(1.5, abs=0.05)


def test_a_spin_at_any_frame_rate() -> None:
    for fps in (15.0, 30.0, 240.0):
        time = np.arange(0, 4, 1 / fps)
        xyz = 0.5 * np.stack([np.cos(3 * time), np.sin(3 * time), 0 * time], axis=-1)[:, None, None]
        poses = Poses3D(xyz, skeleton=make_skeleton("hand", {"left_wrist": None}), fps=fps)
        middle = smooth_speed(poses)[len(time) // 4 : -len(time) // 4]
        assert middle == pytest.approx(1.5, rel=0.02)


def test_short_glimpses_have_no_speed() -> None:
    poses = throw()
    hidden = without(poses, slice(0, 100), ["right_wrist"])
    hidden = without(hidden, slice(108, None), ["right_wrist"])
    assert "right_wrist" not in {peak.joint for peak in peak_speeds(hidden)}
    assert any("right_wrist" in note for note in key_events(hidden).notes)


def test_release_has_the_angles_of_that_moment() -> None:
    result = key_events(throw())
    (release,) = result.named("release")
    assert (release.side, release.unit) == ("right", "m/s")
    assert release.value == pytest.approx(9.0, rel=0.01)
    # Half of the whole swing, whose size follows from the speed.
    assert release.angles["right_shoulder_flexion"] == pytest.approx(np.degrees(9 / 0.56 / 4), abs=3)
    assert release.angles["right_elbow_flexion"] == pytest.approx(0, abs=1)
    assert key_events(throw(2.0)).named("release") == []


@pytest.mark.parametrize("fps", [30.0, 60.0, 200.0])
@pytest.mark.parametrize("rise", [0.15, 0.3, 0.5])
def test_height_of_a_jump(rise: float, fps: float) -> None:
    result = key_events(jump(rise, fps))
    (flight,) = result.jumps
    assert flight.height_by_time == pytest.approx(rise, abs=0.015)
    assert flight.height_by_rise == pytest.approx(rise, abs=0.03)
    assert flight.seconds == pytest.approx(1.0, abs=0.06)
    assert len(result.named("take_off")) == len(result.named("landing")) == 1
    (highest,) = result.named("highest")
    assert highest.seconds == pytest.approx(1 + np.sqrt(2 * rise / GRAVITY), abs=1 / fps + 0.01)
    assert highest.value == pytest.approx(rise, abs=0.03)


def test_no_jump_where_a_foot_stays_or_the_clip_is_cut() -> None:
    assert key_events(walk()).jumps == ()
    cut = jump(0.4)
    assert key_events(cut.select(slice(0, 75))).jumps == ()
    assert key_events(without(cut, slice(70, 75))).jumps == ()


def test_foot_strikes_of_a_walk() -> None:
    strikes = key_events(walk(6)).named("foot_strike")
    assert [event.side for event in strikes] == ["left", "right"] * 3
    # Each foot comes down at the end of its half second.
    assert [event.seconds for event in strikes] == pytest.approx(np.arange(1, 4, 0.5), abs=0.1)


def test_lowest_point_of_a_squat() -> None:
    knee = hills([110], 60.0, 2.0, 1.0)
    (lowest,) = key_events(stand(60.0, knee)).named("lowest")
    assert lowest.seconds == pytest.approx(2.0, abs=0.03)
    assert lowest.angles["left_knee_flexion"] == pytest.approx(110, abs=1)
    assert lowest.value == 0


def test_people_are_told_apart() -> None:
    result = key_events(together(jump(0.3), jump(0.15)))
    assert [flight.person for flight in result.jumps] == [0, 1]
    assert result.jumps[0].height_by_time > 1.5 * result.jumps[1].height_by_time


def test_camera_space_has_no_floor() -> None:
    world = jump(0.3)
    camera = Poses3D(world.xyz[..., [0, 2, 1]] * [1, -1, 1], skeleton=world.skeleton, fps=60.0, space="camera")
    result = key_events(camera)
    assert result.jumps == ()
    assert any("floor" in note for note in result.notes)
    (highest,) = result.named("highest")
    assert highest.value == pytest.approx(0.3, abs=0.03)


def test_missing_joints_are_noted() -> None:
    hidden = throw().convert(make_skeleton("arms", {"right_shoulder": None, "right_elbow": None, "right_wrist": None}))[
        0
    ]
    result = key_events(hidden)
    assert len(result.named("release")) == 1
    assert any("centre of mass" in note for note in result.notes)
    assert any("contacts" in note for note in result.notes)


def test_tables() -> None:
    result = key_events(throw())
    table = result.to_dataframe()
    assert {"name", "seconds", "right_elbow_flexion"} <= set(table.columns)
    assert len(table) == len(result.events) == len(result.to_dict()["events"])
    assert list(speeds_dataframe(peak_speeds(throw()))["joint"])[:2] == ["left_wrist", "right_wrist"]


def test_what_has_no_speed() -> None:
    poses = throw()
    with pytest.raises(Lift3DError, match="frame rate"):
        peak_speeds(Poses3D(poses.xyz, skeleton=poses.skeleton))
    with pytest.raises(SkeletonError, match="no joint 'tail'"):
        peak_speeds(poses, ["tail"])
    assert peak_speeds(poses.select(slice(0, 0))) == []
    assert key_events(poses.select(slice(0, 0))).events == ()
