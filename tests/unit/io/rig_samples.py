"""Rigs that the tests of rig files write, and how they compare."""

import string

import cv2
import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lift3d.geometry.cameras import Camera
from lift3d.geometry.rigs import Rig

QUALISYS = """<?xml version='1.0' encoding='ASCII'?>
<calibration source="wand"><cameras>
<camera active="1" model="none" serial="left" viewrotation="90">
<fov_video bottom="819" left="100" right="1199" top="20"/>
<transform r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0" x="1000" y="-3000" z="1500"/>
<intrinsic centerPointU="41600" centerPointV="26880" focalLengthU="64000" focalLengthV="64064" skew="0"
 radialDistortion1="-0.1" radialDistortion2="0.02" radialDistortion3="0.003"
 tangentalDistortion1="0.001" tangentalDistortion2="-0.002"/>
</camera></cameras></calibration>
"""


def make_rig() -> Rig:
    """Three cameras of every lens model, with a name that needs escapes."""
    rng = np.random.default_rng(3)

    def pose() -> tuple[np.ndarray, np.ndarray]:
        return cv2.Rodrigues(rng.normal(size=3))[0], rng.normal(size=3)

    K = np.array([[1000.123456789, 0, 640.1], [0, 1001.3, 359.9], [0, 0, 1]])
    cameras = [
        Camera(K, [-0.1, 0.02, 0.001, -0.002, 0.03], *pose(), image_size=(1280, 720), name="cam10"),
        Camera(K, [0.1, 0.2, 0.01, 0.02, 0.3, 0.1, 0.2, 0.01], *pose(), image_size=(1280, 720), name="cam2"),
        Camera(K, [0.1, 0.2, 0.01, 0.02], *pose(), name='fish "eye" \\ ä\n', fisheye=True),
    ]
    return Rig(tuple(cameras), {"error": 0.25, "adjusted": True})


@st.composite
def rigs(
    draw: st.DrawFn,
    coefficients: int = 5,
    cameras: int = 4,
    fisheye: bool = False,
    skew: bool = True,
    names: str = string.ascii_letters + string.digits + "_-",
) -> Rig:
    """A rig that a format can hold.

    Args:
        coefficients: how many of the first coefficients may be other than 0.
        cameras: at most so many.
        fisheye: whether all cameras may be fisheyes.
        skew: whether K may have one.
        names: the letters of the names.
    """
    turned = fisheye and draw(st.booleans())
    width, height = draw(st.integers(2, 8000)), draw(st.integers(2, 8000))
    small = st.floats(-1, 1)
    made = []
    for name in draw(st.lists(st.text(names, min_size=1, max_size=8), min_size=1, max_size=cameras, unique=True)):
        axis = np.array(draw(st.tuples(small, small, small).filter(lambda v: sum(map(abs, v)) > 1e-3)))
        # Half a turn, at which rotation vectors change sign, among the angles.
        angle = draw(st.one_of(st.floats(0, np.pi), st.just(np.pi), st.just(0.0), st.floats(3.1415, np.pi)))
        K = np.array(
            [
                [draw(st.floats(1, 1e5)), draw(small) if skew else 0.0, width * draw(st.floats(0.01, 0.99))],
                [0.0, draw(st.floats(1, 1e5)), height * draw(st.floats(0.01, 0.99))],
                [0.0, 0.0, 1.0],
            ]
        )
        size = 4 if turned else 8 if coefficients == 8 else 5
        used = min(size, 4 if turned else coefficients)
        distortion = [draw(st.floats(-2, 2)) for _ in range(used)] + [0.0] * (size - used)
        t = [draw(st.floats(-90, 90)) for _ in range(3)]
        R = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
        made.append(Camera(K, distortion, R, t, image_size=(width, height), name=name, fisheye=turned))
    return Rig(tuple(made))


def assert_same(a: Rig, b: Rig, tolerance: float = 0.0) -> None:
    """Assert that two rigs hold the same cameras.

    Args:
        a, b: the rigs.
        tolerance: by how much K (relative) and t (metres) may differ, where the format counts in other units.
    """
    assert a.names == b.names
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one.K, other.K, rtol=tolerance, atol=0)
        np.testing.assert_array_equal(one.distortion, other.distortion)
        np.testing.assert_allclose(one.R, other.R, atol=1e-14)
        np.testing.assert_allclose(one.t, other.t, rtol=0, atol=tolerance)
        assert (one.image_size, one.fisheye) == (other.image_size, other.fisheye)
