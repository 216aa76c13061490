"""Fits a linear map of unit vectors under which similar pairs come nearer than others.

Siamese learning: both sides of a pair go through one map, and the logistic loss of the difference of
two cosines is lowered (the ranking loss of C. Burges et al., "Learning to rank using gradient
descent", ICML 2005, on the cosines of H. Nguyen and L. Bai, "Cosine similarity metric learning for
face verification", ACCV 2010). Only the few directions in which farther pairs differ most from nearer
ones are changed; the map starts as the identity and is regularised towards it, so few judgements change
little.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mess_plugin.metric.judgements import Comparisons
from mess_plugin.model import Float32

RANK = 16  # directions that are changed, at most
SHARPNESS = 10.0  # of the logistic loss: a lead of 0.1 in cosine is worth one unit
_STEPS = 80
_RATE = 0.05
_MOMENTUM, _SECOND = 0.9, 0.999  # of Adam

Floats = npt.NDArray[np.float64]


def fit_linear_map(vectors: Float32, comparisons: Comparisons, pull: float) -> Float32:
    """The map, (dim, dim) float32: rows are multiplied from the left, row @ map.

    vectors: (n, dim) unit length; comparisons: by row of `vectors` instead of by track id. pull: the
    strength of the regularisation towards the identity, above 0. Without comparisons the identity.
    """
    identity = np.eye(vectors.shape[1])
    if not len(comparisons.nearer):
        return identity.astype(np.float32)
    rows = vectors.astype(np.float64)
    basis = _separating(rows, comparisons)
    inside = rows @ basis
    outside = rows - inside @ basis.T
    rest = [_cosines(outside, pairs) for pairs in (comparisons.nearer, comparisons.farther)]
    still = (outside**2).sum(axis=1)
    core = _descend(inside, still, comparisons, rest, pull)
    return (identity + basis @ (core - np.eye(len(core))) @ basis.T).astype(np.float32)


def leads(vectors: Float32, comparisons: Comparisons, matrix: Float32 | None = None) -> Floats:
    """By how much each nearer pair is more alike than its farther one, in cosine: (n,)."""
    rows = vectors.astype(np.float64)
    mapped = rows if matrix is None else rows @ matrix
    mapped = mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12)
    return _cosines(mapped, comparisons.nearer) - _cosines(mapped, comparisons.farther)


def _separating(rows: Floats, comparisons: Comparisons) -> Floats:
    """Orthonormal directions, (dim, rank), that separate farther from nearer pairs best."""
    contrast = np.zeros((rows.shape[1], rows.shape[1]))
    for pairs, sign in ((comparisons.farther, 1.0), (comparisons.nearer, -1.0)):
        apart = rows[pairs[:, 0]] - rows[pairs[:, 1]]
        contrast += sign * (apart.T @ apart) / len(pairs)
    values, directions = np.linalg.eigh(contrast)
    return np.asarray(directions[:, np.argsort(-np.abs(values), kind="stable")[:RANK]])


def _descend(
    inside: Floats, still: Floats, comparisons: Comparisons, rest: list[Floats], pull: float
) -> Floats:
    """The map of the changed directions, (rank, rank), by Adam."""
    rank = inside.shape[1]
    core, first, second = np.eye(rank), np.zeros((rank, rank)), np.zeros((rank, rank))
    for step in range(1, _STEPS + 1):
        slope = _slope(inside, still, comparisons, rest, core)
        slope += pull * (core - np.eye(rank)) / rank
        first = _MOMENTUM * first + (1 - _MOMENTUM) * slope
        second = _SECOND * second + (1 - _SECOND) * slope**2
        unbiased = first / (1 - _MOMENTUM**step), second / (1 - _SECOND**step)
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / _STEPS))
        core = core - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return core


def _slope(
    inside: Floats, still: Floats, comparisons: Comparisons, rest: list[Floats], core: Floats
) -> Floats:
    """Gradient of the mean loss with respect to the map of the changed directions."""
    moved = inside @ core
    lengths = np.sqrt(np.maximum((moved**2).sum(axis=1) + still, 1e-12))
    pairs = (comparisons.nearer, comparisons.farther)
    cosines = [
        (_cosines(moved, both) + part) / (lengths[both[:, 0]] * lengths[both[:, 1]])
        for both, part in zip(pairs, rest, strict=True)
    ]
    gaps = cosines[0] - cosines[1]
    by_gap = -SHARPNESS / (1 + np.exp(np.minimum(SHARPNESS * gaps, 500))) / len(gaps)
    slope = np.zeros_like(core)
    for both, cosine, sign in zip(pairs, cosines, (1.0, -1.0), strict=True):
        weight = (sign * by_gap)[:, None]
        for one, other in ((both[:, 0], both[:, 1]), (both[:, 1], both[:, 0])):
            length = lengths[one][:, None]
            by_row = moved[other] / lengths[other][:, None] - cosine[:, None] * moved[one] / length
            slope += inside[one].T @ (weight * by_row / length)
    return slope


def _cosines(rows: Floats, pairs: npt.NDArray[np.int64]) -> Floats:
    return np.asarray((rows[pairs[:, 0]] * rows[pairs[:, 1]]).sum(axis=1))
