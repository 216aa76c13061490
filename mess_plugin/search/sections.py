"""Answers that are stretches of music: those most like a stretch, or like any section of a track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Match, Reason, Space, Track
from mess_plugin.search import explain as reasons
from mess_plugin.search.alignment import passage_query, windows_inside
from mess_plugin.search.candidates import QueryFeatures
from mess_plugin.search.diversity import choose
from mess_plugin.search.explain import part_reason, section_reason
from mess_plugin.search.likeness import stretch_scale
from mess_plugin.search.nearest import nearest_of_tracks
from mess_plugin.search.passages import find_passages
from mess_plugin.search.query import FEEL, Query
from mess_plugin.search.ranking import Question
from mess_plugin.search.scoring import AGAINST, alike
from mess_plugin.search.songs import relations
from mess_plugin.search.stretch_facets import StretchFacets
from mess_plugin.store import Store
from mess_plugin.store.embeddings import Neighbour

_SECTIONS_ASKED = 12  # sections of the query that look for partners of their own
_COMPARED = 30  # the best by the feel are compared in the other aspects …
_COMPARED_PER_ANSWER = 3  # … and more where many answers are wanted
_MOST_COMPARED = 100  # each is decoded anew
HEEDED = (
    "emphasis", "only", "exact_key", "against", "diversity", "per_artist", "per_album", "listener",
    "duplicates",
)  # fmt: skip
"""What a question about sections heeds beside filters. Duplicates always answer it: where an excerpt
comes from is worth knowing whatever it is a copy of."""


class _Stretch(msgspec.Struct, frozen=True):
    """A stretch that may answer, and the one of the query that it is like."""

    track_id: int
    own: Interval
    other: Interval
    similarity: float
    """Cosine in the search space."""
    confidence: float | None = None
    repeats: tuple[Interval, ...] = ()


def answer_stretch(
    store: Store,
    settings: Settings,
    space: Space,
    question: Question,
    query: Query,
    asked: Interval,
    k: int,
) -> tuple[Match, ...]:
    """The best stretch of each of the k tracks that hold one most like the asked stretch."""

    def candidates(vector: Float32, limit: int) -> list[Neighbour]:
        return nearest_of_tracks(
            store, settings, space, Level.WINDOW, vector, limit, pool, question.excluded,
            question.allowed,
        )  # fmt: skip

    def windows(track_ids: Sequence[int]) -> dict[int, LevelVectors]:
        return store.embeddings.of_tracks(space, Level.WINDOW, track_ids)

    seed = question.seeds[0].seed
    pool = _pool(question, query, k)
    looked_for = passage_query(
        seed.levels[Level.WINDOW], asked, seed.hear, space.window_s, space.hop_s
    )
    found = [
        _Stretch(
            one.passage.track_id,
            asked,
            one.passage.interval,
            one.passage.similarity,
            one.confidence,
            one.repeats,
        )
        for one in find_passages(looked_for, candidates, windows, pool)
    ]
    return _ranked(store, settings, space, question, query, found, k, Level.WINDOW)


def answer_with_sections(
    store: Store, settings: Settings, space: Space, question: Question, query: Query, k: int
) -> tuple[Match, ...]:
    """Each section of the query finds its nearest; every other track is kept once, at its best."""
    best: dict[int, _Stretch] = {}
    pool = _pool(question, query, k)
    for interval, vector in _longest(question.seeds[0].seed.levels[Level.SECTION]):
        hits = nearest_of_tracks(
            store, settings, space, Level.SECTION, vector, 3 * pool, pool, question.excluded,
            question.allowed,
        )  # fmt: skip
        for hit in hits:
            if hit.track_id not in best or hit.similarity > best[hit.track_id].similarity:
                best[hit.track_id] = _Stretch(hit.track_id, interval, hit.interval, hit.similarity)
    found = sorted(best.values(), key=lambda one: (-one.similarity, one.track_id))[:pool]
    return _ranked(store, settings, space, question, query, found, k, Level.SECTION)


def _pool(question: Question, query: Query, k: int) -> int:
    """How many stretches are compared for k answers; more where not only their feel decides."""
    steered = query.is_varied or question.against or set(question.weights) != {FEEL}
    if not steered:
        return k
    return max(k, min(_MOST_COMPARED, max(_COMPARED, _COMPARED_PER_ANSWER * k)))


def _longest(sections: LevelVectors) -> list[tuple[Interval, Float32]]:
    lengths = sections.intervals[:, 1] - sections.intervals[:, 0]
    order = sorted(np.argsort(-lengths, kind="stable")[:_SECTIONS_ASKED])
    return [(Interval(*sections.intervals[i].tolist()), sections.vectors[i]) for i in order]


def _ranked(
    store: Store,
    settings: Settings,
    space: Space,
    question: Question,
    query: Query,
    found: Sequence[_Stretch],
    k: int,
    level: Level,
) -> tuple[Match, ...]:
    """The k best of some stretches by everything that counts, with their reasons."""
    tracks = store.library.get([one.track_id for one in found])
    found = [one for one in found if one.track_id in tracks]
    parts = _parts(store, settings, question, tracks, found)
    scores = np.array([sum(part.value for part in own) for own in parts], dtype=np.float32)
    vectors = np.zeros((0, 0), dtype=np.float32)
    if question.against or query.diversity:
        vectors = _vectors(store, space, found)
    if question.against:
        unlike = _unlike(question.against, vectors)
        scores = scores - unlike
        parts = [
            [*own, reasons.unlike(float(taken))] if taken > 0 else own
            for own, taken in zip(parts, unlike, strict=True)
        ]
    rows = [int(row) for row in np.argsort(-scores, kind="stable")]
    if question.against or FEEL not in question.weights:
        rows = [row for row in rows if scores[row] > 0]
    if query.is_varied:
        rows = _varied(query, rows, found, tracks, scores, vectors, k)
    measured = store.facets.measures([found[row].track_id for row in rows[:k]])
    first = question.seeds[0]
    scale = stretch_scale(store, space, level)
    return tuple(
        Match(
            rank=rank,
            score=float(np.clip(scores[row], 0.0, 1.0)),
            track=tracks[found[row].track_id],
            query_section=found[row].own,
            match_section=found[row].other,
            reasons=(
                *parts[row],
                *_repeats(found[row]),
                *(
                    relations(
                        first,
                        tracks[found[row].track_id].tags,
                        measured[found[row].track_id][0],
                    )
                    if found[row].track_id in measured
                    else ()
                ),
            ),
            confidence=found[row].confidence,
            repeats=found[row].repeats,
            likeness=scale.of(found[row].similarity),
        )
        for rank, row in enumerate(rows[:k], start=1)
    )


def _parts(
    store: Store,
    settings: Settings,
    question: Question,
    tracks: Mapping[int, Track],
    found: Sequence[_Stretch],
) -> list[list[Reason]]:
    """What the score of each stretch is the sum of: its feel, and facets of the two stretches."""
    aspects = [aspect for aspect in question.weights if aspect != FEEL]
    feel = question.weights.get(FEEL, 0.0)
    parts = [[section_reason(one.own, one.other, one.similarity, feel)] for one in found]
    if not aspects:
        return parts
    facets = StretchFacets(store, settings)
    seed = question.seeds[0].seed
    asked = {one.own: facets.of_seed(seed, one.own) for one in found}
    for own_parts, one in zip(parts, found, strict=True):
        own = asked[one.own]
        other = facets.of_track(tracks[one.track_id], one.other)
        for aspect in aspects:
            share = question.weights[aspect]
            if aspect in own and aspect in other:
                value = float(
                    alike(own[aspect], other[aspect][None], aspect, exact_key=question.exact_key)[0]
                )
                own_parts.append(part_reason(aspect, value, share))
            else:  # nothing of it sounds in one of the two: the feel stands in, as for songs
                own_parts.append(part_reason(aspect, max(one.similarity, 0), share, unheard=True))
    return parts


def _vectors(store: Store, space: Space, found: Sequence[_Stretch]) -> Float32:
    """A window vector for each stretch, (n, dim) of unit length: the mean of its windows."""
    windows = store.embeddings.of_tracks(space, Level.WINDOW, [one.track_id for one in found])
    rows = [
        windows_inside(windows[one.track_id], one.other).vectors.mean(axis=0)
        if len(windows[one.track_id].vectors)
        else np.zeros(space.dim, dtype=np.float32)
        for one in found
    ]
    return unit(np.stack(rows)) if rows else np.zeros((0, space.dim), dtype=np.float32)


def _unlike(against: Sequence[QueryFeatures], vectors: Float32) -> Float32:
    """What likeness to the music asked against takes away from each stretch: (n,)."""
    means = unit(np.stack([one.seed.levels[Level.WINDOW].vectors.mean(axis=0) for one in against]))
    likeness = np.clip(vectors @ means.T, 0, 1).mean(axis=1)
    return np.asarray(AGAINST * likeness, dtype=np.float32)


def _varied(
    query: Query,
    rows: Sequence[int],
    found: Sequence[_Stretch],
    tracks: Mapping[int, Track],
    scores: Float32,
    vectors: Float32,
    k: int,
) -> list[int]:
    places = choose(
        scores[list(rows)],
        [tracks[found[row].track_id] for row in rows],
        k,
        diversity=query.diversity,
        likeness=lambda place: np.clip(vectors[list(rows)] @ vectors[rows[place]], 0, 1),
        per_artist=query.per_artist,
        per_album=query.per_album,
    )
    return [rows[place] for place in places]


def _repeats(one: _Stretch) -> tuple[Reason, ...]:
    if not one.repeats:
        return ()
    times = len(one.repeats) + 1
    return (Reason("repeats", float(times), f"comes {times} times"),)
