"""ASF/AMC: forward kinematics against a plain recursive one and against recordings, and every damage one error."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from damage import damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.datasets.acclaim_files import AcclaimBone, AcclaimSkeleton, read_amc, read_asf
from lift3d.datasets.asf_amc import acclaim_places, read_asf_amc
from lift3d.errors import FileFormatError

ASF = """# made by hand
:version 1.10
:name SAMPLE
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   two arms
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 1 2 3
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lhumerus
     direction 1 0 0
     length 4
     axis 0 0 30 XYZ
     dof rx ry rz
     limits (-90.0 90.0)
            (-90.0 90.0)
            (-90.0 90.0)
  end
  begin
     id 2
     name lradius
     direction 0.8 0.6 0
     length 3
     axis 10 20 30 ZYX
     dof rz
  end
  begin
     id 3
     name lwrist
     direction 0.8 0.6 0
     length 1.5
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root lhumerus
    lhumerus lradius
    lradius lwrist
  end
"""
AMC = """#!OML:ASF made by hand
:FULLY-SPECIFIED
:DEGREES
1
root 0 0 0 0 0 0
lhumerus 0 0 0
lradius 0
2
root 0.5 0.25 -1 10 20 -30
lhumerus 5 -5 40.5
lradius 1e1
3
root 1 0.5 -2 20 40 -60
lhumerus 10 -10 81
lradius 20
"""
AXES = st.sampled_from(["xyz", "zyx", "yxz", "xzy"])


def files(folder: Path, asf: str = ASF, amc: str = AMC) -> tuple[Path, Path]:
    (folder / "one.asf").write_text(asf)
    (folder / "one.amc").write_text(amc)
    return folder / "one.asf", folder / "one.amc"


def about(axis: str, degrees: float) -> np.ndarray:
    """The matrix that turns about an axis."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = np.cos(np.radians(degrees))
    turn[second, first] = np.sin(np.radians(degrees))
    turn[first, second] = -turn[second, first]
    return turn


def in_turn(axes: str, degrees: np.ndarray) -> np.ndarray:
    """Turns about axes that stand still, the first of them first."""
    result = np.eye(3)
    for axis, angle in zip(axes, degrees, strict=True):
        result = about(axis, angle) @ result
    return result


def naive(
    skeleton: AcclaimSkeleton, motion: dict[str, np.ndarray], frame: int, bone: int
) -> tuple[np.ndarray, np.ndarray]:
    """End and turn of a bone in a frame, from those of its parent."""
    this = skeleton.bones[bone]
    axes = in_turn(this.axis_order, this.axis)
    values = dict(zip(this.channels, motion[this.name][frame] if this.name in motion else [], strict=False))
    turns = {channel: value for channel, value in values.items() if channel[0] == "r"}
    turn = in_turn("".join(channel[1] for channel in turns), np.array(list(turns.values())))
    if this.parent < 0:
        return skeleton.position + [values.get(f"t{axis}", 0.0) for axis in "xyz"], axes @ turn
    start, before = naive(skeleton, motion, frame, this.parent)
    turned = before @ axes @ turn @ axes.T
    return start + turned @ this.offset, turned


@st.composite
def figures(draw: st.DrawFn) -> tuple[AcclaimSkeleton, dict[str, np.ndarray]]:
    """Any tree of up to six bones, and two frames of motion of most of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    channels = [tuple(f"r{axis}" for axis in draw(AXES))[: draw(st.integers(0, 3))] for _ in range(6)]
    bones = [AcclaimBone("root", -1, np.zeros(3), rng.uniform(-180, 180, 3), draw(AXES), ("rz", "tx", "tz", "ry"))]
    for number, own in enumerate(channels):
        parent = draw(st.integers(0, number))
        bones.append(
            AcclaimBone(f"bone{number}", parent, rng.normal(0, 2, 3), rng.uniform(-180, 180, 3), draw(AXES), own)
        )
    motion = {bone.name: rng.uniform(-180, 180, (2, len(bone.channels))) for bone in bones if bone.name != "bone3"}
    return AcclaimSkeleton(tuple(bones), rng.normal(0, 1, 3), 1.0, True), motion


@given(figures())
@settings(max_examples=30, deadline=None)
def test_forward_kinematics_equal_the_recursive_ones(figure: tuple[AcclaimSkeleton, dict[str, np.ndarray]]) -> None:
    skeleton, motion = figure
    places = acclaim_places(skeleton, motion)
    expected = [[naive(skeleton, motion, frame, bone)[0] for bone in range(len(skeleton.bones))] for frame in range(2)]
    np.testing.assert_allclose(places, expected, atol=1e-9)


def test_files_become_metres_with_z_up(tmp_path: Path) -> None:
    names, places, notes = read_asf_amc(*files(tmp_path))
    assert names == ("root", "left_elbow", "left_wrist", "lwrist")
    unit = 0.0254 / 0.45
    # The first frame is the figure at rest: (X, Y, Z) of the file is (x, z, -y) here.
    np.testing.assert_allclose(places[0, 0], np.array([1, -3, 2]) * unit)
    np.testing.assert_allclose(places[0, 1], np.array([5, -3, 2]) * unit)
    # The bone "wrist" goes on straight for half the radius, and so the wrist lies beyond the radius' end.
    np.testing.assert_allclose(places[0, 2], np.array([5 + 1.45 * 2.4, -3, 2 + 1.45 * 1.8]) * unit)
    assert len(notes) == 1
    assert "1.45" in notes[0]
    np.testing.assert_allclose(places[2, 0], np.array([2, -1, 2.5]) * unit)
    asf = ASF.replace("length 1.5", "length 2.9")
    names, places, notes = read_asf_amc(*files(tmp_path, asf))
    np.testing.assert_allclose(places[0, 2], np.array([5 + 2.4, -3, 2 + 1.8]) * unit)
    assert notes == ()


def test_radians_are_read_as_such(tmp_path: Path) -> None:
    degrees = read_asf_amc(*files(tmp_path))[1]

    def in_radians(words: list[str]) -> str:
        return " ".join(str(math.radians(float(word))) for word in words)

    lines = []
    for line in AMC.splitlines():
        name, *values = line.split()
        first = 3 if name == "root" else 0
        moved = name == "root" or name.startswith("l")
        lines.append(" ".join([name, *values[:first], in_radians(values[first:])]) if moved else line)
    asf = ASF.replace("angle deg", "angle rad")
    for axis in ("0 0 30", "10 20 30"):
        asf = asf.replace(f"axis {axis}", f"axis {in_radians(axis.split())}")
    np.testing.assert_allclose(read_asf_amc(*files(tmp_path, asf, "\n".join(lines)))[1], degrees, atol=1e-12)


@pytest.mark.parametrize("clip", ["16_21", "16_57"])
def test_recordings_agree_with_another_reading_of_them(shared_data: Path, clip: str) -> None:
    raw = shared_data / "mocap" / "raw"
    names, places, _ = read_asf_amc(raw / "cmu_16.asf", raw / f"cmu_{clip}.amc")
    with h5py.File(shared_data / "mocap" / "cmu.h5") as file:
        expected = file[clip]["positions"][()]
        joints = [name.decode() for name in file[clip].attrs["joints"]]
    for column, joint in enumerate(joints):
        side = {"l_": "left_", "r_": "right_"}.get(joint[:2])
        joint = side + joint[2:] if side else joint.replace("pelvis", "root")
        # They were thinned from 120 to 60 frames/s.
        distance = np.linalg.norm(places[::2, names.index(joint)] - expected[:, column], axis=-1)
        assert distance.max() < 0.001, joint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (":bonedata", ":bones", ":bonedata.*missing"),
        (":version", "version", "starts with no :section"),
        ("length 0.45", "length 0", ":units length.*positive"),
        ("length 0.45", "length much", ":units length.*numbers"),
        ("angle deg", "angle turns", ":units angle"),
        ("order TX TY", "order TX TX", ":root order"),
        ("direction 0.8 0.6 0\n     length 3", "direction 0.8 0.6\n     length 3", "lradius direction: expected 3"),
        ("length 3", "length nan", "lradius length.*finite"),
        ("length 3", "length 1e300", "lradius length.*too large"),
        ("dof rz", "dof rz l", "lradius.*only rx, ry and rz"),
        ("20 30 ZYX", "20 30 ZYY", "lradius axis.*order"),
        ("name lwrist", "name lradius", "a name twice"),
        ("lradius lwrist", "lradius lhand", ":hierarchy.*lhand"),
        ("lhumerus lradius\n", "lradius lhumerus\n", ":hierarchy"),
        ("  end\n:hierarchy", ":hierarchy", ":bonedata.*cut off"),
        ("lradius lwrist\n  end", "lradius lwrist", ":hierarchy.*cut off"),
    ],
)
def test_bad_skeletons_are_one_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ASF
    with pytest.raises(FileFormatError, match=rf"one\.asf.*{message}"):
        read_asf(files(tmp_path, ASF.replace(old, new))[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lradius 0\n", "lhand 0\n", "bone lhand.*no such bone"),
        (
            "lradius 0\n",
            "lradius 0 0\n",
            "frame 1, bone lradius: expected lradius and 1 numbers .rz.*found 'lradius 0 0'",
        ),
        ("lhumerus 0 0 0\n", "lhumerus 0 0\n", "frame 1, bone lhumerus: expected lhumerus and 3 numbers"),
        ("lhumerus 5 -5 40.5\n", "lhumerus 5 -5\n", "frame 2, bone lhumerus: expected"),
        ("lradius 1e1\n", "lradius\n", "frame 2, bone lradius: expected"),
        ("lradius 20\n", "", "frame 3.*cut off"),
        ("lradius 20\n", "lradius\n", "frame 3, bone lradius.*cut off"),
        ("lhumerus 10 -10 81", "lhumerus 10 -10 inf", "bone lhumerus.*finite"),
        ("lhumerus 10 -10 81", "lhumerus 10 x 81", "bone lhumerus.*numbers"),
        ("\n3\n", "\n30\n", "frame numbers: 30 follows on 2"),
        ("root 0 0 0 0 0 0\nlhumerus 0 0 0\n", "lhumerus 0 0 0\n", "root is not moved"),
        ("lradius 0\n", "lradius 0\nlradius 0\n", "twice"),
        (AMC, ":DEGREES\n", "no frame number"),
        (AMC, "\x00\x01", "no frame number"),
    ],
)
def test_bad_motion_is_one_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in AMC
    with pytest.raises(FileFormatError, match=rf"one\.amc.*({message})"):
        read_asf_amc(*files(tmp_path, amc=AMC.replace(old, new)))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_one_error_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    asf, amc = files(tmp_path_factory.getbasetemp())
    broken = data.draw(st.sampled_from([asf, amc]))
    broken.write_bytes(data.draw(damaged(broken.read_bytes())))
    try:
        places = read_asf_amc(asf, amc)[1]
    except FileFormatError:
        return
    assert np.isfinite(places).all()


def test_missing_and_huge_files(tmp_path: Path) -> None:
    asf, amc = files(tmp_path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_asf(tmp_path / "none.asf")
    skeleton = read_asf(asf)
    with amc.open("r+b") as file:
        file.truncate((1 << 28) + 1)  # Takes no space on the disk.
    with pytest.raises(FileFormatError, match="over the limit"):
        read_amc(amc, skeleton)
