"""Stretches as files: the very samples of the source, named for people, and no further."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from mess_plugin.audio.excerpts import write_excerpt
from mess_plugin.errors import AudioError
from mess_plugin.model import Interval, Match, Tags, Track
from mess_plugin.search.excerpts import MOST_S, write_excerpts
from tests.audio_files import music, write_audio


def _samples(path: Path) -> tuple[np.ndarray, int]:
    """(n_samples, channels) in [-1, 1] of a WAV file of 24 bits, and its rate."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 3
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, 3)
        padded = np.concatenate([np.zeros((len(raw), 1), np.uint8), raw], axis=1)
        whole = padded.view("<i4").reshape(-1, file.getnchannels()) / 2**31
        return whole, file.getframerate()


@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 2), (48000, 1), (22050, 2)])
def test_an_excerpt_holds_the_samples_of_its_source(
    tmp_path: Path, rate_hz: int, channels: int
) -> None:
    sound = music(8.0, rate_hz, channels=channels, seed=3)
    source = write_audio(tmp_path / "song.flac", sound, rate_hz)
    whole = write_excerpt(source, Interval(0.0, 100.0), tmp_path / "whole.wav")
    assert whole.end_s == pytest.approx(8.0, abs=1e-6)
    expected, _ = _samples(tmp_path / "whole.wav")
    written = write_excerpt(source, Interval(5.25, 6.75), tmp_path / "part.wav")
    assert written == Interval(5.25, 6.75)
    part, its_rate_hz = _samples(tmp_path / "part.wav")
    assert (its_rate_hz, part.shape) == (rate_hz, (round(1.5 * rate_hz), channels))
    start = round(5.25 * rate_hz)
    np.testing.assert_array_equal(part, expected[start : start + len(part)])
    np.testing.assert_allclose(expected[: sound.shape[1]], sound.T, atol=2**-14)


def test_what_cannot_be_cut_leaves_no_file(tmp_path: Path) -> None:
    source = write_audio(tmp_path / "song.flac", music(3.0, 22050, channels=1), 22050)
    with pytest.raises(AudioError, match="ends before 9 s"):
        write_excerpt(source, Interval(9.0, 10.0), tmp_path / "out.wav")
    (tmp_path / "text.flac").write_text("no sound")
    with pytest.raises(AudioError):
        write_excerpt(tmp_path / "text.flac", Interval(0.0, 1.0), tmp_path / "out.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.flac", "text.flac"]


def test_files_are_named_for_people_and_for_every_file_system(tmp_path: Path) -> None:
    source = write_audio(tmp_path / "song.flac", music(3.0, 22050, channels=1), 22050)
    tags = Tags(artist="AC/DC", title='What? "Why": \\0')
    tracks = [
        Track(1, 3.0, tags, (str(source),)),
        Track(2, 3.0, Tags(), (str(tmp_path / "gone.flac"),)),
        Track(3, 3.0, Tags(), (str(source),)),
    ]
    stretches = [Interval(1.0, 2.0), None, None]
    matches = [
        Match(rank, 0.914, track, None, stretch)
        for rank, (track, stretch) in enumerate(zip(tracks, stretches, strict=True), start=1)
    ]
    written, problems = write_excerpts(matches, tmp_path / "new" / "folder")
    assert [path.name for path in written] == [
        "01 0.91 AC_DC - What_ _Why_ _0 0.01-0.02.wav", "03 0.91 song 0.00-0.03.wav",
    ]  # fmt: skip
    assert len(problems) == 1
    assert "gone.flac" in problems[0]
    assert MOST_S >= 30
