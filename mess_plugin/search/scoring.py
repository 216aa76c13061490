"""Likeness part by part → scores that these parts add up to.

The feel is seen in several views (`mess_plugin.search.rerank`): from afar by the song vectors
alone, closely by all of them. Beside it stand the facets. A score is the weighted sum of all that
counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from mess_plugin.facets import Facet
from mess_plugin.facets.scale import similarity as facet_similarity
from mess_plugin.model import Float32
from mess_plugin.search.candidates import CandidateSet, Compared
from mess_plugin.search.query import FEEL
from mess_plugin.search.rerank import SONG_ALONE, VIEWS, Side, ViewWeights

Bools = npt.NDArray[np.bool_]
AGAINST = 0.5  # how much likeness to a negative seed takes away


class Leaning(msgspec.Struct, frozen=True):
    """Which timbres draw a listener or repel, whatever they answer to.

    direction: (dim,) float32 of unit length in the space of the facet; share: what it makes up of the
    score, in (0, 1). toward_id, away_id: of the tracks that were judged, those furthest along it.
    """

    direction: Float32
    share: float
    toward_id: int
    away_id: int


class Scores(msgspec.Struct, frozen=True):
    """How candidates scored, and by what. Parts are the views of the feel, and facets.

    scores: (n,) at most 1, the sum of weight * likeness over the parts, less unlike; below 0 for what
    is less like the seeds than unrelated music is. likeness: part → (n,), mean over the seeds;
    weights: of the parts; unlike: (n,), what the negative seeds take away, 0 without any. leaning:
    (n,), what a listener's leaning in timbre adds or takes away.
    blended: source → (n,) in [0, 1], scores from elsewhere, and shares: source → what it makes up of
    the score.
    """

    scores: Float32
    likeness: Mapping[str, Float32]
    weights: Mapping[str, float]
    unlike: Float32
    leaning: Float32
    blended: Mapping[str, Float32] = msgspec.field(default_factory=dict)
    shares: Mapping[str, float] = msgspec.field(default_factory=dict)

    def likeness_of(self, row: int) -> float:
        """How alike a candidate is to the seeds, whatever else speaks for or against it."""
        total = sum(self.weights.values())
        return sum(w * float(self.likeness[part][row]) for part, w in self.weights.items()) / total

    def less(self, share: float) -> Scores:
        """All that there is, made smaller by a share that something else is to make up."""
        rest = 1 - share
        return replace(
            self,
            scores=np.asarray(rest * self.scores, dtype=np.float32),
            weights={part: rest * weight for part, weight in self.weights.items()},
            unlike=np.asarray(rest * self.unlike, dtype=np.float32),
            leaning=np.asarray(rest * self.leaning, dtype=np.float32),
        )


def blend(
    scores: Scores,
    table: CandidateSet,
    external: Mapping[str, Mapping[int, float]],
    shares: Mapping[str, float],
) -> Scores:
    """Let scores from elsewhere make up their shares; likeness keeps what they leave.

    external: source → track → score in [0, 1], 0 where there is none. A track that is more like what
    is asked against than like the seeds stays out, whatever its scores.
    """
    rest = scores.less(sum(shares.values()))
    blended = {
        source: np.array([of.get(i, 0.0) for i in table.track_ids], dtype=np.float32)
        for source, of in external.items()
    }
    total = rest.scores + _weighted(blended, shares, len(table.track_ids))
    return replace(
        rest,
        scores=np.where((scores.scores > 0) | (scores.unlike <= 0), total, 0).astype(np.float32),
        blended=blended,
        shares=dict(shares),
    )


def score(
    table: CandidateSet,
    seeds: Sequence[Compared],
    against: Sequence[Compared],
    weights: Mapping[str, float],
    *,
    views: ViewWeights = SONG_ALONE,
    exact_key: bool = False,
) -> Scores:
    """Score all candidates by their mean likeness to the seeds, less that to the negative ones.

    weights: of the aspects, adding up to 1. views: of the feel; all but the song take a table with
    profiles.
    """
    n = len(table.track_ids)
    parts = parts_of(weights, views)
    likeness = _likeness(table, seeds, weights, views, exact_key)
    unlike = np.zeros(n, dtype=np.float32)
    if against:
        rejected = _likeness(table, against, weights, views, exact_key)
        unlike = np.maximum(0, np.float32(AGAINST) * _weighted(rejected, parts, n))
    scores = (_weighted(likeness, parts, n) - unlike).astype(np.float32)
    return Scores(scores, likeness, parts, unlike, np.zeros(n, dtype=np.float32))


def lean(scores: Scores, table: CandidateSet, leaning: Leaning) -> Scores:
    """Let a leaning make up its share of the score; likeness keeps the rest.

    table: with timbres, zeros where none was heard, which lean nowhere.
    """
    rest = scores.less(leaning.share)
    along = table.vectors[Facet.TIMBRE] @ leaning.direction
    added = np.asarray(leaning.share * along, dtype=np.float32)
    return replace(rest, scores=rest.scores + added, leaning=added)


def parts_of(weights: Mapping[str, float], views: ViewWeights) -> dict[str, float]:
    """Aspect → weight becomes part → weight: views and facets share what the feel counts."""
    parts: dict[str, float] = {}
    for aspect, weight in weights.items():
        if aspect == FEEL:
            shares = {part: weight * share for part, share in views.shares.items()}
        else:
            shares = {aspect: weight}
        for part, share in shares.items():
            parts[part] = parts.get(part, 0.0) + share
    return parts


def alike(one: Float32, others: Float32, aspect: str, *, exact_key: bool = False) -> Float32:
    """Likeness of a vector, (dim,), to others, (n, dim), in one aspect: (n,) float32 in [0, 1]."""
    if not len(others):
        return np.zeros(0, dtype=np.float32)
    if aspect == FEEL:
        return np.asarray(np.clip(others @ one, 0, 1), dtype=np.float32)
    return facet_similarity(Facet(aspect), one, others, exact_key=exact_key)


def likeness_to(
    table: CandidateSet, row: int, weights: Mapping[str, float], *, exact_key: bool = False
) -> Float32:
    """Weighted likeness of one candidate to all, of the feel by the song vectors alone: (n,)."""
    parts = {
        aspect: alike(
            table.vectors[aspect][row], table.vectors[aspect], aspect, exact_key=exact_key
        )
        for aspect in weights
    }
    return _weighted(parts, weights, len(table.track_ids))


def unheard(table: CandidateSet, seeds: Sequence[Compared], facet: str) -> Bools:
    """(n,) where a facet says nothing, because a candidate or a seed has nothing of it."""
    if facet not in table.vectors or not all(_has(v, facet) for v in seeds):
        return np.ones(len(table.track_ids), dtype=np.bool_)
    return np.asarray(~table.vectors[facet].any(axis=1), dtype=np.bool_)


def _has(seed: Compared, facet: str) -> bool:
    return facet in seed.vectors and bool(seed.vectors[facet].any())


def _likeness(
    table: CandidateSet,
    seeds: Sequence[Compared],
    weights: Mapping[str, float],
    views: ViewWeights,
    exact_key: bool,
) -> dict[str, Float32]:
    """Part → (n,): mean likeness to the seeds. A facet that one lacks repeats the views' mean."""
    parts, n = parts_of(weights, views), len(table.track_ids)
    if not n:
        return {part: np.zeros(0, dtype=np.float32) for part in parts}
    seen = np.zeros((len(seeds), n, len(VIEWS)), dtype=np.float32)
    if FEEL in weights:
        seen = _seen(table, seeds, views)
    plain = seen @ views.views
    found: dict[str, Float32] = {}
    for part in parts:
        if part in VIEWS:
            found[part] = seen[:, :, VIEWS.index(part)].mean(axis=0)
            continue
        rows = [
            _in_facet(table, seed, part, instead, exact_key)
            for seed, instead in zip(seeds, plain, strict=True)
        ]
        found[part] = np.asarray(np.mean(rows, axis=0), dtype=np.float32)
    return found


def _in_facet(
    table: CandidateSet, seed: Compared, facet: str, instead: Float32, exact_key: bool
) -> Float32:
    """Likeness to a seed in a facet, (n,); `instead` where one of the two has nothing of it."""
    silent = unheard(table, [seed], facet)
    if silent.all():
        return instead
    found = alike(seed.vectors[facet], table.vectors[facet], facet, exact_key=exact_key)
    return np.asarray(np.where(silent, instead, found), dtype=np.float32)


def _seen(table: CandidateSet, seeds: Sequence[Compared], views: ViewWeights) -> Float32:
    """The feel in each of VIEWS: (n_voices, n, 3) float32; without profiles of the song alone."""
    if views == SONG_ALONE:
        songs = np.stack([v.vectors[FEEL] for v in seeds]) @ table.vectors[FEEL].T
        return np.repeat(songs[:, :, None], len(VIEWS), axis=2)
    side = Side([one.profile(views) for one in seeds])
    return np.stack([side.views(one) for one in table.profiles], axis=1).astype(np.float32)


def _weighted(likeness: Mapping[str, Float32], weights: Mapping[str, float], n: int) -> Float32:
    total = np.zeros(n, dtype=np.float32)
    for part, weight in weights.items():
        total += np.float32(weight) * likeness[part]
    return total
