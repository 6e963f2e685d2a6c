"""Identities over frames: synthetic people whose identity is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lift3d.detectors.tracking import assign_tracks, track_people

RNG = np.random.default_rng(0)
FIGURE = RNG.normal(0, 1, (17, 2)) * [25, 60]
OTHER = RNG.normal(0, 1, (17, 2)) * [25, 60]


def walk(paths: np.ndarray, figures: list[np.ndarray], noise: float = 1.0, seed: int = 0) -> np.ndarray:
    """(frames, people, 17, 2) from the paths (frames, people, 2) of the people's centres."""
    rng = np.random.default_rng(seed)
    xy = paths[:, :, None] + np.stack(figures)
    return xy + rng.normal(0, noise, xy.shape)


def shuffled(
    xy: np.ndarray, present: np.ndarray, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Frames with the people who are present in random order, confidences, and the person behind each detection."""
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.flatnonzero(present[t])) for t in range(len(xy))]
    frames = [xy[t, who] for t, who in enumerate(order)]
    return frames, [np.ones(frame.shape[:2]) for frame in frames], order


def same_people(assigned: list[list[int]], truth: list[np.ndarray]) -> bool:
    """Whether tracks and people are the same up to their numbers."""
    pairs = {(int(who), track) for t, frame in enumerate(assigned) for who, track in zip(truth[t], frame, strict=True)}
    return len(pairs) == len({who for who, _ in pairs}) == len({track for _, track in pairs})


def crossing() -> np.ndarray:
    """Two people who walk towards each other and pass at the same height: (frames, 2, 2)."""
    along = np.linspace(100, 700, 60)
    return np.stack([np.column_stack([along, along * 0 + 300]), np.column_stack([800 - along, along * 0 + 305])], 1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_within_frames_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = np.array([[150, 300], [400, 320], [650, 280]])
    paths = start + np.cumsum(rng.normal(0, 4, (50, 3, 2)), axis=0)
    xy = walk(paths, [FIGURE, OTHER, FIGURE], seed=seed)
    frames, confidences, truth = shuffled(xy, np.ones((50, 3), bool), seed)
    assert same_people(assign_tracks(frames, confidences)[0], truth)


@pytest.mark.parametrize("seed", range(8))
def test_crossing_people_keep_their_identities(seed: int) -> None:
    # The very same figure, so that only motion tells the two apart.
    xy = walk(crossing(), [FIGURE, FIGURE], seed=seed)
    frames, confidences, truth = shuffled(xy, np.ones((60, 2), bool), seed)
    assert same_people(assign_tracks(frames, confidences)[0], truth)


@pytest.mark.parametrize("seed", range(8))
def test_occlusion_while_crossing(seed: int) -> None:
    """The person behind is not detected for 12 frames around the crossing, and is the same person afterwards."""
    present = np.ones((60, 2), bool)
    present[24:36, 1] = False
    xy = walk(crossing(), [FIGURE, FIGURE], seed=seed)
    frames, confidences, truth = shuffled(xy, present, seed)
    assert same_people(assign_tracks(frames, confidences)[0], truth)


def test_missing_joints() -> None:
    """Most joints come and go at random; identities stay."""
    rng = np.random.default_rng(4)
    xy = walk(crossing(), [FIGURE, OTHER])
    xy[rng.random(xy.shape[:3]) < 0.6] = np.nan
    frames, confidences, truth = shuffled(xy, np.ones((60, 2), bool), 1)
    assert same_people(assign_tracks(frames, confidences)[0], truth)


def test_birth_and_death() -> None:
    """One leaves at frame 20, another comes at frame 30 on the other side: two identities, not one."""
    paths = np.stack([np.full((60, 2), 100.0), np.full((60, 2), (900.0, 300.0))], axis=1)
    present = np.zeros((60, 2), bool)
    present[:20, 0] = present[30:, 1] = True
    frames, confidences, truth = shuffled(walk(paths, [FIGURE, FIGURE]), present, 0)
    assert same_people(assign_tracks(frames, confidences)[0], truth)


def test_ghosts_are_dropped_and_said() -> None:
    paths = np.stack([np.full((60, 2), 100.0), np.full((60, 2), (900.0, 300.0))], axis=1)
    present = np.zeros((60, 2), bool)
    present[:, 0], present[31:33, 1] = True, True
    tracks = track_people(*shuffled(walk(paths, [FIGURE, FIGURE]), present, 0)[:2])
    assert tracks.xy.shape == (60, 1, 17, 2)
    assert tracks.track_ids == (0,)
    assert any("1 tracks seen in fewer than 5 frames were dropped (2 detections)" in step for step in tracks.steps)


def test_a_few_frames_keep_everyone() -> None:
    frames, confidences, _ = shuffled(walk(crossing()[:3], [FIGURE, OTHER]), np.ones((3, 2), bool), 0)
    assert track_people(frames, confidences).xy.shape[1] == 2


def test_second_detection_of_a_person_is_suppressed() -> None:
    xy = walk(crossing()[:, :1], [FIGURE], noise=0)
    again = xy + np.random.default_rng(1).normal(0, 1, xy.shape)
    again[:, :, 12:] = np.nan
    frames = [np.concatenate([again[t], xy[t]]) for t in range(60)]
    confidences = [np.stack([np.full(17, 0.5), np.full(17, 0.9)]) for _ in range(60)]
    tracks = track_people(frames, confidences)
    np.testing.assert_allclose(tracks.xy[:, 0], xy[:, 0], rtol=1e-6)
    assert tracks.xy.shape[1] == 1
    assert any("60 second detections" in step for step in tracks.steps)


def test_two_people_close_together_are_not_duplicates() -> None:
    paths = np.stack([np.full((20, 2), 300.0), np.full((20, 2), (330.0, 300.0))], axis=1)
    frames, confidences, truth = shuffled(walk(paths, [FIGURE, OTHER]), np.ones((20, 2), bool), 0)
    assigned, _ = assign_tracks(frames, confidences)
    assert same_people(assigned, truth)
    assert all(track >= 0 for frame in assigned for track in frame)


def test_result_holds_the_detections_unchanged() -> None:
    xy = walk(crossing(), [FIGURE, OTHER])
    tracks = track_people(list(xy), [np.full((2, 17), 0.7) for _ in xy])
    np.testing.assert_array_equal(tracks.xy, xy.astype(np.float32))
    assert (tracks.confidence == np.float32(0.7)).all()


def test_nobody() -> None:
    tracks = track_people([np.empty((0, 17, 2))] * 4, [np.empty((0, 17))] * 4)
    assert tracks.xy.shape == (4, 0, 17, 2)
    assert tracks.track_ids == ()
