"""Harmony: which pitch classes sound together and which follow which.

A vector holds, for each of LAGS_S, how often pitch class q sounds that long after pitch class p: a
bigram table of 12 × 12. Moving a piece to another key rolls both axes, so comparing it at all
twelve rolls finds the likeness of two pieces in any keys, as is usual for covers (J. Serrà et al.,
IEEE TASLP 16, 2008, call the best one the optimal transposition index). For finding candidates there
is `invariants`: magnitudes of the Fourier transform along the roll, which no transposition changes
(T. Bertin-Mahieux and D. Ellis, ISMIR 2012).
"""

from __future__ import annotations

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets.statistics import CHROMA_HZ, Sketch
from mess_plugin.model import Float32

LAGS_S = (0.0, 0.5, 1.0, 2.0)


def describe(sketch: Sketch) -> Float32:
    """The bigram tables, (len(LAGS_S) * 144,) float32 of unit length; zero without harmony."""
    chroma = _sharpened(sketch.chroma)
    tables = []
    for lag_s in LAGS_S:
        lag = round(lag_s * CHROMA_HZ)
        n = len(chroma) - lag
        table = chroma[:n].T @ chroma[lag:] if n > 0 else np.zeros((12, 12))
        tables.append(_levelled(table))
    pooled: Float32 = unit(np.concatenate(tables)[None].astype(np.float32))[0]
    return pooled


def transposed(vectors: Float32, semitones: int) -> Float32:
    """Harmony vectors, (n, dim), of the same music so many semitones higher."""
    tables = vectors.reshape(len(vectors), len(LAGS_S), 12, 12)
    return np.asarray(np.roll(tables, (semitones, semitones), axis=(2, 3)).reshape(vectors.shape))


def similarity(one: Float32, others: Float32, *, exact_key: bool = False) -> Float32:
    """Cosines of one vector, (dim,), with others, (n, dim): (n,), at the best transposition."""
    rolls = 1 if exact_key else 12
    moved = np.concatenate([transposed(one[None], roll) for roll in range(rolls)])
    # Not a matrix product: a row's result must depend on that row alone, to the last bit.
    return np.asarray(np.einsum("nd,rd->nr", others, moved).max(axis=1), dtype=np.float32)


def invariants(vectors: Float32) -> Float32:
    """What transposition leaves alone: (n, dim) → (n, len(LAGS_S) * 84) float32, unit length."""
    tables = vectors.reshape(len(vectors), len(LAGS_S), 12, 12)
    steps = (np.arange(12)[:, None] + np.arange(12)) % 12
    by_interval = np.take_along_axis(tables, steps[None, None], axis=3)  # [pitch, interval]
    spectrum = np.abs(np.fft.rfft(by_interval, axis=2))
    return unit(spectrum.reshape(len(vectors), -1).astype(np.float32))


def _sharpened(chroma: Float32) -> Float32:
    """Only what stands out of the twelve, of unit length."""
    out = np.maximum(0, chroma - chroma.mean(axis=1, keepdims=True))
    return unit(out)


def _levelled(table: np.ndarray) -> np.ndarray:
    """Flat, square roots against the few largest cells, and without what is common to all cells."""
    root = np.sqrt(np.maximum(table, 0)).ravel()
    return np.asarray(root - root.mean())
