"""How much of a file the encoder is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mess_plugin import encoders
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.library.hearing import Heard, hear, hear_whole
from mess_plugin.model import Float32, Level, Projection
from mess_plugin.spaces.recipe import Recipe
from tests.audio_files import music, write_audio


@dataclass
class Counting:
    """The real encoder, and how many windows it was given."""

    inner: Encoder
    n_windows: int = 0

    @property
    def info(self) -> EncoderInfo:
        return self.inner.info

    @property
    def projections(self) -> Mapping[Level, Projection]:
        return self.inner.projections

    def encode(self, windows: Float32) -> Float32:
        self.n_windows += len(windows)
        return self.inner.encode(windows)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 s, that is 12 windows of 5 s."""
    path = tmp_path_factory.mktemp("hearing") / "song.wav"
    return write_audio(path, music(60.0, 24000, channels=1), 24000)


@pytest.mark.parametrize(
    ("listen", "coverage", "n_heard"), [(hear, 1.0, 12), (hear, 0.5, 6), (hear_whole, 0.5, 6)]
)
def test_the_encoder_hears_its_share(
    song: Path, listen: Callable[..., Heard], coverage: float, n_heard: int
) -> None:
    encoder = Counting(encoders.load("descriptors"))
    heard = listen(song, encoder, Recipe("descriptors", None, 5.0, 2.5, coverage=coverage), None)
    assert encoder.n_windows == n_heard
    assert heard.analysis.duration_s == pytest.approx(60.0)
