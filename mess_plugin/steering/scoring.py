"""Likeness by aspect → scores whose parts add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mess_plugin.facets import Facet
from mess_plugin.facets.scale import similarity as facet_similarity
from mess_plugin.model import Float32
from mess_plugin.steering.candidates import Table, Voice
from mess_plugin.steering.query import FEEL

AGAINST = 0.5  # how much likeness to a negative seed takes away


@dataclass(frozen=True, slots=True)
class Scores:
    """How candidates scored, and by what.

    scores: (n,) in [0, 1], the sum of weight * likeness over the aspects, less unlike, cut off at 0.
    likeness: aspect → (n,) in [0, 1], mean over the seeds; weights: as given; unlike: (n,), what the
    negative seeds take away, 0 without any.
    """

    scores: Float32
    likeness: Mapping[str, Float32]
    weights: Mapping[str, float]
    unlike: Float32


def score(
    table: Table,
    voices: Sequence[Voice],
    against: Sequence[Voice],
    weights: Mapping[str, float],
    *,
    exact_key: bool = False,
) -> Scores:
    """Score all candidates by their mean likeness to the seeds, less that to the negative ones."""
    likeness = {aspect: _mean(table, voices, aspect, exact_key) for aspect in weights}
    total = _weighted(likeness, weights, len(table.track_ids))
    unlike = np.zeros(len(table.track_ids), dtype=np.float32)
    if against:
        rejected = {aspect: _mean(table, against, aspect, exact_key) for aspect in weights}
        unlike = AGAINST * _weighted(rejected, weights, len(table.track_ids))
    scores = np.clip(total - unlike, 0, 1)
    return Scores(scores.astype(np.float32), likeness, weights, unlike)


def alike(one: Float32, others: Float32, aspect: str, *, exact_key: bool = False) -> Float32:
    """Likeness of a vector, (dim,), to others, (n, dim), in one aspect: (n,) float32 in [0, 1]."""
    if not len(others):
        return np.zeros(0, dtype=np.float32)
    if aspect == FEEL:
        return np.asarray(np.clip(others @ one, 0, 1), dtype=np.float32)
    return facet_similarity(Facet(aspect), one, others, exact_key=exact_key)


def likeness_to(
    table: Table, row: int, weights: Mapping[str, float], *, exact_key: bool = False
) -> Float32:
    """Weighted likeness of one candidate to all: (n,)."""
    parts = {
        aspect: alike(
            table.vectors[aspect][row], table.vectors[aspect], aspect, exact_key=exact_key
        )
        for aspect in weights
    }
    return _weighted(parts, weights, len(table.track_ids))


def _mean(table: Table, voices: Sequence[Voice], aspect: str, exact_key: bool) -> Float32:
    rows = [
        alike(v.vectors[aspect], table.vectors[aspect], aspect, exact_key=exact_key) for v in voices
    ]
    return np.asarray(np.mean(rows, axis=0), dtype=np.float32)


def _weighted(likeness: Mapping[str, Float32], weights: Mapping[str, float], n: int) -> Float32:
    total = np.zeros(n, dtype=np.float32)
    for aspect, weight in weights.items():
        total += np.float32(weight) * likeness[aspect]
    return total
