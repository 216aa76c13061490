"""The one way to a score: candidates from afar, then a closer look at the best of them.

Plain questions, steered ones and the evaluation all come through here, so the same pair of tracks
has the same score whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.config import Settings
from mess_plugin.facets import Facet
from mess_plugin.model import Space
from mess_plugin.search.candidates import (
    CandidateSet,
    QueryFeatures,
    gather_candidates,
    with_facets,
    with_profiles,
)
from mess_plugin.search.query import FEEL
from mess_plugin.search.rerank import SONG_ALONE, ViewWeights
from mess_plugin.search.scoring import Leaning, Scores, blend, lean, score
from mess_plugin.store import Store

_LOOKS = 60  # candidates that get the closer look, at least
_LOOKS_PER_ANSWER = 2
_VARIED_LOOKS = 200  # where more of them compete for the places
_VARIED_LOOKS_PER_ANSWER = 10


class Question(msgspec.Struct, frozen=True):
    """What is asked of the library, understood.

    seeds: one or more. weights: aspect → weight, adding up to 1. views: of the feel. against: what
    answers should be unlike. excluded: tracks that must not answer; allowed: those that may, None for
    all. leaning: of the listener, None for none. external: source → track → score in [0, 1], and
    shares: what each makes up of the score.
    """

    seeds: Sequence[QueryFeatures]
    weights: Mapping[str, float]
    views: ViewWeights
    against: Sequence[QueryFeatures] = ()
    exact_key: bool = False
    excluded: Sequence[int] = ()
    allowed: Sequence[int] | None = None
    leaning: Leaning | None = None
    external: Mapping[str, Mapping[int, float]] = msgspec.field(default_factory=dict)
    shares: Mapping[str, float] = msgspec.field(default_factory=dict)


class Ranking(msgspec.Struct, frozen=True):
    """Candidates, their scores, and their rows in the table in order, best first."""

    table: CandidateSet
    scores: Scores
    order: tuple[int, ...]


def rank(
    store: Store, settings: Settings, space: Space, asked: Question, k: int, *, varied: bool = False
) -> Ranking:
    """The best candidates for k answers, more than k of them where there are more.

    The nearest tracks by each aspect that counts are scored from afar; then twice k of the best, at
    least 60, get the closer look that the views of the feel take. varied: ten times k, at least 200,
    because not only the best will do. What scores 0 is left out where something is asked against (it
    is as much like that), and where facets alone count (they tell nothing of it).
    """
    varied = varied or bool(asked.external)
    looks = max(
        _VARIED_LOOKS if varied else _LOOKS,
        (_VARIED_LOOKS_PER_ANSWER if varied else _LOOKS_PER_ANSWER) * k,
    )
    one_lookup = len(asked.seeds) * len(asked.weights) == 1 and not asked.against
    limit = looks if one_lookup else max(_VARIED_LOOKS, _VARIED_LOOKS_PER_ANSWER * k)
    table = gather_candidates(
        store,
        settings,
        space,
        asked.seeds,
        asked.weights,
        limit,
        excluded=asked.excluded,
        allowed=asked.allowed,
        also=[i for of in asked.external.values() for i in _best(of, limit)],
    )
    if asked.leaning:
        table = with_facets(store, table, (Facet.TIMBRE,))
    scores = _scored(asked, table, SONG_ALONE)
    order = _order(asked, table, scores)[:looks]
    if FEEL in asked.weights and asked.views != SONG_ALONE:
        table = with_profiles(store, space, table.at(order), asked.views)
        scores = _scored(asked, table, asked.views)
        order = _order(asked, table, scores)
    return Ranking(table, scores, tuple(order))


def _scored(asked: Question, table: CandidateSet, views: ViewWeights) -> Scores:
    scores = score(
        table, asked.seeds, asked.against, asked.weights, views=views, exact_key=asked.exact_key
    )
    if asked.leaning and Facet.TIMBRE in table.vectors:
        scores = lean(scores, table, asked.leaning)
    return blend(scores, table, asked.external, asked.shares) if asked.shares else scores


def _order(asked: Question, table: CandidateSet, scores: Scores) -> list[int]:
    """Rows by score, equal ones by track."""
    rows = np.lexsort((np.array(table.track_ids, dtype=np.int64), -scores.scores)).tolist()
    every = FEEL in asked.weights and not asked.against
    return [row for row in rows if every or scores.scores[row] > 0]


def _best(scores: Mapping[int, float], limit: int) -> list[int]:
    return sorted(scores, key=lambda i: (-scores[i], i))[:limit]
