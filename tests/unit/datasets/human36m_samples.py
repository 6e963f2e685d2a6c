"""Human3.6M in exactly the file shapes that people have, with a synthetic person."""

from pathlib import Path
from typing import Any

import cdflib.cdfwrite
import h5py
import numpy as np
from scipy.io import savemat
from set_people import looking_at, walker

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig
from lift3d.io import rig_h36m

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether",
)  # fmt: skip
TAKES = tuple(f"{action}{number}" for action in ACTIONS for number in ("", " 1"))
NAMES_32 = [
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "right_foot",
    "right_toe",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_foot",
    "left_toe",
    "pelvis",
    "spine",
    "thorax",
    "nose",
    "head_top",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "left_wrist",
    "left_hand",
    "left_hand",
    "left_hand",
    "thorax",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "right_wrist",
    "right_hand",
    "right_hand",
    "right_hand",
]
H36M_METADATA = {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
COCO_METADATA = {
    "layout_name": "coco",
    "num_joints": 17,
    "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
}
PLACES_17 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]


def frames_of(subject: str, take: str, frames: int) -> int:
    """Takes differ in length."""
    return frames + (len(take) + int(subject[1:])) % 3


def positions_32(subject: str, take: str, frames: int) -> np.ndarray:
    """(frames, 32, 3) float32 metres."""
    count, seed = frames_of(subject, take, frames), int(subject[1:]) + TAKES.index(take)
    body = walker(count, size=0.95 + 0.01 * int(subject[1:]), phase=0.3 * seed)
    for side in ("left", "right"):
        body[f"{side}_foot"] = body[f"{side}_toe"] = body[f"{side}_ankle"] - [0, 0, 0.05]
        body[f"{side}_hand"] = body[f"{side}_wrist"] - [0, 0, 0.07]
    return np.stack([body[name] for name in NAMES_32], axis=1).astype(np.float32)


def all_positions(frames: int = 6, subjects: tuple[str, ...] = SUBJECTS) -> dict[str, dict[str, np.ndarray]]:
    """``positions_3d`` as VideoPose3D prepares it: without S11 "Directions"."""
    return {
        subject: {
            take: positions_32(subject, take, frames) for take in TAKES if (subject, take) != ("S11", "Directions")
        }
        for subject in subjects
    }


def cameras_of(subject: str) -> tuple[Camera, ...]:
    """Four cameras as the real ones stand, moved a little from subject to subject."""
    move = 0.08 * int(subject[1:])
    lens = [(-0.207, 0.248, -0.00098, -0.00142, -0.0031), (-0.194, 0.240, -0.0016, -0.0027, 0.0068),
            (-0.208, 0.255, 0.0015, -0.00076, -0.0025), (-0.198, 0.218, -0.00059, -0.0018, -0.0089)]  # fmt: skip
    centres = [(1.84, 4.96, 1.56), (1.76, -5.08, 1.61), (-1.85, 5.22, 1.49), (-1.79, -3.72, 1.57)]
    return tuple(
        looking_at(name, (x + move, y, z), 1145 + index, rig_h36m.SIZES[name], list(lens[index]))
        for index, (name, (x, y, z)) in enumerate(zip(rig_h36m.SIZES, centres, strict=True))
    )


def write_cameras(folder: Path, subjects: tuple[str, ...] = SUBJECTS) -> Path:
    """``cameras.h5`` of several subjects, MATLAB's column by column: R transposed, the centre in millimetres."""
    path = folder / "cameras.h5"
    with h5py.File(path, "w") as file:
        for subject in subjects:
            part = folder / "one.h5"
            rig_h36m.write(Rig(cameras_of(subject), {"subject": subject}), part)
            with h5py.File(part, "r") as one:
                one.copy(f"subject{subject[1:]}", file)
            part.unlink()
            for camera in file[f"subject{subject[1:]}"].values():
                del camera["size"]  # the real file has none
    return path


def write_metadata(folder: Path, subjects: tuple[str, ...] = SUBJECTS) -> Path:
    """``metadata.xml`` of Human3.6M's code: 300 numbers, rotations as three angles."""
    from scipy.spatial.transform import Rotation

    numbers = np.zeros(300)
    for subject in subjects:
        for index, camera in enumerate(cameras_of(subject)):
            start = 6 * (11 * index + int(subject[1:]) - 1)
            numbers[start : start + 3] = Rotation.from_matrix(camera.R).as_euler("XYZ")
            numbers[start + 3 : start + 6] = 1000 * camera.centre
            k1, k2, p1, p2, k3 = camera.distortion
            numbers[264 + 9 * index : 273 + 9 * index] = [
                *camera.K[(0, 1), (0, 1)],
                *camera.K[:2, 2],
                k1,
                k2,
                k3,
                p1,
                p2,
            ]
    path = folder / "metadata.xml"
    words = " ".join(repr(float(number)) for number in numbers)
    path.write_text(f'<?xml version="1.0"?>\n<dataset><cameras><w0>[{words}]</w0></cameras></dataset>\n')
    return path


def ground_truth(positions: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, list[np.ndarray]]]:
    """``positions_2d`` of the ground truth, in the 17 joints."""
    return {
        subject: {
            take: [camera.project(xyz[:, PLACES_17]).astype(np.float32) for camera in cameras_of(subject)]
            for take, xyz in takes.items()
        }
        for subject, takes in positions.items()
    }


def write_positions(folder: Path, positions: dict[str, Any]) -> Path:
    """``data_3d_h36m.npz`` as ``np.savez_compressed`` writes it: a dictionary in an array of no dimensions."""
    path = folder / "data_3d_h36m.npz"
    np.savez_compressed(path, positions_3d=positions)  # type: ignore[arg-type]
    return path


def write_keypoints(folder: Path, name: str, positions: dict[str, Any], metadata: dict[str, Any]) -> Path:
    """``data_2d_h36m_<name>.npz``."""
    path = folder / f"data_2d_h36m_{name}.npz"
    np.savez_compressed(path, positions_2d=positions, metadata=metadata)  # type: ignore[arg-type]
    return path


def write_videopose3d(folder: Path, frames: int = 6) -> dict[str, dict[str, np.ndarray]]:
    """The folder that VideoPose3D works with, with its ground truth, and ``cameras.h5``; gives the positions."""
    positions = all_positions(frames)
    write_positions(folder, positions)
    write_keypoints(folder, "gt", ground_truth(positions), H36M_METADATA)
    write_cameras(folder)
    return positions


def _raw_name(subject: str, take: str) -> str:
    """S1's original files name two actions differently."""
    return take.replace("Photo", "TakingPhoto").replace("WalkDog", "WalkingDog") if subject == "S1" else take


def write_cdf(path: Path, xyz: np.ndarray) -> None:
    """One original file: ``Pose`` (1, frames, 96) in millimetres."""
    flat = 1000 * xyz.reshape(len(xyz), 96)
    file = cdflib.cdfwrite.CDF(path, cdf_spec={"Majority": "row_major"})
    file.write_var(
        {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": list(flat.shape)},
        var_data=flat[None].astype(np.float32),
    )
    file.close()


def write_cdf_set(folder: Path, frames: int = 3, subjects: tuple[str, ...] = SUBJECTS) -> None:
    """``Poses_D3_Positions_S*.tgz`` unpacked: all takes, also S11 "Directions"."""
    for subject in subjects:
        place = folder / subject / "MyPoseFeatures" / "D3_Positions"
        place.mkdir(parents=True)
        for take in TAKES:
            write_cdf(place / f"{_raw_name(subject, take)}.cdf", positions_32(subject, take, frames))


def write_mat_set(folder: Path, frames: int = 3, subjects: tuple[str, ...] = SUBJECTS) -> None:
    """The same converted by MATLAB's ``cdfread``: ``data``, a cell of (frames, 96)."""
    for subject in subjects:
        place = folder / subject / "MyPoseFeatures" / "D3_Positions"
        place.mkdir(parents=True)
        for take in TAKES:
            cell = np.empty((1, 1), dtype=object)
            cell[0, 0] = 1000 * positions_32(subject, take, frames).reshape(-1, 96)
            savemat(place / f"{_raw_name(subject, take)}.cdf.mat", {"data": cell}, do_compression=True)


def write_h5_set(folder: Path, frames: int = 3, subjects: tuple[str, ...] = SUBJECTS) -> None:
    """3d-pose-baseline's archive unpacked: ``3D_positions`` (96, frames) in millimetres."""
    for subject in subjects:
        place = folder / "h36m" / subject / "MyPoses" / "3D_positions"
        place.mkdir(parents=True)
        for take in TAKES:
            with h5py.File(place / f"{take.replace(' ', '_')}.h5", "w") as file:
                file["3D_positions"] = 1000 * positions_32(subject, take, frames).reshape(-1, 96).T.astype(np.float64)
