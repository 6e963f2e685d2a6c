"""Damaged files of every format: either a valid container or a named error, never anything else, and little memory."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import keypoint_samples as samples
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lift3d.errors import Lift3DError
from lift3d.io.keypoints import read_keypoints
from lift3d.io.restricted_pickle import restricted_loads
from lift3d.poses import Keypoints2D

MOST_MEMORY = 50 << 20
JSON_FORMATS = ("openpose", "labelme", "mmpose", "alphapose", "coco", "mediapipe")
WRITERS = {**samples.WRITERS, "deeplabcut_h5": samples.deeplabcut_h5,
           "deeplabcut_fixed": lambda folder: samples.deeplabcut_h5(folder, "fixed")}  # fmt: skip
# LIFT3D_FUZZ=50 fuzzes fifty times longer.
SCALE = int(os.environ.get("LIFT3D_FUZZ", "1"))


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples * SCALE,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def survives(path: Path, **arguments: Any) -> None:
    """Reading gives a container that keeps its contract, or a Lift3DError; memory stays small."""
    tracemalloc.start()
    try:
        keypoints = read_keypoints(path, **arguments)
    except Lift3DError:
        pass
    else:
        assert isinstance(keypoints, Keypoints2D)
        assert not np.isinf(keypoints.xy).any()
        assert ((keypoints.confidence >= 0) & (keypoints.confidence <= 1)).all()
        assert (keypoints.confidence[np.isnan(keypoints.xy).any(axis=-1)] == 0).all()
        assert keypoints.provenance["steps"]
        json.dumps(keypoints.provenance)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST_MEMORY


@pytest.fixture(params=WRITERS)
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, Path]:
    """Format, what to read, and the file of it to damage."""
    path = WRITERS[request.param](tmp_path)
    return (
        request.param.partition("_h5")[0].partition("_fixed")[0],
        path,
        sorted(path.iterdir())[2] if path.is_dir() else path,
    )


@fuzz(8)
@given(data=st.data())
def test_truncated(sample: tuple[str, Path, Path], data: st.DataObject) -> None:
    name, path, file = sample
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        survives(path)
        survives(path, format=name)
    finally:
        file.write_bytes(whole)


@fuzz(12)
@given(data=st.data())
def test_flipped_bits(sample: tuple[str, Path, Path], data: st.DataObject) -> None:
    name, path, file = sample
    whole = file.read_bytes()
    damaged = bytearray(whole)
    # Headers are where it hurts, so half of the flips go there.
    places = st.one_of(st.integers(0, len(whole) - 1), st.integers(0, min(len(whole), 4096) - 1))
    for place, bit in data.draw(st.lists(st.tuples(places, st.integers(0, 7)), min_size=1, max_size=6)):
        damaged[place] ^= 1 << bit
    try:
        file.write_bytes(damaged)
        survives(path)
        survives(path, format=name)
    finally:
        file.write_bytes(whole)


odd_values = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**30), st.just(10**400), st.floats(), st.just(1e300),
    st.text(max_size=4), st.just([]), st.just({}), st.just([[1.0, 2.0, 3.0]]), st.just([float("nan")] * 75),
    st.just({"a": [1]}), st.just([1, "x"]), st.just("12.jpg"), st.just([None] * 51),
)  # fmt: skip


def nodes(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value in a JSON tree."""
    found: list[tuple[Any, Any]] = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found.append((tree, key))
        found += nodes(value)
    return found


@fuzz(25)
@given(data=st.data())
@pytest.mark.parametrize("name", JSON_FORMATS)
def test_wrong_types_in_json(name: str, tmp_path: Path, data: st.DataObject) -> None:
    path = samples.WRITERS[name](tmp_path)
    file = sorted(path.iterdir())[2] if path.is_dir() else path
    whole = file.read_text()
    holder = [copy.deepcopy(json.loads(whole))]
    for _ in range(data.draw(st.integers(1, 3))):
        places = [(holder, 0), *nodes(holder[0])]
        # Places near the root are few and matter most.
        index = data.draw(st.one_of(st.integers(0, min(20, len(places) - 1)), st.integers(0, len(places) - 1)))
        container, key = places[index]
        if data.draw(st.integers(0, 3)) or isinstance(container, list):
            container[key] = copy.deepcopy(data.draw(odd_values))
        else:
            del container[key]
    try:
        file.write_text(json.dumps(holder[0]))
        survives(path)
        survives(path, format=name)
    finally:
        file.write_text(whole)


@fuzz(100)
@given(data=st.binary(max_size=200), name=st.sampled_from(sorted(samples.WRITERS)))
def test_anything_at_all(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    survives(path)
    survives(path, format=name)


@fuzz(200)
@given(data=st.data())
def test_damaged_pickles(data: st.DataObject) -> None:
    value = {"S1": {"Walk": [np.arange(12.0).reshape(3, 2, 2), np.float64(3)]}, "names": ("a", "b"), "n": None}
    whole = bytearray(pickle.dumps(value, protocol=data.draw(st.integers(0, 5))))
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        whole[place] = byte
    with contextlib.suppress(Lift3DError):
        restricted_loads(bytes(whole), "file")
