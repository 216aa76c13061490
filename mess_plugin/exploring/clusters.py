"""Clusters of similar tracks: spherical k-means on song vectors.

I. Dhillon and D. Modha, "Concept decompositions for large sparse text data using clustering", Machine
Learning 42, 2001; first centres far apart by D. Arthur and S. Vassilvitskii, "k-means++", SODA 2007.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.errors import UsageError
from mess_plugin.exploring.feature_matrix import FeatureMatrix
from mess_plugin.exploring.naming import names_of
from mess_plugin.model import Float32

MAX_CLUSTERS = 200
_RESTARTS = 4
_ITERATIONS = 60
_BLOCK = 20_000  # tracks compared with all centres at once
Ints = npt.NDArray[np.int64]


class Cluster(msgspec.Struct, frozen=True):
    """One cluster."""

    name: str
    """Readable, and different from those of the other clusters."""
    members: tuple[int, ...]
    """Rows of the feature matrix, the most central first."""
    tightness: float
    """Mean cosine of the members to the centre."""


class Clusters(msgspec.Struct, frozen=True):
    """A clustering of all tracks."""

    clusters: tuple[Cluster, ...]
    """The largest first."""
    of_track: Ints
    """(n,) the cluster of each track."""
    likeness: Float32
    """(n,) its cosine to that cluster's centre."""
    outliers: tuple[int, ...]
    """Rows of the feature matrix, the least similar to their cluster first."""


def cluster(
    features: FeatureMatrix, k: int | None = None, *, seed: int = 0, n_outliers: int = 10
) -> Clusters:
    """K groups (None: about the square root of half the tracks, 2 to 40). Raises UsageError."""
    n = len(features.facts)
    k = min(40, max(2, round((n / 2) ** 0.5))) if k is None else k
    if not 1 <= k <= min(n, MAX_CLUSTERS):
        raise UsageError(f"{k} clusters are asked for: wanted 1 to {min(n, MAX_CLUSTERS)}")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {seed}: wanted a whole number from 0")
    if n_outliers < 0:
        raise UsageError(f"{n_outliers} outliers are asked for: wanted 0 or more")
    rng = np.random.default_rng(seed)
    runs = [_k_means(features.vectors, k, rng) for _ in range(_RESTARTS)]
    labels, likeness = max(runs, key=lambda run: float(run[1].sum()))
    sizes = np.bincount(labels, minlength=k)
    order = [int(old) for old in np.argsort(-sizes, kind="stable") if sizes[old]]
    of_track = np.argsort(np.array(order + sorted(set(range(k)) - set(order))))[labels]
    members = [
        tuple(np.flatnonzero(of_track == place)[_by(-likeness[of_track == place])].tolist())
        for place in range(len(order))
    ]
    names = names_of(features.facts, members)
    groups = tuple(
        Cluster(name, places, float(likeness[list(places)].mean()))
        for name, places in zip(names, members, strict=True)
    )
    return Clusters(groups, of_track, likeness, tuple(_by(likeness)[:n_outliers].tolist()))


def _by(values: Float32) -> Ints:
    return np.argsort(values, kind="stable")


def _k_means(vectors: Float32, k: int, rng: np.random.Generator) -> tuple[Ints, Float32]:
    """(labels, cosine to the own centre), (n,) each."""
    centres = _far_apart(vectors, k, rng)
    labels, likeness = _nearest(vectors, centres)
    for _ in range(_ITERATIONS):
        sums = np.zeros_like(centres)
        for place in range(k):
            sums[place] = vectors[labels == place].sum(axis=0)
        empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
        if len(empty):  # outliers start new clusters
            sums[empty] = vectors[_by(likeness)[: len(empty)]]
        centres = unit(sums)
        before = labels
        labels, likeness = _nearest(vectors, centres)
        if np.array_equal(before, labels):
            break
    return labels, likeness


def _far_apart(vectors: Float32, k: int, rng: np.random.Generator) -> Float32:
    chosen = [int(rng.integers(len(vectors)))]
    away = 1 - vectors @ vectors[chosen[0]]
    while len(chosen) < k:
        worth = np.maximum(away, 0).astype(np.float64)
        total = worth.sum()
        free = np.setdiff1d(np.arange(len(vectors)), chosen)
        next_one = (
            int(rng.choice(len(vectors), p=worth / total))
            if total > 1e-9
            else int(rng.choice(free))
        )
        chosen.append(next_one)
        away = np.minimum(away, 1 - vectors @ vectors[next_one])
    return np.asarray(vectors[chosen], dtype=np.float32)


def _nearest(vectors: Float32, centres: Float32) -> tuple[Ints, Float32]:
    labels = np.zeros(len(vectors), dtype=np.int64)
    likeness = np.zeros(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ centres.T
        best = cosines.argmax(axis=1)
        labels[start : start + _BLOCK] = best
        likeness[start : start + _BLOCK] = cosines[np.arange(len(best)), best]
    return labels, likeness
