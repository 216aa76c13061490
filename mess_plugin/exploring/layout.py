"""Coordinates in two dimensions for all tracks.

"pca" keeps the two directions in which the library varies most. "tsne" (L. van der Maaten and G.
Hinton, JMLR 9, 2008, as openTSNE computes it) keeps neighbours together; distances between groups
mean nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.model import Float32

LAYOUTS = ("pca", "tsne")
_INPUTS = 50  # principal components that t-SNE is given
_PERPLEXITY = 30.0


def lay_out(vectors: Float32, layout: str = "pca", *, seed: int = 0) -> Float32:
    """(n, dim) unit vectors → (n, 2) float32 in [0, 1], the longer side filled.

    Raises UnknownName for another layout and UsageError where the extra `map` is not installed.
    """
    if layout not in LAYOUTS:
        raise UnknownName("layout", layout, LAYOUTS)
    if layout == "pca":
        return _fitted(principal(vectors, 2))
    opentsne: Any = _opentsne()
    n = len(vectors)
    components = principal(vectors, min(_INPUTS, vectors.shape[1], n))
    start = components[:, :2] / max(float(components[:, 0].std()), 1e-9) * 1e-4
    embedding = opentsne.TSNE(
        perplexity=min(_PERPLEXITY, (n - 1) / 3),
        initialization=start.astype(np.float64),
        random_state=seed % 2**32,
        n_jobs=1,  # more add up in an order of their own, and no picture is the same again
    ).fit(components.astype(np.float64))
    return _fitted(np.asarray(embedding, dtype=np.float32))


def principal(vectors: Float32, n: int) -> Float32:
    """The n principal components, (n_tracks, n); signs are such that the largest weight is positive.

    By the covariance matrix, so that memory is bounded by dim², not by the number of tracks.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    dim = vectors.shape[1]
    covariance = np.zeros((dim, dim))
    for start in range(0, len(vectors), 20_000):
        centred = vectors[start : start + 20_000] - mean
        covariance += centred.T @ centred
    directions = np.linalg.eigh(covariance)[1][:, ::-1][:, :n]
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    directions = (directions * np.where(largest < 0, -1, 1)).astype(np.float32)
    return np.asarray(vectors @ directions - mean.astype(np.float32) @ directions, dtype=np.float32)


def _fitted(points: Float32) -> Float32:
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    if side < 1e-12:
        return np.full_like(points, 0.5)
    return np.asarray((points - (low + high) / 2) / side + 0.5, dtype=np.float32)


def _opentsne() -> Any:
    try:
        import openTSNE  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UsageError(
            "the layout 'tsne' needs openTSNE: pip install 'mess-plugin[map]', or take --layout pca"
        ) from error
    return openTSNE
