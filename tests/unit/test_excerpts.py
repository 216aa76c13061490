"""Excerpts of real files: the right stretch, kept on disk, decoded again when the file changes."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from mess_plugin.errors import AudioError
from mess_plugin.evaluation.excerpts import ExcerptCache, decode, duration_s
from mess_plugin.model import Float32, Interval

RATE_HZ = 48_000


def write(path: Path, stereo: Float32, codec: str) -> None:
    """(2, n) at RATE_HZ to a file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout="stereo")
        assert isinstance(stream, AudioStream)
        for start in range(0, stereo.shape[1], 4096):
            block = np.ascontiguousarray(stereo[:, start : start + 4096])
            frame = AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE_HZ, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(params=[("flac", "flac"), ("opus", "libopus"), ("mp3", "libmp3lame")])
def staircase(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Ten seconds; in second n a sine at 200 + 100 n Hz."""
    extension, codec = request.param
    time_s = np.arange(10 * RATE_HZ) / RATE_HZ
    tone = 0.5 * np.sin(2 * np.pi * (200 + 100 * np.floor(time_s)) * time_s)
    path = tmp_path / f"staircase.{extension}"
    write(path, np.stack([tone, tone]).astype(np.float32), codec)
    return path


def pitch_hz(waveform: Float32, rate_hz: int) -> float:
    power = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(power) * rate_hz / len(waveform))


def test_duration(staircase: Path) -> None:
    assert duration_s(staircase) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("second", [0, 3, 9])
def test_decodes_the_stretch_asked_for(staircase: Path, second: int) -> None:
    waveform = decode(staircase, Interval(second, second + 1), 24_000)
    assert len(waveform) == pytest.approx(24_000, abs=60)
    assert pitch_hz(waveform[1200:-1200], 24_000) == pytest.approx(200 + 100 * second, abs=2)


def test_middle_is_the_middle_or_all(staircase: Path, tmp_path: Path) -> None:
    cache = ExcerptCache(tmp_path / "cache", 24_000)
    assert len(cache.middle(staircase, 60)) == pytest.approx(240_000, rel=0.01)
    middle = cache.middle(staircase, 2)
    assert pitch_hz(middle[2400:21_600], 24_000) == pytest.approx(600, abs=2)
    assert pitch_hz(middle[26_400:45_600], 24_000) == pytest.approx(700, abs=2)


def test_kept_excerpts_are_not_decoded_again_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tone.flac"
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 2 * RATE_HZ))
    write(path, noise.astype(np.float32), "flac")
    cache = ExcerptCache(tmp_path / "cache", 24_000)
    first = cache.around(path, 1, 1)
    with monkeypatch.context() as patch:
        patch.setattr("mess_plugin.evaluation.excerpts.decode", pytest.fail)
        np.testing.assert_array_equal(cache.around(path, 1, 1), first)
    write(path, (2 * noise).astype(np.float32), "flac")
    os.utime(path, ns=(1, 1))
    assert np.abs(cache.around(path, 1, 1)).mean() > 1.5 * np.abs(first).mean()
    assert not list((tmp_path / "cache").glob("*.part"))


def test_chance_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = tmp_path / "tone.flac"
    write(path, np.full((2, RATE_HZ), 0.1, np.float32), "flac")
    one, again, other = (
        ExcerptCache(tmp_path / folder, 24_000).transformed(path, 1, "pink", seed)
        for folder, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_clear_errors(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp3"
    text.write_text("no music at all\n" * 10)
    with pytest.raises(AudioError, match="cannot be decoded as audio"):
        duration_s(text)
    short = tmp_path / "short.flac"
    write(short, np.zeros((2, RATE_HZ), np.float32), "flac")
    with pytest.raises(AudioError, match="no sound in the wanted stretch"):
        decode(short, Interval(5, 6), 24_000)
