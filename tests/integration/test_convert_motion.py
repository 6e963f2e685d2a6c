"""Recorded motion made into clips for animation by ``lift3d convert``: walks from motion capture, the recorded demo."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import lift3d as command

import lift3d
from lift3d.demo import CLIP
from lift3d.io.poses3d import read_poses
from lift3d.joint_names import custom_skeleton
from lift3d.motion.contacts import footskate, ground_contacts
from lift3d.motion.foot_lock import SETTLED
from lift3d.poses import Poses3D

# Walks of different people of CMU's motion capture, 60 frames/s.
WALKS = ("05_01", "07_04", "12_01")
BONES = (("hip", "knee"), ("knee", "ankle"), ("ankle", "toe_base"))


def convert(*arguments: object) -> dict:
    result = command("convert", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(params=WALKS)
def walk(request: pytest.FixtureRequest, shared_data: Path, tmp_path: Path) -> Path:
    with h5py.File(shared_data / "mocap" / "cmu.h5") as file:
        clip = file[request.param]
        sides = {"l": "left", "r": "right"}
        names = [name.decode() for name in clip.attrs["joints"]]
        joints = [f"{sides[name[0]]}{name[1:]}" if name[1] == "_" else name for name in names]
        xyz = clip["positions"][:][:, None]
    path = tmp_path / "walk.h5"
    Poses3D(xyz, skeleton=custom_skeleton(joints), fps=60).save(path)
    return path


def leg_bones(poses: Poses3D) -> np.ndarray:
    """(frames, 6) metres."""
    index = poses.skeleton.index
    ends = [(index(f"{side}_{a}"), index(f"{side}_{b}")) for side in ("left", "right") for a, b in BONES]
    return np.stack([np.linalg.norm(poses.xyz[:, 0, b] - poses.xyz[:, 0, a], axis=-1) for a, b in ends], axis=1)


def test_feet_of_a_walk_are_held(walk: Path, tmp_path: Path) -> None:
    convert(walk, tmp_path / "held.h5", "--foot-lock")
    poses, held = read_poses(walk), read_poses(tmp_path / "held.h5")
    contacts = ground_contacts(poses)
    standing = replace(contacts, on=contacts.on & (contacts.speed < SETTLED))
    before, after = footskate(poses, standing).slide[0], footskate(held, standing).slide[0]
    print(f"feet slide {before:.2f} mm a frame, held {after:.2f}")
    assert before > 0.8
    assert after < 0.01
    np.testing.assert_allclose(leg_bones(held), leg_bones(poses), atol=1e-3)
    moved = np.linalg.norm(held.xyz - poses.xyz, axis=-1)[:, 0]
    assert np.nanmedian(moved) < 0.015
    # Knees do not pop: their speed changes no more than half as much again as it did.
    knees = [poses.skeleton.index(f"{side}_knee") for side in ("left", "right")]
    change = [np.linalg.norm(np.diff(p.xyz[:, 0, knees], n=2, axis=0), axis=-1).max() for p in (poses, held)]
    assert change[1] < 1.5 * change[0]


def test_a_walk_on_the_spot_that_goes_round(walk: Path, tmp_path: Path) -> None:
    summary = convert(walk, tmp_path / "loop.h5", "--loop", "auto", "--in-place")
    poses, loop = read_poses(walk), read_poses(tmp_path / "loop.h5")
    assert 1.0 <= loop.frames / 60 < 1.7, summary
    usual = np.linalg.norm(np.diff(loop.xyz[:, 0], axis=0), axis=-1)
    seam = np.linalg.norm(loop.xyz[0, 0] - loop.xyz[-1, 0], axis=-1)
    np.testing.assert_array_less(seam[np.isfinite(seam)], 1.3 * np.nanmax(usual, axis=0)[np.isfinite(seam)] + 0.002)
    travelled = np.ptp(poses.xyz[:, 0, 0, :2], axis=0).max()
    assert travelled > 1.5
    assert np.ptp(loop.xyz[:, 0, 0, :2], axis=0).max() < 0.15
    assert np.abs(leg_bones(loop) / np.median(leg_bones(poses), axis=0) - 1).max() < 0.05


def test_the_demo_lifted_and_cleaned(tmp_path: Path) -> None:
    lift3d.write_poses(lift3d.lift(lift3d.read_keypoints(CLIP)), tmp_path / "lifted.h5")
    summary = convert(
        tmp_path / "lifted.h5", tmp_path / "clean.trc", "--filter", "butterworth:auto", "--foot-lock", "--in-place",
        "--marker-names", "opensim",
    )  # fmt: skip
    assert len(summary["steps"]) == 3
    assert "residual analysis" in summary["steps"][0]
    cleaned = read_poses(tmp_path / "clean.trc")
    assert (cleaned.frames, cleaned.fps) == (100, 60)
    assert np.isfinite(cleaned.xyz).all()
