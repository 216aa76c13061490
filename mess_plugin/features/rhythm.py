"""How it moves: onsets, their periodicity and the modulation of frequency bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mess_plugin.features.spectra import MEL_BANDS, SPECTRA_PER_S, Spectra
from mess_plugin.model import Float32

ONSET_BANDS = 4
LAG_LOW_S, LAG_HIGH_S = 0.12, 1.92  # 500 to 31 per minute
LAGS = 17  # four per octave
MODULATED_BANDS = 6
MODULATION_EDGES_HZ = (0.4, 1.0, 2.0, 4.0, 8.0, 16.0)
MODULATION_FLOOR = 0.1  # dB², far below audible modulation
PERIODICITY_DIMS = LAGS + 1
MODULATION_DIMS = MODULATED_BANDS * (len(MODULATION_EDGES_HZ) - 1)


def onset_strength(spectra: Spectra) -> Float32:
    """Rise of the mel spectrum in four bands, in dB per spectrum: (n_spectra, ONSET_BANDS).

    Spectral flux after Dixon, Onset detection revisited, DAFx 2006. The first row is 0.
    """
    rise = np.maximum(0, np.diff(spectra.mel_db, axis=0, prepend=spectra.mel_db[:1]))
    bands: Float32 = rise.reshape(len(rise), ONSET_BANDS, MEL_BANDS // ONSET_BANDS).mean(axis=2)
    return bands


def periodicity(onsets: Float32) -> Float32:
    """Autocorrelation of onset strength at log-spaced lags, and its peak: (PERIODICITY_DIMS,).

    onsets: (n_spectra, ONSET_BANDS). The highest value within a quarter octave stands for it, which
    keeps a tempo change of 6 % small.
    Lags beyond the window are 0, and so is everything where nothing moves. Tempogram by
    autocorrelation after Grosche, Müller & Kurth, ICASSP 2010.
    """
    strength = onsets.sum(axis=1) - onsets.sum(axis=1).mean()
    size = 1 << int(2 * len(strength) - 1).bit_length()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(strength, size)) ** 2)[: len(strength)]
    if correlation[0] < 1e-6:
        return np.zeros(PERIODICITY_DIMS, np.float32)
    by_lag = np.max(correlation[:, None] / correlation[0] * _lag_bins(len(strength)), axis=0)
    return np.append(by_lag, by_lag.max()).astype(np.float32)


def modulation(spectra: Spectra) -> Float32:
    """Power of level changes by frequency band and modulation rate, in dB: (MODULATION_DIMS,).

    Fluctuation patterns after Pampalk, Rauber & Merkl, ACM Multimedia 2002. Rates that a short
    window cannot hold sit at the floor.
    """
    level_db = _band_means(spectra.mel_db, MODULATED_BANDS)
    level_db = level_db - level_db.mean(axis=0)
    taper = np.hanning(len(level_db) + 2)[1:-1, None]
    power = np.abs(np.fft.rfft(level_db * taper, axis=0)) ** 2
    power *= 2 / (len(level_db) * np.sum(taper**2))
    rate_hz = np.fft.rfftfreq(len(level_db), 1 / SPECTRA_PER_S)
    edges = np.searchsorted(rate_hz, MODULATION_EDGES_HZ)
    sums = np.vstack([np.zeros(MODULATED_BANDS), np.cumsum(power, axis=0)])
    by_rate = sums[edges[1:]] - sums[edges[:-1]]
    return np.asarray(10 * np.log10(by_rate.T + MODULATION_FLOOR), np.float32).ravel()


def _band_means(mel_db: Float32, n_bands: int) -> Float32:
    edges = np.linspace(0, MEL_BANDS, n_bands + 1).round().astype(int)
    sums = np.add.reduceat(mel_db, edges[:-1], axis=1)
    return (sums / np.diff(edges)).astype(np.float32)


@lru_cache(maxsize=16)
def _lag_bins(n_lags: int) -> Float32:
    """Weights (n_lags, LAGS), even within a quarter octave of log lag, falling off around it."""
    lag_s = np.arange(1, n_lags) / SPECTRA_PER_S
    position = np.log2(lag_s / LAG_LOW_S) / np.log2(LAG_HIGH_S / LAG_LOW_S) * (LAGS - 1)
    weights = np.clip(2 - 2 * np.abs(position[:, None] - np.arange(LAGS)), 0, 1)
    return np.asarray(np.vstack([np.zeros(LAGS), weights]), np.float32)
