"""Questions and answers: what sounds like this track, this file, or this stretch of it?

    answer = similar(store, settings, "so what", k=10)
    for match in answer.matches:
        print(match.score, match.track.describe())

This is the call behind `mess similar`; adapters use it directly. It loads neither Celery nor, with
the default encoder, torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.explain import section_reason, song_reason
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Match, Reason, Space
from mess_plugin.passages import Passage, find_passages
from mess_plugin.recipe import Recipe
from mess_plugin.reference import Recording, Seed, resolve
from mess_plugin.store import Store
from mess_plugin.store.embeddings import Neighbour

MAX_K = 1000
_MOST_NEIGHBOURS = 20_000  # looked at for one vector of the query, at most about
_SECTIONS_ASKED = 12  # sections of the query that look for partners of their own


@dataclass(frozen=True, slots=True)
class Answer:
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
) -> Answer:
    """The tracks that feel most like a reference, at most k, never the reference itself.

    ref: a path, a track id, words that name one track, or bare sound (see `mess_plugin.reference`);
    a file that is not in the library is heard on the fly, where an interval is given only there,
    and not stored. scope: compare songs as wholes, or find
    the most alike sections. interval: ask about this stretch only; the answers are stretches.

    Scores are cosines in the search space cut off at 0, so in [0, 1]: 1 is the same sound, 0 is
    unrelated. Raises UsageError (and its kinds) where the question has no answer.
    """
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}: wanted 1 to {MAX_K}")
    if scope is Level.WINDOW:
        raise UsageError("scope is 'window': wanted 'song' or 'section'")
    recipe = str(Recipe.of(settings))
    space = store.spaces.searchable(recipe)
    if space is None:
        raise UsageError(
            f"nothing is indexed with the encoder {settings.encoder}: run `mess index FOLDER` first"
        )
    seed = resolve(store, settings, space, ref, interval)
    if interval is not None:
        interval = _inside(interval, seed)
        matches = _by_passage(store, settings, space, seed, interval, k)
    elif scope is Level.SECTION:
        matches = _by_section(store, settings, space, seed, k)
    else:
        matches = _by_song(store, settings, space, seed, k)
    if not matches and store.spaces.searchable(recipe) != space:
        # A new projection took over meanwhile, and the vectors of the old one went with it.
        return similar(store, settings, ref, k=k, scope=scope, interval=interval)
    return Answer(seed, space, interval, matches)


def _inside(interval: Interval, seed: Seed) -> Interval:
    """The asked stretch, cut off at the end of the seed. Raises UsageError where there is none."""
    start_s, end_s = interval.start_s, interval.end_s
    if not start_s < end_s:  # also where one of them is no number
        raise UsageError(f"the section ends ({end_s:g} s) before it starts ({start_s:g} s)")
    if not 0 <= start_s < seed.duration_s:
        raise UsageError(
            f"the section starts at {start_s:g} s, but {seed.name} is {seed.duration_s:.1f} s long"
        )
    asked = Interval(start_s, min(end_s, seed.duration_s))
    heard = seed.levels[Level.WINDOW].intervals
    if not ((heard[:, 0] < asked.end_s) & (heard[:, 1] > asked.start_s)).any():
        raise UsageError(f"{seed.name} is silent from {start_s:g} s to {asked.end_s:g} s")
    return asked


def _by_song(
    store: Store, settings: Settings, space: Space, seed: Seed, k: int
) -> tuple[Match, ...]:
    song = seed.levels[Level.SONG].vectors
    found = nearest(store, settings, space, Level.SONG, song[0], k, seed.excluded)
    sections = store.embeddings.of_tracks(space, Level.SECTION, [hit.track_id for hit in found])
    matches = []
    for hit in found:
        reasons: list[Reason] = [song_reason(hit.similarity)]
        pair = best_pair(seed.levels[Level.SECTION], sections[hit.track_id])
        if pair is not None:
            reasons.append(section_reason(*pair))
        matches.append((hit.track_id, hit.similarity, pair, tuple(reasons)))
    return _ranked(store, matches)


def _by_section(
    store: Store, settings: Settings, space: Space, seed: Seed, k: int
) -> tuple[Match, ...]:
    """Each section of the query finds its nearest; every other track is kept once, at its best."""
    best: dict[int, tuple[float, Interval, Interval]] = {}
    for interval, vector in _longest(seed.levels[Level.SECTION], _SECTIONS_ASKED):
        found = _nearest_tracks(store, settings, space, Level.SECTION, vector, 3 * k, k, seed)
        for hit in found:
            if hit.track_id not in best or hit.similarity > best[hit.track_id][0]:
                best[hit.track_id] = (hit.similarity, interval, hit.interval)
    chosen = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:k]
    return _ranked(
        store,
        [
            (track_id, score, (own, other, score), (section_reason(own, other, score),))
            for track_id, (score, own, other) in chosen
        ],
    )


def _by_passage(
    store: Store, settings: Settings, space: Space, seed: Seed, asked: Interval, k: int
) -> tuple[Match, ...]:
    def candidates(vector: Float32, limit: int) -> list[Neighbour]:
        return _nearest_tracks(store, settings, space, Level.WINDOW, vector, limit, k, seed)

    def windows(track_ids: Sequence[int]) -> dict[int, LevelVectors]:
        return store.embeddings.of_tracks(space, Level.WINDOW, track_ids)

    found: list[Passage] = find_passages(seed.levels[Level.WINDOW], asked, candidates, windows, k)
    return _ranked(
        store,
        [
            (
                passage.track_id,
                passage.similarity,
                (asked, passage.interval, passage.similarity),
                (section_reason(asked, passage.interval, passage.similarity),),
            )
            for passage in found
        ],
    )


def nearest(
    store: Store,
    settings: Settings,
    space: Space,
    level: Level,
    vector: Float32,
    limit: int,
    excluded: Sequence[int],
) -> list[Neighbour]:
    """The nearest vectors of a level: exactly in small libraries, by the index in large ones."""
    threshold = settings.exact_below
    exact = store.embeddings.count_up_to(space, level, threshold + 1) <= threshold
    return store.embeddings.nearest(
        space, level, vector, limit, excluded_tracks=excluded, exact=exact
    )


def _nearest_tracks(
    store: Store,
    settings: Settings,
    space: Space,
    level: Level,
    vector: Float32,
    limit: int,
    k: int,
    seed: Seed,
) -> list[Neighbour]:
    """At least `limit` nearest vectors, and more where one long track would fill all the places."""
    while True:
        found = nearest(store, settings, space, level, vector, limit, seed.excluded)
        enough = len({hit.track_id for hit in found}) >= k
        if enough or len(found) < limit or limit >= _MOST_NEIGHBOURS:
            return found
        limit *= 4


def best_pair(own: LevelVectors, other: LevelVectors) -> tuple[Interval, Interval, float] | None:
    """The two most similar sections of two tracks and their cosine; None where one has none."""
    if not len(own.vectors) or not len(other.vectors):
        return None
    cosines = own.vectors @ other.vectors.T
    i, j = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
    return (
        Interval(*own.intervals[i].tolist()),
        Interval(*other.intervals[j].tolist()),
        float(cosines[i, j]),
    )


def _longest(sections: LevelVectors, limit: int) -> list[tuple[Interval, Float32]]:
    lengths = sections.intervals[:, 1] - sections.intervals[:, 0]
    order = sorted(np.argsort(-lengths, kind="stable")[:limit])
    return [(Interval(*sections.intervals[i].tolist()), sections.vectors[i]) for i in order]


_Found = tuple[int, float, tuple[Interval, Interval, float] | None, tuple[Reason, ...]]


def _ranked(store: Store, found: Sequence[_Found]) -> tuple[Match, ...]:
    tracks = store.library.get([track_id for track_id, *_ in found])
    matches = [
        Match(
            rank=0,
            score=float(np.clip(similarity, 0.0, 1.0)),
            track=tracks[track_id],
            query_section=pair[0] if pair else None,
            match_section=pair[1] if pair else None,
            reasons=reasons,
        )
        for track_id, similarity, pair, reasons in found
        if track_id in tracks
    ]
    return tuple(replace(match, rank=rank) for rank, match in enumerate(matches, start=1))
