"""Sums of squares, fast and exact enough: by dot products of float32, added in float64."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mess_plugin.model import Waveform

_PIECE_SAMPLES = 1 << 13  # of one dot product, so that its rounding stays about 1e-7 of the whole


def energy(samples: Waveform) -> float:
    """Sum of squares of (n,) float32 samples, also of such as are too large for their squares."""
    starts = range(0, len(samples), _PIECE_SAMPLES)
    pieces = [samples[start : start + _PIECE_SAMPLES] for start in starts]
    with np.errstate(over="ignore"):
        total = sum(float(np.dot(piece, piece)) for piece in pieces)
    if total == np.inf:
        return float(np.square(samples, dtype=np.float64).sum())
    return total


def energies(samples: Waveform, edges: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Sums of squares between each two successive edges: (n_edges - 1,)."""
    return np.array([energy(samples[start:stop]) for start, stop in pairwise(edges.tolist())])


def mean_square(samples: Waveform) -> float:
    """Mean of the squares of (n,) float32 samples, n > 0."""
    return energy(samples) / len(samples)
