"""The shipped encoder: what it promises for any sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mess_plugin import encoders
from mess_plugin.analysis.pooling import project
from mess_plugin.encoders.base import Encoder, EncoderOptions
from mess_plugin.encoders.mini.spectra import N_TONES, spectra
from mess_plugin.errors import ConfigError, MissingWeights, WrongWeights
from mess_plugin.model import Level

RATE_HZ = 24_000


@pytest.fixture(scope="module")
def mini() -> Encoder:
    return encoders.load("mess-mini")


def chord(seconds: float, seed: int = 0) -> np.ndarray:
    """Plucked notes with a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    notes = sum(np.sin(2 * np.pi * f * t) for f in 220 * 2 ** (rng.integers(0, 24, 3) / 12))
    decay = np.exp(-3 * (t % 0.5))
    sound: np.ndarray = 0.1 * notes * decay + 0.002 * rng.standard_normal(len(t))
    return sound.astype(np.float32)


def song_vectors(mini: Encoder, windows: np.ndarray) -> np.ndarray:
    frames = mini.encode(windows)
    return project(frames.mean(axis=1), mini.projections[Level.SONG])


@pytest.mark.parametrize("seconds", [0.25, 0.4, 1.0, 3.3, 10.0])
def test_any_length_gives_finite_frames_four_a_second(mini: Encoder, seconds: float) -> None:
    frames = mini.encode(chord(seconds)[None])
    assert frames.shape == (1, int(seconds * 4), mini.info.dim)
    assert frames.dtype == np.float32
    assert np.isfinite(frames).all()


def test_windows_below_a_frame_are_refused(mini: Encoder) -> None:
    with pytest.raises(ValueError, match="5999 samples are under 6000"):
        mini.encode(np.zeros((1, 5999), np.float32))


def test_no_windows_give_no_frames(mini: Encoder) -> None:
    assert mini.encode(np.zeros((0, 240_000), np.float32)).shape == (0, 0, mini.info.dim)


def test_silence_is_defined(mini: Encoder) -> None:
    silence = mini.encode(np.zeros((2, 48_000), np.float32))
    assert np.isfinite(silence).all()
    np.testing.assert_allclose(silence[0], silence[1], atol=1e-4)


def test_gain_does_not_matter(mini: Encoder) -> None:
    window = chord(5.0)
    loud, quiet = song_vectors(mini, np.stack([window, window * np.float32(0.01)]))
    assert loud @ quiet > 0.99999


def test_neighbours_do_not_matter(mini: Encoder) -> None:
    windows = np.stack([chord(2.0, seed) for seed in range(3)])
    np.testing.assert_allclose(mini.encode(windows)[1], mini.encode(windows[1:2])[0], atol=1e-4)


def test_other_music_is_further_away_than_the_same_music_in_noise(mini: Encoder) -> None:
    rng = np.random.default_rng(1)
    here, other = chord(8.0, 1), chord(8.0, 2)
    noise = rng.standard_normal(len(here)).astype(np.float32)
    noisy = here + noise * np.float32(0.1 * here.std())
    vectors = song_vectors(mini, np.stack([here, noisy, other]))
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_projections_fit_the_frames_at_every_level(mini: Encoder) -> None:
    assert set(mini.projections) == set(Level)
    for projection in mini.projections.values():
        assert projection.matrix.shape == (mini.info.dim, 256)
        assert projection.matrix.dtype == np.float32


def test_description_agrees_with_the_loaded_encoder(mini: Encoder) -> None:
    row = encoders.describe("mess-mini")
    assert (row.dim, row.rate_hz, row.licence) == (
        mini.info.dim, mini.info.rate_hz, mini.info.licence,
    )  # fmt: skip
    assert row.weights_state(None).ready


def test_a_semitone_is_one_band() -> None:
    t = np.arange(48_000) / RATE_HZ
    peaks = [
        int(spectra(np.sin(2 * np.pi * f * t).astype(np.float32)).tones.mean(axis=0).argmax())
        for f in 440 * 2 ** (np.arange(0, 37) / 12)
    ]
    assert peaks == list(range(45, 82))
    assert max(peaks) < N_TONES


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match="no choice of layers"):
        encoders.load("mess-mini", EncoderOptions(layers="3"))
    with pytest.raises(ConfigError, match="runs on the CPU"):
        encoders.load("mess-mini", EncoderOptions(device="cuda"))


def test_missing_and_wrong_weights(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"mess-mini\.safetensors"):
        encoders.load("mess-mini", EncoderOptions(weights=tmp_path))
    (tmp_path / "mess-mini.safetensors").write_bytes(b"not weights")
    with pytest.raises(WrongWeights, match="cannot be read"):
        encoders.load("mess-mini", EncoderOptions(weights=tmp_path))


def test_it_needs_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys, numpy as np; from mess_plugin import encoders;"
        "encoders.descriptions(); assert 'safetensors' not in sys.modules;"
        "encoders.load('mess-mini').encode(np.zeros((1, 24000), np.float32));"
        "assert not {'torch', 'onnxruntime', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_vector_on_every_machine(mini: Encoder) -> None:
    """Golden numbers of the shipped weights: a new revision brings new ones."""
    t = np.arange(96_000) / RATE_HZ
    low = 0.2 * np.sin(2 * np.pi * 220 * t) * np.exp(-3 * (t % 0.5))
    high = 0.1 * np.sin(2 * np.pi * 1760 * t) * (t % 1 < 0.2)
    vector = song_vectors(mini, (low + high).astype(np.float32)[None])[0]
    assert mini.info.revision == "ba816f36"
    golden = [0.10023, 0.15212, -0.07204, -0.01279, 0.13749, 0.04398, -0.08268, -0.08032]
    np.testing.assert_allclose(vector[:8], golden, atol=1e-3)
