"""Tempo: the beat period whose multiples carry the onsets, in a range where people tap.

Autocorrelation of onset strength, summed over the first multiples of each period and weighted by
a log-normal preference for moderate tempi (D. Ellis, "Beat tracking by dynamic programming", JNMR
36, 2007; the preference is that of Parncutt 1994 as Ellis rounds it). Octave errors (half and
double) remain the usual ones: filters and comparisons treat half and double as the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mess_plugin.facets.statistics import ONSETS_HZ
from mess_plugin.facets.values import TempoEstimate
from mess_plugin.model import Float32

SLOWEST_BPM, FASTEST_BPM = 40.0, 220.0
PREFERRED_BPM = 120.0
_PREFERENCE_OCTAVES = 1.0
_MULTIPLES = 4
_WINDOW = round(12 * ONSETS_HZ)  # long enough for several multiples of the slowest beat
_CANDIDATES_BPM = SLOWEST_BPM * 2 ** np.arange(0, np.log2(FASTEST_BPM / SLOWEST_BPM), 1 / 120)
_LEAST_CONFIDENCE = 0.02


def estimate(onsets: Float32) -> TempoEstimate | None:
    """Tempo of (n,) onset strengths at ONSETS_HZ; None where nothing recurs or under 4 s.

    confidence: the mean autocorrelation at the multiples of the beat, in [0, 1].
    """
    if len(onsets) < 4 * ONSETS_HZ:
        return None
    correlation = _autocorrelation(onsets)
    if correlation is None:
        return None
    support = _support(correlation)
    octaves = np.log2(_CANDIDATES_BPM / PREFERRED_BPM) / _PREFERENCE_OCTAVES
    preferred = np.maximum(support, 0) * np.exp(-0.5 * octaves**2)
    best = int(np.argmax(preferred))
    if support[best] < _LEAST_CONFIDENCE:
        return None
    bpm = _refined(correlation, float(_CANDIDATES_BPM[best]))
    return TempoEstimate(bpm, float(np.clip(support[best], 0, 1)))


def _autocorrelation(onsets: Float32) -> npt.NDArray[np.float64] | None:
    """Mean over windows, 1 at lag 0, unbiased; None where there is no movement at all."""
    strength = onsets.astype(np.float64)
    strength = np.maximum(0, strength - _local_mean(strength))
    starts = range(0, max(1, len(strength) - _WINDOW // 2), _WINDOW // 2)
    total = np.zeros(_WINDOW)
    for start in starts:
        part = strength[start : start + _WINDOW]
        part = part - part.mean()
        spectrum = np.fft.rfft(part, 2 * _WINDOW)
        total += np.fft.irfft(np.abs(spectrum) ** 2)[:_WINDOW]
    if total[0] <= 1e-9:
        return None
    length = min(len(strength), _WINDOW)
    unbiased = total / np.maximum(length - np.arange(_WINDOW), 1) * length
    return np.asarray(unbiased / unbiased[0])


def _local_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    half = round(ONSETS_HZ)
    padded = np.pad(values, half, mode="edge")
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    return np.asarray((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1))


def _support(correlation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lags = 60 * ONSETS_HZ / _CANDIDATES_BPM
    places = lags[:, None] * np.arange(1, _MULTIPLES + 1)
    return np.asarray(np.interp(places, np.arange(len(correlation)), correlation).mean(axis=1))


def _refined(correlation: npt.NDArray[np.float64], bpm: float) -> float:
    """The top of the last multiple's peak, by a parabola, divided by the multiple."""
    lag = 60 * ONSETS_HZ / bpm
    for multiple in range(1, _MULTIPLES + 1):
        place = lag * multiple
        reach = max(1, int(0.04 * place))
        first = max(1, round(place) - reach)
        last = min(len(correlation) - 2, round(place) + reach)
        if last <= first:
            break
        top = first + int(np.argmax(correlation[first : last + 1]))
        left, middle, right = correlation[top - 1 : top + 2]
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        lag = (top + float(np.clip(shift, -0.5, 0.5))) / multiple
    return float(60 * ONSETS_HZ / lag)
