"""What it sounds like: spectral shape and how it moves."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from mess_plugin.features.spectra import (
    FFT_SAMPLES,
    FLOOR_DB,
    MEL_BANDS,
    Spectra,
    bin_frequencies_hz,
)
from mess_plugin.model import Float32

CEPSTRA = 20  # coefficients 1 to 20; coefficient 0 is loudness
MOVING_CEPSTRA = 12
CONTRAST_EDGES_HZ = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)
CONTRAST_SHARE = 0.2  # of a band's bins that count as its peaks, and as its valleys


def cepstra(spectra: Spectra) -> Float32:
    """Mel-frequency cepstral coefficients 1 to CEPSTRA: (n_spectra, CEPSTRA).

    Davis & Mermelstein, IEEE Trans. ASSP 28 (1980).
    """
    return spectra.mel_db @ _cosines()


def contrast(spectra: Spectra) -> Float32:
    """Peaks above valleys in octave bands, in dB: (n_spectra, 6).

    Jiang et al., Music type classification by spectral contrast feature, ICME 2002.
    """
    bins = np.searchsorted(bin_frequencies_hz(FFT_SAMPLES), CONTRAST_EDGES_HZ)
    columns = []
    for start, stop in pairwise(bins.tolist()):
        ordered = np.sort(spectra.power[:, start:stop], axis=1)
        count = max(1, round(CONTRAST_SHARE * (stop - start)))
        floor = np.float32(10 ** (FLOOR_DB / 10) / MEL_BANDS)
        peak = np.log10(ordered[:, -count:].mean(axis=1) + floor)
        valley = np.log10(ordered[:, :count].mean(axis=1) + floor)
        columns.append(10 * (peak - valley))
    return np.stack(columns, axis=1).astype(np.float32)


def shape(spectra: Spectra) -> Float32:
    """Level in dB, centroid in mel bands and flatness in dB: (n_spectra, 3).

    Level is relative to the window's mean. Flatness is the geometric over the arithmetic mean of
    the mel powers (Johnston, IEEE JSAC 6, 1988).
    """
    power = 10 ** (spectra.mel_db / 10)
    total = power.sum(axis=1)
    level = 10 * np.log10(total)
    centroid = power @ np.arange(MEL_BANDS, dtype=np.float32) / total
    flatness = spectra.mel_db.mean(axis=1) - 10 * np.log10(total / MEL_BANDS)
    return np.stack([level, centroid, flatness], axis=1).astype(np.float32)


@cache
def _cosines() -> Float32:
    bands = (np.arange(MEL_BANDS) + 0.5) / MEL_BANDS
    orders = np.arange(1, CEPSTRA + 1)
    cosines: Float32 = np.cos(np.pi * np.outer(bands, orders)) * np.sqrt(2 / MEL_BANDS)
    return cosines.astype(np.float32)
