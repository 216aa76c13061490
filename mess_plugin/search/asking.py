"""A steered question: several seeds, what counts, what is left out → matches with their reasons.

    answer = steer(store, settings, ["nebula"], Query(emphasis={"rhythm": 2}), k=10)

This is the one door for the command line, HTTP and playlists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mess_plugin.config import Settings
from mess_plugin.duplicates.hiding import hidden
from mess_plugin.errors import UsageError
from mess_plugin.facets import Measures
from mess_plugin.model import Level, Match, Reason, Space, Tags, Track
from mess_plugin.search import reasons
from mess_plugin.search.blending import read_blends
from mess_plugin.search.candidates import Voice, allowed_ids, key_of, tempo_of, voice
from mess_plugin.search.diversity import choose
from mess_plugin.search.explain import best_pair, part_reason, section_reason
from mess_plugin.search.query import HIDE, MAX_K, Query
from mess_plugin.search.ranking import Question, Ranking, rank
from mess_plugin.search.rerank import VIEWS, weights_of
from mess_plugin.search.scoring import likeness_to, unheard
from mess_plugin.search.taste import Taste, taste_of
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store

MAX_SEEDS = 100
_VARIED_POOL = 4  # times k candidates compete where variety is wanted …
_LEAST_POOL = 200  # … and at least so many
_SPARE = 10  # answers that may turn out to be duplicates of others


class Steered(msgspec.Struct, frozen=True):
    """The seeds as understood, what counted how much, the matches, and the listener's taste."""

    seeds: tuple[Voice, ...]
    against: tuple[Voice, ...]
    space: Space
    weights: Mapping[str, float]
    matches: tuple[Match, ...]
    taste: Taste | None = None


def steer(
    store: Store, settings: Settings, refs: Sequence[str], query: Query, *, k: int = 10
) -> Steered:
    """The at most k tracks that answer a query best; never a seed, nor what it is asked against.

    refs: one to MAX_SEEDS references. Scores are in [0, 1]: the sum of the values of the reasons that
    are parts of it (`reasons.py`), 0 where that is below 0. A track that is more like what is asked
    against than like the seeds is no answer. Raises UsageError (and its kinds) where the question has
    no answer.
    """
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}: wanted 1 to {MAX_K}")
    unique = list(dict.fromkeys(refs))
    if not 1 <= len(unique) <= MAX_SEEDS:
        raise UsageError(f"there are {len(unique)} seeds: wanted 1 to {MAX_SEEDS}")
    space = answering_space(store, settings)
    taste = taste_of(store, space, query.listener) if query.listener else None
    weights = query.weights(taste.weights) if taste and taste.is_on else query.weights()
    seeds = tuple(voice(store, settings, space, ref, weights) for ref in unique)
    against = tuple(voice(store, settings, space, ref, weights) for ref in query.against)
    question = Question(
        seeds,
        weights,
        weights_of(space),
        against,
        exact_key=query.exact_key,
        excluded=_excluded(seeds, against),
        allowed=allowed_ids(store, query.filters, seeds[0]),
        leaning=taste.leaning if taste and taste.is_on and not query.only else None,
        external=read_blends(store, query.blend, query.listener),
        shares=query.blend,
    )
    matches = matches_of(store, settings, space, question, query, k)
    return Steered(seeds, against, space, weights, matches, taste)


def matches_of(
    store: Store, settings: Settings, space: Space, question: Question, query: Query, k: int
) -> tuple[Match, ...]:
    """The at most k answers to a question about songs, with their reasons.

    query: what it says about duplicates and variety; all else is in the question.
    """
    varied = query.diversity > 0 or bool(query.per_artist or query.per_album)
    found = rank(store, settings, space, question, k + _SPARE, varied=varied)
    order = list(found.order)
    if query.duplicates == HIDE:
        left_out = hidden(store, question.excluded, [found.table.track_ids[i] for i in order])
        order = [i for i in order if found.table.track_ids[i] not in left_out]
    if not varied:
        order = order[: k + _SPARE]
    elif not (query.per_artist or query.per_album):
        order = order[: max(_LEAST_POOL, _VARIED_POOL * k)]
    tracks = store.library.get([found.table.track_ids[i] for i in order])
    order = [i for i in order if found.table.track_ids[i] in tracks]
    chosen = _chosen(question, query, found, tracks, order, k) if varied else order[:k]
    return _explained(store, space, question, found, tracks, chosen)


def answering_space(store: Store, settings: Settings) -> Space:
    """The space that questions are answered in. Raises UsageError where nothing is indexed."""
    space = store.spaces.searchable(str(Recipe.of(settings)))
    if space is None:
        raise UsageError(
            f"nothing is indexed with the encoder {settings.encoder}: run `mess index FOLDER` first"
        )
    return space


def _excluded(seeds: Sequence[Voice], against: Sequence[Voice]) -> list[int]:
    liked = {i for one in seeds for i in one.seed.excluded}
    rejected = {i for one in against for i in one.seed.excluded}
    if both := liked & rejected:
        raise UsageError(f"track {min(both)} is asked for and against: leave one out")
    return sorted(liked | rejected)


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
    matches = []
    for place, (row, track_id) in enumerate(zip(chosen, ids, strict=True), start=1):
        pair = best_pair(first.seed.levels[Level.SECTION], sections[track_id])
        facts = [section_reason(*pair)] if pair is not None else []
        measures = measured[track_id][0] if track_id in measured else None
        facts += _relations(first, tracks[track_id].tags, measures)
        matches.append(
            Match(
                rank=place,
                score=min(1.0, max(0.0, float(found.scores.scores[row]))),
                track=tracks[track_id],
                query_section=pair[0] if pair else None,
                match_section=pair[1] if pair else None,
                reasons=(*_parts(found, question.seeds, row), *facts),
            )
        )
    return tuple(matches)


def _parts(found: Ranking, seeds: Sequence[Voice], row: int) -> list[Reason]:
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


def _relations(first: Voice, tags: Tags, measures: Measures | None) -> list[Reason]:
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
