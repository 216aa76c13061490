"""The descriptors encoder: shapes, invariances, and that it hears what it claims to hear."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin import encoders
from mess_plugin.encoders import descriptors
from mess_plugin.encoders.base import Encoder
from mess_plugin.encoders.descriptors import INFO, WIDTHS, describe_window
from mess_plugin.model import Float32, Waveform

RATE_HZ = INFO.rate_hz


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return encoders.load("descriptors")


def chord(notes_hz: list[float], duration_s: float = 5.0, harmonics: int = 6) -> Waveform:
    """Notes with decaying harmonics, struck twice a second."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = sum(
        np.sin(2 * np.pi * f * k * time_s) / k for f in notes_hz for k in range(1, harmonics + 1)
    )
    return (0.1 * tone * np.exp(-4 * (time_s % 0.5))).astype(np.float32)


def clicks(per_minute: float, duration_s: float = 5.0) -> Waveform:
    """Short noise bursts at an even tempo."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    envelope = np.exp(-60 * (time_s % (60 / per_minute)))
    return (0.3 * envelope * rng.standard_normal(len(time_s))).astype(np.float32)


def part(frames: Float32, name: str) -> Float32:
    """The columns of one descriptor."""
    widths = list(WIDTHS.values())
    start = sum(widths[: list(WIDTHS).index(name)])
    return frames[:, start : start + WIDTHS[name]]


def test_registered_and_ready() -> None:
    description = encoders.describe("descriptors")
    assert description.weights_state(None).ready
    assert (description.dim, description.rate_hz) == (INFO.dim, INFO.rate_hz)
    assert description.extra is None


@pytest.mark.parametrize(("duration_s", "n_frames"), [(5.0, 20), (0.5, 2), (0.61, 2), (30.0, 120)])
def test_four_frames_a_second(encoder: Encoder, duration_s: float, n_frames: int) -> None:
    windows = np.stack([chord([220.0], duration_s), chord([330.0], duration_s)])
    frames = encoder.encode(windows)
    assert frames.shape == (2, n_frames, INFO.dim)
    assert frames.dtype == np.float32
    assert np.isfinite(frames).all()


def test_no_windows_no_frames(encoder: Encoder) -> None:
    assert encoder.encode(np.zeros((0, 120_000), np.float32)).shape == (0, 0, INFO.dim)


def test_too_short_is_refused(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match=r"under 0\.5 s"):
        encoder.encode(np.zeros((1, 11_999), np.float32))


@pytest.mark.parametrize("value", [0.0, 1e-7, 0.5], ids=["silence", "nearly silence", "constant"])
def test_defined_for_silence(encoder: Encoder, value: float) -> None:
    frames = encoder.encode(np.full((1, 120_000), value, np.float32))
    assert np.isfinite(frames).all()
    assert np.abs(frames).max() < 100


def test_window_does_not_depend_on_its_neighbours(encoder: Encoder) -> None:
    one, other = chord([261.6, 329.6]), clicks(100)
    together = encoder.encode(np.stack([one, other]))
    np.testing.assert_array_equal(together[0], encoder.encode(one[None])[0])
    np.testing.assert_array_equal(together[1], encoder.encode(other[None])[0])


def test_gain_does_not_matter(encoder: Encoder) -> None:
    loud = chord([261.6, 329.6, 392.0])
    quiet = encoder.encode(loud[None] * np.float32(10 ** (-12 / 20)))
    np.testing.assert_allclose(quiet, encoder.encode(loud[None]), atol=2e-3)


def test_chroma_names_the_pitch_classes() -> None:
    chroma = part(describe_window(chord([440.0, 554.4, 659.3], harmonics=1)), "chroma").mean(axis=0)
    a, c_sharp, e = 0, 4, 7
    assert set(np.argsort(chroma)[-3:]) == {a, c_sharp, e}


def test_transposition_turns_chroma_and_keeps_the_intervals() -> None:
    semitone = 2 ** (1 / 12)
    notes = [440.0, 554.4, 659.3]
    before = describe_window(chord(notes, harmonics=1))
    after = describe_window(chord([f * semitone for f in notes], harmonics=1))
    turned = np.roll(part(before, "chroma").mean(axis=0), 1)
    np.testing.assert_allclose(part(after, "chroma").mean(axis=0), turned, atol=0.1)
    np.testing.assert_allclose(
        part(after, "interval content").mean(axis=0),
        part(before, "interval content").mean(axis=0),
        atol=0.1,
    )


def test_periodicity_peaks_at_the_beat() -> None:
    for per_minute in (60, 120, 240):
        periodicity = part(describe_window(clicks(per_minute)), "periodicity")[0]
        lags_s = 0.12 * 2 ** (np.arange(17) / 4)
        beat = int(np.argmin(np.abs(lags_s - 60 / per_minute)))
        assert periodicity[beat] > 0.4
        shorter = periodicity[: max(0, beat - 2)]
        assert len(shorter) == 0 or periodicity[beat] > 2 * shorter.max()


def test_timbre_tells_bright_from_dull() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(120_000).astype(np.float32)
    dull = np.convolve(noise, np.ones(32) / 32, mode="same").astype(np.float32)
    centroid = [
        part(describe_window(x), "level, centroid, flatness")[:, 1].mean() for x in (noise, dull)
    ]
    assert centroid[0] > centroid[1] + 5


def test_scale_makes_descriptors_commensurate(encoder: Encoder) -> None:
    music = np.stack([chord([220.0, 277.2]), clicks(90), chord([98.0, 147.0]) + clicks(130)])
    spread = np.abs(encoder.encode(music)).mean(axis=(0, 1))
    assert spread.max() < 20
    mean, scale = descriptors._scale()
    assert mean.shape == scale.shape == (INFO.dim,)
    assert (scale > 0).all()
