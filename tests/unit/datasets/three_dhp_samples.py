"""MPI-INF-3DHP in exactly its file shapes, with a synthetic person."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat
from set_people import looking_at, walker

from lift3d.geometry.cameras import Camera

NAMES_28 = [
    "spine3",
    "spine4",
    "spine2",
    "spine",
    "pelvis",
    "neck",
    "head",
    "head_top",
    "left_clavicle",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "left_hand",
    "right_clavicle",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "right_hand",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_foot",
    "left_toe",
    "right_hip",
    "right_knee",
    "right_ankle",
    "right_foot",
    "right_toe",
]
NAMES_17 = [
    "head_top",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "spine",
    "head",
]
CAMERAS = 14
UNIVERSAL = 0.92  # the size of the universal skeleton, of the true one


def body_of(frames: int, fps: float, size: float, phase: float) -> dict[str, np.ndarray]:
    """Every joint of the 28, (frames, 3) metres, world Z up."""
    body = walker(frames, fps, size, phase)
    up = body["thorax"] - body["spine"]
    body["neck"] = body["thorax"]
    for name, share in (("spine2", 0.25), ("spine3", 0.5), ("spine4", 0.85)):
        body[name] = body["spine"] + share * up
    for side in ("left", "right"):
        body[f"{side}_clavicle"] = 0.8 * body["thorax"] + 0.2 * body[f"{side}_shoulder"]
        body[f"{side}_hand"] = 1.2 * body[f"{side}_wrist"] - 0.2 * body[f"{side}_elbow"]
        body[f"{side}_foot"] = body[f"{side}_ankle"] - [0, 0, 0.05]
        body[f"{side}_toe"] = body[f"{side}_foot"] + 0.1 * (body["nose"] - body["thorax"])
    return body


def training_camera(index: int) -> Camera:
    """Camera ``index`` of 14, on a circle round the stage, some of them high up; no distortion."""
    angle = 2 * np.pi * index / CAMERAS
    height = 1.4 if index in (0, 1, 2, 4, 5, 6, 7, 8) else 2.8
    centre = (3.8 * np.cos(angle), 3.8 * np.sin(angle), height)
    return looking_at(f"camera{index}", centre, 1497 + index, (2048, 2048), [0, 0, 0, 0, 0])


def test_camera(subject: str) -> Camera:
    """The camera of a test sequence; the outdoor one distorts."""
    if subject in ("TS5", "TS6"):
        return looking_at("camera", (-2.1, -4.6, 1.04), 1680, (1920, 1080), [-0.277, 0.131, -0.0004, -0.0011, 0])
    return looking_at("camera", (3.4, 0.3, 1.39), 1500, (2048, 2048), [0, 0, 0, 0, 0])


test_camera.__test__ = False  # type: ignore[attr-defined]


def in_camera(camera: Camera, joints: np.ndarray) -> np.ndarray:
    return np.asarray(joints @ camera.R.T + camera.t)


def training_joints(subject: str, sequence: str, frames: int) -> np.ndarray:
    """(frames, 28, 3) metres in the world."""
    number = 2 * int(subject[1:]) + int(sequence[3:])
    body = body_of(frames, 25, 0.9 + 0.01 * number, 0.4 * number)
    return np.stack([body[name] for name in NAMES_28], axis=1)


def test_joints(subject: str, frames: int) -> np.ndarray:
    """(frames, 17, 3) metres in the world."""
    body = body_of(frames, 25, 1 + 0.01 * int(subject[2:]), float(subject[2:]))
    return np.stack([body[name] for name in NAMES_17], axis=1)


test_joints.__test__ = False  # type: ignore[attr-defined]


def training_variables(joints: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of an ``annot.mat``: cell arrays (14, 1) of (frames, 56 or 84)."""

    def cells(arrays: list[np.ndarray]) -> np.ndarray:
        cell = np.empty((CAMERAS, 1), dtype=object)
        for index, array in enumerate(arrays):
            cell[index, 0] = array.reshape(len(joints), -1)
        return cell

    own = [1000 * in_camera(training_camera(index), joints) for index in range(CAMERAS)]
    return {
        "annot2": cells([training_camera(index).project(joints) for index in range(CAMERAS)]),
        "annot3": cells(own),
        "univ_annot3": cells([UNIVERSAL * array for array in own]),
        "cameras": np.arange(CAMERAS, dtype=np.float64)[None],
        "frames": np.arange(len(joints), dtype=np.float64)[:, None],
    }


def test_variables(subject: str, joints: np.ndarray, valid: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of an ``annot_data.mat`` as MATLAB shows them: (2 or 3, 17, 1, frames), rubbish where not valid."""
    camera = test_camera(subject)
    own, pixels = 1000 * in_camera(camera, joints), camera.project(joints)
    own[~valid], pixels[~valid] = 0, -1
    return {
        "annot2": pixels.T[:, :, None],
        "annot3": own.T[:, :, None],
        "univ_annot3": UNIVERSAL * own.T[:, :, None],
        "valid_frame": valid.astype(np.float64)[:, None],
        "activity_annotation": np.ones((len(joints), 1)),
        "bb_crop": np.zeros((len(joints), 34)),
    }


test_variables.__test__ = False  # type: ignore[attr-defined]


def write_classic(path: Path, variables: Mapping[str, np.ndarray]) -> None:
    """MATLAB's own format, as ``save`` writes up to version 7."""
    savemat(path, dict(variables), do_compression=True)


def write_v73(path: Path, variables: Mapping[str, np.ndarray]) -> None:
    """MATLAB's version 7.3: HDF5 behind a head of 512 bytes, axes reversed, cells as references to ``#refs#``."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in variables.items():
            if array.dtype != object:
                file[name] = array.T
                file[name].attrs["MATLAB_class"] = np.bytes_("double")
                continue
            cells = file.create_dataset(name, array.shape[::-1], dtype=h5py.ref_dtype)
            cells.attrs["MATLAB_class"] = np.bytes_("cell")
            for place, cell in np.ndenumerate(array):
                target = f"#refs#/{name}_{'_'.join(map(str, place))}"
                file[target] = cell.T
                cells[place[::-1]] = file[target].ref
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  2 03:04:05 2017 HDF5 schema 1.00 ."
    with path.open("r+b") as raw:
        raw.write(head.ljust(124) + b"\x00\x02IM")


def write_calibration(path: Path) -> None:
    """``camera.calibration``, millimetres, world Y up."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    to_y_up = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    for index in range(CAMERAS):
        camera = training_camera(index)
        intrinsic, extrinsic = np.eye(4), np.eye(4)
        intrinsic[:3, :3] = camera.K
        extrinsic[:3, :3], extrinsic[:3, 3] = camera.R @ to_y_up.T, 1000 * camera.t
        lines += [
            f"name          {index}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            f"  intrinsic   {' '.join(f'{value:.10g}' for value in intrinsic.ravel())} ",
            f"  extrinsic   {' '.join(f'{value:.10g}' for value in extrinsic.ravel())} ",
            "  radial      0",
        ]
    path.write_text("\n".join(lines) + "\n")


def write_training(folder: Path, frames: int = 6, v73: bool = False, calibration: bool = True) -> None:
    """``S1/Seq1`` ... ``S8/Seq2`` with their annotations and cameras."""
    for subject in (f"S{number}" for number in range(1, 9)):
        for sequence in ("Seq1", "Seq2"):
            place = folder / subject / sequence
            place.mkdir(parents=True)
            variables = training_variables(training_joints(subject, sequence, frames))
            (write_v73 if v73 else write_classic)(place / "annot.mat", variables)
            if calibration:
                write_calibration(place / "camera.calibration")


def valid_frames(frames: int) -> np.ndarray:
    """Two runs of valid frames with a gap."""
    valid = np.ones(frames, dtype=bool)
    valid[[0, frames // 2, frames // 2 + 1]] = False
    return valid


def write_test(folder: Path, frames: int = 12) -> None:
    """``TS1`` ... ``TS6`` with their annotations."""
    for subject in (f"TS{number}" for number in range(1, 7)):
        (folder / subject).mkdir(parents=True)
        joints = test_joints(subject, frames)
        write_v73(folder / subject / "annot_data.mat", test_variables(subject, joints, valid_frames(frames)))
