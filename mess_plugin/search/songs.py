"""Answers that are whole songs: ranked, without duplicates, varied where asked, with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mess_plugin.config import Settings
from mess_plugin.facets import Measures
from mess_plugin.model import Level, Match, Reason, Space, Tags, Track
from mess_plugin.options import HIDE
from mess_plugin.search import explain as reasons
from mess_plugin.search.candidates import QueryFeatures
from mess_plugin.search.diversity import choose, linked
from mess_plugin.search.explain import (
    alike_reason,
    best_pair,
    part_reason,
    section_reason,
    tags_reason,
)
from mess_plugin.search.filters import key_of, tempo_of
from mess_plugin.search.likeness import LikenessScale, song_scale
from mess_plugin.search.query import Query
from mess_plugin.search.ranking import Question, Ranking, rank
from mess_plugin.search.rerank import SONG_ALONE, VIEWS
from mess_plugin.search.scoring import likeness_to, unheard
from mess_plugin.store import Store

_VARIED_POOL = 4  # times k candidates compete where variety is wanted …
_LEAST_POOL = 200  # … and at least so many
_EQUAL_DIGITS = 6  # of a score; beyond these, two scores are the same
_SPARE = 10  # answers that may turn out to be duplicates of others


def answer_with_songs(
    store: Store,
    settings: Settings,
    space: Space,
    question: Question,
    query: Query,
    k: int,
    *,
    explain: bool = True,
) -> tuple[Match, ...]:
    """The at most k songs that answer a question best.

    query: what it says about duplicates and variety; all else is in the question. explain: whether
    the matches get their reasons, their likeness and their most alike sections.
    """
    varied = query.is_varied
    found = rank(store, settings, space, question, k + _SPARE, varied=varied)
    order = list(found.order)
    if query.duplicates == HIDE:
        asked = [i for one in (*question.seeds, *question.against) for i in one.seed.excluded]
        left_out = linked(store, asked, [found.table.track_ids[i] for i in order])
        order = [i for i in order if found.table.track_ids[i] not in left_out]
    if not varied:
        order = order[: k + _SPARE]
    elif not (query.per_artist or query.per_album):
        order = order[: max(_LEAST_POOL, _VARIED_POOL * k)]
    tracks = store.library.get([found.table.track_ids[i] for i in order])
    order = [i for i in order if found.table.track_ids[i] in tracks]
    # Of recordings that sound the same the undamaged one comes first.
    order.sort(
        key=lambda i: (
            -round(float(found.scores.scores[i]), _EQUAL_DIGITS),
            tracks[found.table.track_ids[i]].damage is not None,
        )
    )
    chosen = _chosen(question, query, found, tracks, order, k) if varied else order[:k]
    if not explain:
        return tuple(
            Match(place, _score(found, row), tracks[found.table.track_ids[row]], None, None)
            for place, row in enumerate(chosen, start=1)
        )
    return _explained(store, space, question, found, tracks, chosen)


def _chosen(
    question: Question,
    query: Query,
    found: Ranking,
    tracks: Mapping[int, Track],
    order: Sequence[int],
    k: int,
) -> list[int]:
    """At most k varied rows."""
    pool = found.table.at(order)
    places = choose(
        found.scores.scores[list(order)],
        [tracks[i] for i in pool.track_ids],
        k,
        diversity=query.diversity,
        likeness=lambda row: likeness_to(pool, row, question.weights, exact_key=query.exact_key),
        per_artist=query.per_artist,
        per_album=query.per_album,
    )
    return [order[place] for place in places]


def _explained(
    store: Store,
    space: Space,
    question: Question,
    found: Ranking,
    tracks: Mapping[int, Track],
    chosen: Sequence[int],
) -> tuple[Match, ...]:
    first = question.seeds[0]
    ids = [found.table.track_ids[row] for row in chosen]
    sections = store.embeddings.of_tracks(space, Level.SECTION, ids)
    measured = store.facets.measures(ids)
    tags = store.tags.of([*ids, *first.seed.excluded])
    own_tags = [tag for i in first.seed.excluded if i in tags for tag in tags[i].tags]
    scale = song_scale(store, space, question.weights, question.views, exact_key=question.exact_key)
    by_facet = {
        part: song_scale(store, space, {part: 1.0}, SONG_ALONE, exact_key=question.exact_key)
        for part in found.scores.weights
        if part not in VIEWS
    }
    matches = []
    for place, (row, track_id) in enumerate(zip(chosen, ids, strict=True), start=1):
        pair = best_pair(first.seed.levels[Level.SECTION], sections[track_id])
        facts = [section_reason(*pair)] if pair is not None else []
        measures = measured[track_id][0] if track_id in measured else None
        facts += _striking(found, question.seeds, row, by_facet)
        if track_id in tags and (both := tags_reason(own_tags, tags[track_id].tags)):
            facts.append(both)
        facts += relations(first, tracks[track_id].tags, measures)
        matches.append(
            Match(
                rank=place,
                score=_score(found, row),
                track=tracks[track_id],
                query_section=pair[0] if pair else None,
                match_section=pair[1] if pair else None,
                reasons=(*_parts(found, question.seeds, row), *facts),
                likeness=scale.of(found.scores.likeness_of(row)),
            )
        )
    return tuple(matches)


def _score(found: Ranking, row: int) -> float:
    return min(1.0, max(0.0, float(found.scores.scores[row])))


def _parts(found: Ranking, seeds: Sequence[QueryFeatures], row: int) -> list[Reason]:
    """What the score of a candidate is the sum of."""
    scores, alone = found.scores, found.table.at([row])
    parts = [
        part_reason(
            part,
            float(scores.likeness[part][row]),
            weight,
            unheard=part not in VIEWS and bool(unheard(alone, seeds, part)[0]),
        )
        for part, weight in scores.weights.items()
    ]
    parts += [
        reasons.blended(source, float(of[row]), scores.shares[source])
        for source, of in scores.blended.items()
    ]
    if scores.leaning[row]:
        parts.append(reasons.leaning(float(scores.leaning[row])))
    if scores.unlike[row] > 0:
        parts.append(reasons.unlike(float(scores.unlike[row])))
    return parts


def _striking(
    found: Ranking,
    seeds: Sequence[QueryFeatures],
    row: int,
    by_facet: Mapping[str, LikenessScale],
) -> list[Reason]:
    """In which facets two are strikingly alike, for this library."""
    alone = found.table.at([row])
    shares = {
        facet: scale.of(float(found.scores.likeness[facet][row]))
        for facet, scale in by_facet.items()
        if not unheard(alone, seeds, facet)[0]
    }
    reason = alike_reason({facet: share for facet, share in shares.items() if share is not None})
    return [reason] if reason else []


def relations(first: QueryFeatures, tags: Tags, measures: Measures | None) -> list[Reason]:
    """Tempo and key beside those of the first seed, where both are known."""
    own_tags = first.seed.track.tags if first.seed.track else Tags()
    own_bpm, bpm = tempo_of(own_tags, first.measures), tempo_of(tags, measures)
    own_key, key = key_of(own_tags, first.measures), key_of(tags, measures)
    found = []
    if own_bpm and bpm:
        found.append(reasons.tempo_reason(own_bpm, bpm))
    if own_key and key:
        found.append(reasons.key_reason(own_key, key))
    return found
