"""Offsets from sound: videos written with known offsets, and sounds with known drifts."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lift3d.errors import FileFormatError, Lift3DError, MissingDependencyError
from lift3d.multiview import sync_audio
from lift3d.multiview.sound import RATE, Sound, read_sound
from lift3d.multiview.sound_delays import Delays
from lift3d.multiview.sync_audio import find_audio_offsets, solve_clocks

av = pytest.importorskip("av")
RECORDED = 44100


def claps(seconds: float, times: np.ndarray, rate: int, seed: int = 0) -> np.ndarray:
    """Short bursts of noise at the given times, (samples,)."""
    generator = np.random.default_rng(seed)
    length = int(0.06 * rate)
    sound = np.zeros(int(seconds * rate) + length)
    for time in times:
        first = round(time * rate)
        sound[first : first + length] += generator.normal(size=length) * np.exp(-np.arange(length) / (0.008 * rate))
    return sound


def echoing(sound: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """The sound in a room of its own: gain, three echoes and noise."""
    generator = np.random.default_rng(seed)
    heard = sound.copy()
    for _ in range(3):
        late = int(generator.uniform(0.008, 0.09) * rate)
        heard[late:] += generator.uniform(0.2, 0.5) * sound[:-late]
    return generator.uniform(0.1, 0.8) * (heard + 0.02 * generator.normal(size=len(sound)))


def write_video(
    path: Path, sound: np.ndarray | None, rate: int, codec: str, late: float = 0.0, picture: bool = True
) -> Path:
    """A video of 32 x 32 pixels at 25 frames/s; ``late`` is when its sound starts after its picture."""
    with av.open(str(path), "w") as container:
        if picture:
            video = container.add_stream("mpeg4", rate=25)
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
        if sound is not None:
            audio = container.add_stream(codec, rate=rate)
            audio.layout = "mono"
        if picture:
            for index in range(25 * 8):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), index % 200, np.uint8), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if sound is not None:
            samples = (np.clip(sound, -1, 1) * 32000).astype(np.int16)
            for first in range(0, len(samples), 1024):
                block = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="s16", layout="mono")
                block.rate, block.pts, block.time_base = rate, first + round(late * rate), Fraction(1, rate)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize(("codec", "ending"), [("pcm_s16le", "mov"), ("aac", "mp4")])
def test_claps_in_videos_are_found_to_a_tenth_of_a_millisecond(codec: str, ending: str, tmp_path: Path) -> None:
    offsets = np.array([0.0, 1.23456, -2.5])
    scene = claps(14, np.array([3.1, 4.0, 5.3, 6.9, 7.2, 8.8]), RECORDED)
    videos = {}
    for index, offset in enumerate(offsets):
        first = round((offset + 2.5) * RECORDED)
        heard = echoing(scene[first : first + 9 * RECORDED], RECORDED, index)
        videos[f"cam{index}"] = write_video(tmp_path / f"cam{index}.{ending}", heard, RECORDED, codec)
    calls: list[tuple[int, int]] = []
    found = find_audio_offsets(videos, progress=lambda *call: calls.append(call))
    assert np.abs(found.offsets - offsets).max() < 1e-4
    assert (found.offset_sigmas[1:] < 1e-3).all()
    assert [camera.fps for camera in found.cameras] == [25, 25, 25]
    assert calls[-1] == (6, 6)
    assert "2.9 ms" in found.notes[-1]


def test_sound_that_starts_after_the_picture_is_placed_right(tmp_path: Path) -> None:
    scene = claps(10, np.array([2.0, 2.7, 4.4]), RECORDED)
    whole = write_video(tmp_path / "a.mov", scene[: 8 * RECORDED], RECORDED, "pcm_s16le")
    late = write_video(tmp_path / "b.mov", scene[RECORDED : 8 * RECORDED], RECORDED, "pcm_s16le", late=1.0)
    assert read_sound("b", late).start == pytest.approx(1.0, abs=1e-4)
    assert abs(find_audio_offsets({"a": whole, "b": late}).offsets[1]) < 1e-4


def heard(scene: Callable[[np.ndarray], np.ndarray], offset: float, drift: float, seconds: float, name: str) -> Sound:
    """What a camera hears that starts at ``offset`` and whose seconds are ``drift`` parts per million longer."""
    times = np.arange(int(seconds * RATE)) / RATE * (1 + drift * 1e-6) + offset
    noise = np.random.default_rng(len(name)).normal(size=len(times)) * 30
    return Sound(name, (scene(times) + noise).astype(np.int16), 0.0, 50.0)


def listen(monkeypatch: pytest.MonkeyPatch, sounds: list[Sound]) -> dict[str, str]:
    """Let ``find_audio_offsets`` hear the sounds; its argument."""
    by_name = {sound.name: sound for sound in sounds}
    monkeypatch.setattr(sync_audio, "read_sound", lambda name, path: by_name[name])
    return {name: name for name in by_name}


def noise_scene(seconds: float, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    generator = np.random.default_rng(seed)
    count = int((seconds + 4) * RATE)
    sound = generator.normal(size=count) * 3000 * np.repeat(generator.random(count // 2000 + 1), 2000)[:count]
    sound = np.convolve(sound, [0.25, 0.5, 0.25], "same")
    return lambda times: np.interp((times + 2) * RATE, np.arange(count), sound)


def test_drift_is_found_and_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = noise_scene(320)
    videos = listen(monkeypatch, [heard(scene, 0, 0, 300, "a"), heard(scene, 1.7, 80, 300, "b")])
    found = find_audio_offsets(videos, max_offset=5, drift=True)
    assert found["b"].drift == pytest.approx(80, abs=max(2, 5 * found["b"].drift_sigma))
    assert found["b"].offset == pytest.approx(1.7, abs=1e-3)
    noticed = find_audio_offsets(videos, max_offset=5)
    assert any("its clock seems to drift by" in note for note in noticed.notes)


def test_regular_claps_are_told_apart_by_their_waveforms(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = claps(32, np.arange(1.0, 30), RATE) * 8000
    different = lambda times: np.interp((times + 3) * RATE, np.arange(len(sound)), sound)  # noqa: E731
    videos = listen(monkeypatch, [heard(different, 0, 0, 20, "a"), heard(different, 2.31, 0, 20, "b")])
    found = find_audio_offsets(videos)
    assert found.offsets[1] == pytest.approx(2.31, abs=2e-4)
    one = claps(1, np.array([0.2]), RATE)[:RATE] * 8000
    metronome = lambda times: np.interp((times + 3) % 1, np.arange(RATE) / RATE, one)  # noqa: E731
    videos = listen(monkeypatch, [heard(metronome, 0, 0, 20, "a"), heard(metronome, 2.31, 0, 20, "b")])
    assert any("repeats itself" in note for note in find_audio_offsets(videos).notes)


def test_sounds_of_different_places_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    videos = listen(monkeypatch, [heard(noise_scene(20, seed), 0, 0, 20, name) for seed, name in enumerate("ab")])
    with pytest.raises(Lift3DError, match="fits none of the others at any offset up to 10 s"):
        find_audio_offsets(videos, max_offset=10)


def test_clocks_are_solved_from_delays_of_all_pairs() -> None:
    offsets, drifts = np.array([0, 2.0, -1.0]), np.array([0, 5e-5, -2e-5])
    measured = {}
    for a, b in ((0, 1), (1, 2), (0, 2)):
        times = np.linspace(5, 500, 20)
        other = (times * (1 + drifts[a]) + offsets[a] - offsets[b]) / (1 + drifts[b])
        measured[a, b] = Delays(times, times - other, 1e-4)
    measured[0, 2].values[3] += 0.05  # one stretch where an echo was taken for the sound
    state, sigmas = solve_clocks(measured, 3, True)
    np.testing.assert_allclose(state, [offsets, drifts], atol=1e-7)
    assert (sigmas[:, 1:] > 0).all()
    np.testing.assert_array_equal(sigmas[:, 0], 0)


def test_videos_without_sound_are_named(tmp_path: Path) -> None:
    good = claps(8, np.array([2.0]), RECORDED)
    mute = write_video(tmp_path / "mute.mov", None, RECORDED, "pcm_s16le")
    silent = write_video(tmp_path / "silent.mov", np.zeros(8 * RECORDED), RECORDED, "pcm_s16le")
    blind = write_video(tmp_path / "blind.wav", good, RECORDED, "pcm_s16le", picture=False)
    torn = tmp_path / "torn.mov"
    torn.write_bytes(write_video(tmp_path / "whole.mov", good, RECORDED, "pcm_s16le").read_bytes()[:5000])
    for path, message in (
        (mute, "no sound"),
        (silent, "silent"),
        (blind, "no picture"),
        (torn, "cannot be decoded"),
        (tmp_path / "none.mov", "there is no such video"),
    ):
        with pytest.raises(FileFormatError, match=message) as caught:
            read_sound("cam", path)
        assert str(path) in str(caught.value)


def test_bad_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Lift3DError, match="two videos or more"):
        find_audio_offsets({"a": tmp_path / "a.mp4"})
    with pytest.raises(Lift3DError, match="largest offset"):
        find_audio_offsets({"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"}, max_offset=float("nan"))


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    normal = builtins.__import__

    def without_av(name: str, *rest: object) -> object:
        if name == "av":
            raise ImportError(name)
        return normal(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(MissingDependencyError, match=r"lift3d\[detect\]"):
        read_sound("cam", tmp_path / "a.mp4")
