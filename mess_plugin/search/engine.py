"""Questions and answers: what sounds like this track, this file, or this stretch of it?

    answer = similar(store, settings, "so what", k=10)
    for match in answer.matches:
        print(match.score, match.track.describe())

This is the call behind `mess similar`; adapters use it directly. It loads neither Celery nor, with
the default encoder, torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Match, Reason, Space
from mess_plugin.search.alignment import passage_query
from mess_plugin.search.asking import matches_of
from mess_plugin.search.candidates import voice_of
from mess_plugin.search.explain import passage_reasons, section_reason
from mess_plugin.search.nearest import nearest_of_tracks
from mess_plugin.search.passages import find_passages
from mess_plugin.search.query import HIDE, MAX_K, SHOW, Query
from mess_plugin.search.ranking import Question
from mess_plugin.search.references import Recording, Seed, resolve
from mess_plugin.search.rerank import Weights, weights_of
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store
from mess_plugin.store.embeddings import Neighbour

__all__ = ["MAX_K", "Answer", "ask", "labelled", "similar"]

_SECTIONS_ASKED = 12  # sections of the query that look for partners of their own


class Answer(msgspec.Struct, frozen=True):
    """The seed as it was understood, where the answer comes from, and the matches, best first."""

    seed: Seed
    space: Space
    interval: Interval | None
    matches: tuple[Match, ...]


def similar(
    store: Store,
    settings: Settings,
    ref: str | Recording,
    *,
    k: int = 10,
    scope: Level = Level.SONG,
    interval: Interval | None = None,
    section: str | None = None,
    duplicates: bool = False,
) -> Answer:
    """The tracks that feel most like a reference, at most k, never the reference itself.

    ref: a path, a track id, words that name one track, or bare sound (see
    `mess_plugin.search.references`); a file that is not in the library is heard on the fly, where
    an interval is given only there, and not stored. scope: compare songs as wholes, or find the
    most alike sections. interval: ask about this stretch only; the answers are stretches.
    section: the same, for the longest section with this label. duplicates: whether songs that are
    linked to the reference or to a better answer are shown (`mess_plugin.duplicates`); answers to a
    section always hold them.

    Scores are means of cosines in the search space cut off at 0, so in [0, 1]: 1 is the same sound,
    0 is unrelated; that of a pair does not depend on what else is in the library. Raises UsageError
    (and its kinds) where the question has no answer.
    """
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}: wanted 1 to {MAX_K}")
    if scope is Level.WINDOW:
        raise UsageError("scope is 'window': wanted 'song' or 'section'")
    if section is not None and interval is not None:
        raise UsageError("a section and a start or end exclude each other: leave one out")
    asked, recipe = interval, str(Recipe.of(settings))
    space = store.spaces.searchable(recipe)
    if space is None:
        raise UsageError(
            f"nothing is indexed with the encoder {settings.encoder}: run `mess index FOLDER` first"
        )
    seed = resolve(store, settings, space, ref, interval)
    if section is not None:
        interval = labelled(seed, section)
    if interval is not None:
        interval = _inside(interval, seed)
    matches = ask(
        store, settings, space, seed, k, scope=scope, interval=interval, duplicates=duplicates
    )
    if not matches and store.spaces.searchable(recipe) != space:
        # A new projection took over meanwhile, and the vectors of the old one went with it.
        return similar(
            store,
            settings,
            ref,
            k=k,
            scope=scope,
            interval=asked,
            section=section,
            duplicates=duplicates,
        )
    return Answer(seed, space, interval, matches)


def ask(
    store: Store,
    settings: Settings,
    space: Space,
    seed: Seed,
    k: int,
    *,
    scope: Level = Level.SONG,
    interval: Interval | None = None,
    weights: Weights | None = None,
    duplicates: bool = False,
) -> tuple[Match, ...]:
    """The matches of a seed that is at hand, such as an excerpt that was just heard.

    interval: inside the seed. weights: of the views that order songs, None for those of the space
    (`mess_plugin.search.rerank`).
    """
    if interval is not None:
        return _by_passage(store, settings, space, seed, interval, k)
    if scope is Level.SECTION:
        return _by_section(store, settings, space, seed, k)
    return _by_song(store, settings, space, seed, k, weights or weights_of(space), duplicates)


def labelled(seed: Seed, label: str) -> Interval:
    """The longest section with a label, such as "B". Raises UnknownName where there is none."""
    sections = seed.levels[Level.SECTION]
    rows = [row for row, name in enumerate(sections.labels) if name == label.upper()]
    if not rows:
        raise UnknownName(f"section of {seed.name}", label, set(sections.labels))
    found = [Interval(*sections.intervals[row].tolist()) for row in rows]
    return max(found, key=lambda interval: interval.duration_s)


def _inside(interval: Interval, seed: Seed) -> Interval:
    """The asked stretch, cut off at the end of the seed. Raises UsageError where there is none."""
    start_s, end_s = interval.start_s, interval.end_s
    if start_s >= seed.duration_s:
        raise UsageError(
            f"the section starts at {start_s:g} s, but {seed.name} is {seed.duration_s:.1f} s long"
        )
    asked = Interval(start_s, min(end_s, seed.duration_s))
    heard = seed.levels[Level.WINDOW].intervals
    if not ((heard[:, 0] < asked.end_s) & (heard[:, 1] > asked.start_s)).any():
        raise UsageError(f"{seed.name} is silent from {start_s:g} s to {asked.end_s:g} s")
    return asked


def _by_song(
    store: Store,
    settings: Settings,
    space: Space,
    seed: Seed,
    k: int,
    weights: Weights,
    duplicates: bool,
) -> tuple[Match, ...]:
    plain = Query(duplicates=SHOW if duplicates else HIDE)
    asked = Question((voice_of(store, seed),), plain.weights(), weights, excluded=seed.excluded)
    return matches_of(store, settings, space, asked, plain, k)


def _by_section(
    store: Store, settings: Settings, space: Space, seed: Seed, k: int
) -> tuple[Match, ...]:
    """Each section of the query finds its nearest; every other track is kept once, at its best."""
    best: dict[int, tuple[float, Interval, Interval]] = {}
    for interval, vector in _longest(seed.levels[Level.SECTION], _SECTIONS_ASKED):
        found = nearest_of_tracks(
            store, settings, space, Level.SECTION, vector, 3 * k, k, seed.excluded
        )
        for hit in found:
            if hit.track_id not in best or hit.similarity > best[hit.track_id][0]:
                best[hit.track_id] = (hit.similarity, interval, hit.interval)
    chosen = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:k]
    return _ranked(
        store,
        [
            _Found(track_id, score, own, other, (section_reason(own, other, score),))
            for track_id, (score, own, other) in chosen
        ],
    )


def _by_passage(
    store: Store, settings: Settings, space: Space, seed: Seed, asked: Interval, k: int
) -> tuple[Match, ...]:
    def candidates(vector: Float32, limit: int) -> list[Neighbour]:
        return nearest_of_tracks(
            store, settings, space, Level.WINDOW, vector, limit, k, seed.excluded
        )

    def windows(track_ids: Sequence[int]) -> dict[int, LevelVectors]:
        return store.embeddings.of_tracks(space, Level.WINDOW, track_ids)

    query = passage_query(seed.levels[Level.WINDOW], asked, seed.hear, space.window_s, space.hop_s)
    return _ranked(
        store,
        [
            _Found(
                found.passage.track_id,
                found.passage.similarity,
                asked,
                found.passage.interval,
                passage_reasons(asked, found),
                found.confidence,
                found.repeats,
            )
            for found in find_passages(query, candidates, windows, k)
        ],
    )


def _longest(sections: LevelVectors, limit: int) -> list[tuple[Interval, Float32]]:
    lengths = sections.intervals[:, 1] - sections.intervals[:, 0]
    order = sorted(np.argsort(-lengths, kind="stable")[:limit])
    return [(Interval(*sections.intervals[i].tolist()), sections.vectors[i]) for i in order]


class _Found(msgspec.Struct, frozen=True):
    track_id: int
    score: float
    own: Interval | None
    other: Interval | None
    reasons: tuple[Reason, ...]
    confidence: float | None = None
    repeats: tuple[Interval, ...] = ()


def _ranked(store: Store, answers: Sequence[_Found]) -> tuple[Match, ...]:
    tracks = store.library.get([found.track_id for found in answers])
    matches = [
        Match(
            rank=0,
            score=float(np.clip(found.score, 0.0, 1.0)),
            track=tracks[found.track_id],
            query_section=found.own,
            match_section=found.other,
            reasons=found.reasons,
            confidence=found.confidence,
            repeats=found.repeats,
        )
        for found in answers
        if found.track_id in tracks
    ]
    return tuple(replace(match, rank=rank) for rank, match in enumerate(matches, start=1))
