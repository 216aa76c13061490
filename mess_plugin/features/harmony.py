"""Which pitches sound: chroma from spectral peaks, and what of it survives transposition."""

from __future__ import annotations

from functools import cache

import numpy as np

from mess_plugin.features.decimation import Decimator
from mess_plugin.features.spectra import (
    RATE_HZ,
    bin_frequencies_hz,
    centre_times_s,
    short_time_power,
)
from mess_plugin.model import Float32, Waveform

FFT_SAMPLES = 8192  # 2.9 Hz per bin: semitones are apart from about 110 Hz upwards
HOP_SAMPLES = 3000  # 8 spectra per second
LOWEST_HZ = 110.0  # A2
OCTAVES = 5  # up to 3520 Hz
BINS_PER_SEMITONE = 3  # so that a recording tuned off 440 Hz falls between bins, not off them
BINS_PER_OCTAVE = 12 * BINS_PER_SEMITONE
_DECIMATION = 2  # of the sound before its spectra: nothing above the highest pitch counts
_LOW_PASS_TAPS = 31
_LOW_PASS_BETA = (
    9.0  # passes the highest pitch within 0.001 dB, and what would fold onto it at -90 dB
)
FLOOR = np.float32(1e-6)  # -60 dB relative to the window's mean power


def harmony(normalised: Waveform) -> tuple[Float32, Float32]:
    """Chroma, its transposition-invariant part and tonalness of one window.

    normalised: loudness-normalised, at least FFT_SAMPLES long. Returns (n_spectra, 19) and the
    centres in seconds. Chroma has unit length, A first, or is zero where nothing stands out. Peaks
    are measured against their neighbourhood of an octave, so that noise and filters matter little.
    """
    filters = _pitch_filters()
    power = _low_power(normalised, len(filters))
    times_s = centre_times_s(len(power), FFT_SAMPLES, HOP_SAMPLES)
    pitch_db = 10 * np.log10(power @ filters + FLOOR)
    peaks = np.maximum(0, pitch_db - _neighbourhood_mean(pitch_db))
    chroma = peaks @ _fold()
    tonalness = peaks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(chroma, axis=1, keepdims=True)
    chroma = chroma / np.maximum(length, 1e-6)
    return np.hstack([chroma, interval_content(chroma), tonalness]).astype(np.float32), times_s


def _low_power(normalised: Waveform, n_bins: int) -> Float32:
    """The lowest bins of `short_time_power` with FFT_SAMPLES, from half as many samples a second."""
    padded = np.pad(normalised, (_LOW_PASS_TAPS // 2, _LOW_PASS_TAPS // 2))
    halved = _halver()(padded, len(normalised) // _DECIMATION)
    return short_time_power(
        halved, FFT_SAMPLES // _DECIMATION, HOP_SAMPLES // _DECIMATION, n_bins=n_bins
    )


@cache
def _halver() -> Decimator:
    """A Kaiser-weighted sinc up to a quarter of the rate."""
    at = np.arange(_LOW_PASS_TAPS) - _LOW_PASS_TAPS // 2
    taps = np.sinc(at / _DECIMATION) * np.kaiser(_LOW_PASS_TAPS, _LOW_PASS_BETA)
    return Decimator((taps / taps.sum()).astype(np.float32), _DECIMATION)


def interval_content(chroma: Float32) -> Float32:
    """Magnitudes of Fourier coefficients 1 to 6 of chroma: (n, 12) → (n, 6), in [0, 1].

    Unchanged by transposition; coefficient 5 is diatonicity, 3 augmented, 4 diminished chords.
    Quinn, General equal-tempered harmony, Perspectives of New Music 44 (2006).
    """
    total = np.maximum(chroma.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.abs(np.fft.rfft(chroma, axis=1))[:, 1:] / total, np.float32)


def _neighbourhood_mean(pitch_db: Float32) -> Float32:
    """Mean over the octave around each pitch bin, less of it at both ends."""
    half = BINS_PER_OCTAVE // 2
    n_bins = pitch_db.shape[1]
    sums = np.zeros((len(pitch_db), n_bins + 1), np.float64)
    np.cumsum(pitch_db, axis=1, out=sums[:, 1:])
    start = np.maximum(0, np.arange(n_bins) - half)
    stop = np.minimum(n_bins, np.arange(n_bins) + half + 1)
    return np.asarray((sums[:, stop] - sums[:, start]) / (stop - start), np.float32)


@cache
def _pitch_filters() -> Float32:
    """Triangles a third of a semitone apart, never narrower than the FFT resolves.

    (bins, pitches), of the bins only those up to the highest that counts.
    """
    frequency = bin_frequencies_hz(FFT_SAMPLES)[:, None]
    centre = LOWEST_HZ * 2 ** (np.arange(OCTAVES * BINS_PER_OCTAVE) / BINS_PER_OCTAVE)
    width_hz = np.maximum(centre * (2 ** (1 / BINS_PER_OCTAVE) - 1), RATE_HZ / FFT_SAMPLES)
    filters = np.maximum(0, 1 - np.abs(frequency - centre) / width_hz)
    scaled = np.asarray(filters / filters.sum(axis=0), np.float32)
    return np.ascontiguousarray(scaled[: 1 + int(np.flatnonzero(scaled.any(axis=1))[-1])])


@cache
def _fold() -> Float32:
    """Pitch bins → 12 classes; bins between two semitones count for both, by nearness."""
    pitch = np.arange(OCTAVES * BINS_PER_OCTAVE)[:, None] / BINS_PER_SEMITONE
    away = np.abs((pitch - np.arange(12) + 6) % 12 - 6)
    return np.asarray(np.maximum(0, 1 - away), np.float32)
