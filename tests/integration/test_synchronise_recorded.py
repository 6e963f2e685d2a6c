"""Synchronisation of recorded motion: motion capture seen by the demo's cameras, and the demo's own keypoints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import lift3d
from scipy.interpolate import CubicSpline
from typer.testing import Result

from lift3d.geometry.rigs import Rig
from lift3d.io import read_keypoints
from lift3d.io.rigs import read_rig
from lift3d.multiview.resampling import interpolate
from lift3d.multiview.synchronisation import find_offsets
from lift3d.poses import Keypoints2D

FPS = 60.0
# Of many kinds: dance, jumps, walking, everyday movements.
CLIPS = ("05_09", "14_24", "29_15", "91_17", "131_04", "acrnn_salsa_07")


@pytest.fixture(scope="module")
def demo(shared_data: Path) -> Path:
    return shared_data / "multiview" / "pose2sim_demo"


@pytest.fixture(scope="module")
def rig(demo: Path) -> Rig:
    return read_rig(demo / "calibration" / "Calib.qca.txt")


@pytest.fixture(scope="module")
def balancing(demo: Path, rig: Rig) -> dict[str, Keypoints2D]:
    folder = demo / "single_balancing" / "pose"
    return {name: read_keypoints(folder / f"{name.replace('_', '')}_json", fps=FPS) for name in rig.names}


def film(path: Path, clip: str, rig: Rig, offsets: np.ndarray, seed: int) -> dict[str, Keypoints2D]:
    """Motion capture in the demo's volume, with 2 px of noise, a tenth of the joints missing and 2 % gross outliers."""
    with h5py.File(path) as file:
        xyz = np.asarray(file[clip]["positions"], np.float64)
        rate = float(file[clip].attrs["fps"])
    known = np.isfinite(xyz).all(axis=(0, 2))
    xyz[:, ~known] = 0
    xyz[..., :2] -= xyz[:, 0, :2].mean(axis=0) + np.array([0.5, 0])
    motion = CubicSpline(np.arange(len(xyz)) / rate, xyz)
    generator = np.random.default_rng(seed)
    seen = {}
    for camera, offset in zip(rig, offsets - offsets.min(), strict=True):
        times = np.arange(int(((len(xyz) - 1) / rate - offset) * FPS)) / FPS + offset
        xy = camera.project(motion(times))
        xy += 2 * generator.normal(size=xy.shape)
        slip = generator.random(xy.shape[:2]) < 0.02
        xy[slip] += 80 * generator.normal(size=(np.count_nonzero(slip), 2))
        outside = ((xy < 0) | (xy > camera.image_size)).any(axis=-1)
        xy[outside | ~known | (generator.random(xy.shape[:2]) < 0.1)] = np.nan
        seen[camera.name] = Keypoints2D(xy[:, None], skeleton="cmu25", fps=FPS, image_size=camera.image_size)
    return seen


@pytest.mark.parametrize("calibrated", [True, False])
def test_offsets_of_up_to_two_seconds_are_recovered_to_a_tenth_of_a_frame(
    calibrated: bool, shared_data: Path, rig: Rig
) -> None:
    generator = np.random.default_rng(2)
    errors, whitened = [], []
    for seed, clip in enumerate(CLIPS if calibrated else CLIPS[:2]):
        offsets = np.r_[0, generator.uniform(-2, 2, 3)]
        keypoints = film(shared_data / "mocap" / "cmu.h5", clip, rig, offsets, seed)
        found = find_offsets(keypoints, rig if calibrated else None, max_offset=4)
        assert not found.notes, clip
        errors.append((found.offsets - offsets)[1:] * FPS)
        whitened.append((found.offsets - offsets)[1:] / found.offset_sigmas[1:])
    print(f"\nerrors in frames, calibrated={calibrated}:", np.round(errors, 3), sep="\n")
    assert np.abs(errors).max() < 0.1
    assert np.sqrt(np.mean(np.square(whitened))) < 2


def test_the_cameras_of_the_demo_started_together(balancing: dict[str, Keypoints2D], rig: Rig) -> None:
    found = find_offsets(balancing, rig)
    print("\noffsets in frames:", found.offsets * FPS, "+-", found.offset_sigmas * FPS)
    assert np.abs(found.offsets * FPS).max() < 0.3
    assert (found.offset_sigmas[1:] * FPS < 0.3).all()
    assert not found.notes


def test_known_shifts_of_the_demo_are_recovered_to_a_tenth_of_a_frame(
    balancing: dict[str, Keypoints2D], rig: Rig
) -> None:
    """The same observations, of frames 36 to 99, in clips that start at different fractions of frames before."""
    first, last = 36, 99

    def cut(points: Keypoints2D, start: float) -> Keypoints2D:
        place = np.arange(start, last + 1e-9)
        xy, confidence = interpolate(points.xy, points.confidence, place)
        early = place < first
        xy[early], confidence[early] = np.nan, 0
        return replace(points, xy=xy, confidence=confidence)

    unshifted = find_offsets({name: cut(points, first) for name, points in balancing.items()}, rig, max_offset=1)
    generator = np.random.default_rng(0)
    for trial in range(5):
        starts = generator.uniform(0, first, 4)
        if trial == 0:
            starts = np.array([0.0, 36, 12, 30.5])
        shifted = {name: cut(points, start) for (name, points), start in zip(balancing.items(), starts, strict=True)}
        found = find_offsets(shifted, rig, max_offset=1)
        change = (found.offsets - unshifted.offsets) * FPS - (starts - starts[0])
        assert np.abs(change).max() < 0.1, starts


def test_people_in_the_background_do_not_matter(demo: Path, rig: Rig) -> None:
    folder = demo / "two_people" / "pose"
    keypoints = {name: read_keypoints(folder / f"{name.replace('_', '')}_json", fps=FPS) for name in rig.names}
    assert np.abs(find_offsets(keypoints, rig).offsets * FPS).max() < 0.3


def lift3d_synchronise(*arguments: object) -> Result:
    return lift3d("synchronise", *arguments)


def test_the_command_writes_keypoints_at_common_moments(demo: Path, tmp_path: Path) -> None:
    sources = sorted((demo / "single_balancing" / "pose").glob("cam*_json"))
    rig = demo / "calibration" / "Calib.qca.txt"
    folder = tmp_path / "together"
    result = lift3d_synchronise(*sources, "--rig", rig, "--fps", 60, "-o", folder, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    names = ["cam_01", "cam_02", "cam_03", "cam_04"]
    assert list(summary["cameras"]) == names
    assert summary["cameras"]["cam_01"]["offset_seconds"] == 0
    for name in names:
        points = read_keypoints(folder / f"{name}.h5")
        assert (points.frames, points.fps, points.skeleton.name) == (summary["frames"], 60, "body25b")
        assert points.provenance["synchronisation"]["camera"] == name
    timings = json.loads((folder / "offsets.json").read_text())
    assert timings["cameras"] == summary["cameras"]
    assert "frame / fps" in timings["convention"]
    again = lift3d_synchronise(*sources, "--rig", rig, "--fps", 60, "-o", folder)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_the_command_without_rig_or_output_just_says(demo: Path) -> None:
    folder = demo / "single_balancing" / "pose"
    result = lift3d_synchronise(f"left={folder / 'cam01_json'}", f"right={folder / 'cam02_json'}", "--fps", 60)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("synchronised by motion")
    assert "right: " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the frame rate is not known"),
        (["--fps", "60", "--audio", "VIDEO"], "needs one video for each"),
        (["--fps", "60", "--audio", "left=VIDEO", "--audio", "right=VIDEO"], "the video has no sound"),
        (["--fps", "60", "--audio", "VIDEO", "--rig", "RIG"], "give one of them"),
        (["--fps", "60", "--rig", "RIG"], "no camera"),
        (["--fps", "60", "--max-offset", "-1"], "largest offset"),
        (["--fps", "60", "-o", "/no/such/folder/out"], "does not exist"),
        (["--fps", "60", "-o", "VIDEO"], "is a file"),
    ],
)
def test_what_the_command_cannot_do_is_one_message(arguments: list[str], message: str, demo: Path) -> None:
    folder = demo / "single_balancing" / "pose"
    video, rig = demo / "single_balancing" / "videos" / "cam01.mp4", demo / "calibration" / "Calib.qca.txt"
    arguments = [item.replace("VIDEO", str(video)).replace("RIG", str(rig)) for item in arguments]
    result = lift3d_synchronise(f"left={folder / 'cam01_json'}", f"right={folder / 'cam02_json'}", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
