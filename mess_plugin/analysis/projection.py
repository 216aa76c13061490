"""Fitting a projection on a library: centring, and whitening as far as the data carry it.

Means of transformer frames are anisotropic: any two songs have a cosine near 0.9. Subtracting the
library's mean and evening out its main directions makes the angles speak (J. Mu and P. Viswanath,
"All-but-the-top", ICLR 2018; for music encoders see docs/measurements). The covariance is shrunk
towards a multiple of the identity (O. Ledoit and M. Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", 2004): strongly for small libraries, which would otherwise
be whitened into noise.
"""

from __future__ import annotations

import numpy as np

from mess_plugin.model import Float32, Projection

MAX_DIM = 256
CENTRE_FROM = 64  # fewer recordings: their own mean would say more about them than about music
WHITEN_FROM = 128  # fewer recordings are only centred
_HALF_TRUST = 2000  # recordings at which the sample covariance counts half
_TINY = 1e-12  # variance of unit vectors below which there is nothing to even out


def fit(vectors: Float32, n_tracks: int, version: str) -> Projection | None:
    """Fit a projection on unit vectors of one level.

    vectors: (n, dim) float32; n_tracks: the recordings they come from. Returns None below
    CENTRE_FROM recordings; otherwise a map to min(dim, MAX_DIM) dimensions.
    """
    if n_tracks < CENTRE_FROM:
        return None
    dim = vectors.shape[1]
    mean = vectors.mean(axis=0, dtype=np.float64)
    if n_tracks < WHITEN_FROM and dim <= MAX_DIM:
        return _projection(mean, np.eye(dim), version)
    centred = vectors.astype(np.float64) - mean
    covariance = centred.T @ centred / max(1, len(centred) - 1)
    trust = n_tracks / (n_tracks + _HALF_TRUST)
    floor = np.trace(covariance) / dim
    shrunk = trust * covariance + (1 - trust) * floor * np.eye(dim)
    values, directions = np.linalg.eigh(shrunk)
    keep = slice(None, -1 - min(dim, MAX_DIM), -1)  # eigh sorts ascending
    scale = np.sqrt(np.maximum(values[keep], max(1e-9 * values[-1], _TINY)))
    if n_tracks < WHITEN_FROM:
        scale = np.ones_like(scale)
    return _projection(mean, directions[:, keep] / scale, version)


def _projection(mean: np.ndarray, matrix: np.ndarray, version: str) -> Projection:
    return Projection(mean.astype(np.float32), matrix.astype(np.float32), version)
