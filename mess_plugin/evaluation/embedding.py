"""Embeds a waveform in memory, and fits centring, z-scores and whitening on vectors."""

from __future__ import annotations

import msgspec
import numpy as np

from mess_plugin.analysis.hierarchy import analyse, embed
from mess_plugin.encoders.base import Encoder
from mess_plugin.model import Float32, Level, Projection, Waveform


class Embedded(msgspec.Struct, frozen=True):
    """The vectors of one recording, unit length each."""

    song: Float32
    """(dim,)."""
    windows: Float32
    """(n, dim)."""
    intervals: Float32
    """(n, 2) float32 seconds, of the windows."""


def embed_recording(
    encoder: Encoder, waveform: Waveform, *, window_s: float = 5.0, hop_s: float = 2.5
) -> Embedded:
    """Embed a recording as indexing does: its song vector and its window vectors.

    waveform: mono at the encoder's rate, at least info.min_s long. window_s, hop_s: of the pooled
    windows; the last one ends at the end of the recording, and silent ones are left out. Raises
    AudioError as `mess_plugin.analysis.hierarchy.analyse` does.
    """
    analysis = analyse([waveform], encoder, window_s=window_s, hop_s=hop_s, source="the recording")
    song, windows = (
        embed(analysis, level, encoder.projections) for level in (Level.SONG, Level.WINDOW)
    )
    return Embedded(song.vectors[0], windows.vectors, windows.intervals)


def fit_centring(vectors: Float32) -> Projection:
    """Subtract the library's mean vector."""
    identity = np.eye(vectors.shape[1], dtype=np.float32)
    return Projection(vectors.mean(axis=0), identity, "centred")


def fit_zscore(vectors: Float32) -> Projection:
    """Subtract the mean and divide each dimension by its standard deviation."""
    deviation = np.maximum(vectors.std(axis=0), 1e-6)
    return Projection(vectors.mean(axis=0), np.diag(1 / deviation).astype(np.float32), "z-score")


def fit_whitening(vectors: Float32, shrinkage: float) -> Projection:
    """Whiten with the covariance shrunk towards a multiple of the identity.

    shrinkage: 0 is full PCA whitening, 1 is centring. Ledoit & Wolf, A well-conditioned estimator
    for large-dimensional covariance matrices, J. Multivariate Analysis 88 (2004).
    """
    mean = vectors.mean(axis=0)
    centred = (vectors - mean).astype(np.float64)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
    shrunk = (1 - shrinkage) * np.maximum(variance, 0) + shrinkage * variance.mean()
    scale = 1 / np.sqrt(np.maximum(shrunk, 1e-12))
    return Projection(mean, (axes * scale).astype(np.float32), f"whitened {shrinkage:g}")
