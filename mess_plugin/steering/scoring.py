"""Likeness by aspect → scores whose parts add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.facets import Facet
from mess_plugin.facets.scale import similarity as facet_similarity
from mess_plugin.model import Float32
from mess_plugin.steering.candidates import Table, Voice
from mess_plugin.steering.query import FEEL

AGAINST = 0.5  # how much likeness to a negative seed takes away


class Scores(msgspec.Struct, frozen=True):
    """How candidates scored, and by what.

    scores: (n,) in [0, 1], the sum of weight * likeness over the aspects, less unlike, cut off at 0.
    likeness: aspect → (n,) in [0, 1], mean over the seeds; weights: as given; unlike: (n,), what the
    negative seeds take away, 0 without any. blended: source → (n,) in [0, 1], scores from elsewhere,
    and shares: source → what it makes up of the score.
    """

    scores: Float32
    likeness: Mapping[str, Float32]
    weights: Mapping[str, float]
    unlike: Float32
    blended: Mapping[str, Float32] = msgspec.field(default_factory=dict)
    shares: Mapping[str, float] = msgspec.field(default_factory=dict)


def blend(
    scores: Scores,
    table: Table,
    external: Mapping[str, Mapping[int, float]],
    shares: Mapping[str, float],
) -> Scores:
    """Let scores from elsewhere make up their shares; likeness keeps what they leave.

    external: source → track → score in [0, 1], 0 where there is none. A track that is more like what
    is asked against than like the seeds stays out, whatever its scores.
    """
    rest = 1 - sum(shares.values())
    blended = {
        source: np.array([of.get(i, 0.0) for i in table.track_ids], dtype=np.float32)
        for source, of in external.items()
    }
    total = rest * scores.scores + _weighted(blended, shares, len(table.track_ids))
    return Scores(
        np.where(scores.scores > 0, total, 0).astype(np.float32),
        scores.likeness,
        {aspect: rest * weight for aspect, weight in scores.weights.items()},
        np.asarray(rest * scores.unlike, dtype=np.float32),
        blended,
        dict(shares),
    )


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
