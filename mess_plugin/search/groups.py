"""Albums and artists that sound like others: questions about songs, answered by their groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.folding import fold
from mess_plugin.model import Match, Track
from mess_plugin.search.diversity import album_key, artist_key
from mess_plugin.search.engine import MAX_SEEDS, SearchResult, search
from mess_plugin.search.query import MAX_K, Query
from mess_plugin.search.references import find_track
from mess_plugin.store import Store

By = Literal["album", "artist"]
GroupKey: TypeAlias = tuple[str, str]
"""Owner and name of an album, or "" and the name of an artist, folded."""
_NAMES = 50  # that contain the words of a reference


class GroupMatch(msgspec.Struct, frozen=True):
    """An album or an artist as an answer."""

    rank: int
    score: float
    """The mean over its tracks, 0 to 1."""
    name: str
    artist: str | None
    """Of an album; None where it has none, and for artists."""
    tracks: tuple[Track, ...]
    """All of it in the library, in the order of the shelf."""
    closest: Match
    """Its best track."""


class GroupResult(msgspec.Struct, frozen=True):
    """The answer to a question by albums or artists."""

    by: By
    found: SearchResult
    """The question about songs, with as many matches as were looked at."""
    seeds: tuple[str, ...]
    """The albums or artists that were asked about."""
    matches: tuple[GroupMatch, ...]
    k: int
    offset: int
    n_groups: int
    """How many albums or artists were ranked."""


def mean_score(scores: Sequence[float], n_tracks: int, floor: float | None) -> float:
    """The score of a group of tracks: the mean, so that one good match does not lift a whole album.

    scores: of its tracks among the answers, at least one. n_tracks: how many it has. floor: the score
    of the last answer, which the tracks behind the end of a truncated list count with; None where a
    track that is missing was left out by a filter, and has no score.
    """
    missing = max(0, n_tracks - len(scores)) if floor is not None else 0
    return (sum(scores) + missing * (floor or 0.0)) / (len(scores) + missing)


def floor_of(matches: Sequence[Match], query: Query, *, is_full: bool) -> float | None:
    """The floor of `mean_score` for the answers to a query."""
    is_cut = is_full and not (query.filters.any or query.per_artist or query.per_album)
    return matches[-1].score if is_cut and matches else None


def similar_groups(
    store: Store,
    settings: Settings,
    refs: Sequence[str],
    query: Query | None = None,
    *,
    by: By,
    k: int = 10,
    offset: int = 0,
) -> GroupResult:
    """The at most k albums or artists that sound most like others, best first; never one asked about.

    refs: names of albums (or artists), in full or by words that only one holds; else tracks, which
    stand for their album (or artist). More than MAX_SEEDS tracks are thinned out evenly.
    query: what counts, and which tracks may stand for their group.

    Tracks without the tag belong to no group. Raises UsageError (and its kinds) as `search` does, and
    for a track without the tag.
    """
    query = query or Query()
    if not 1 <= k <= MAX_K or not 0 <= offset <= MAX_K:
        raise UsageError(f"k is {k} and offset {offset}: wanted 1 to {MAX_K}, and 0 to {MAX_K}")
    asked: dict[GroupKey, list[Track]] = {}
    for ref in refs:
        for track in tracks_of(store, by, ref):
            asked.setdefault(_key(by, track), []).append(track)
    ids = [track.id for tracks in asked.values() for track in tracks]
    step = -(-len(ids) // MAX_SEEDS) or 1
    seeds = [f"mess:{i}" for i in ids[::step]]
    found = search(store, settings, seeds, query, k=MAX_K, explain=False)
    matches: dict[GroupKey, list[Match]] = {}
    for match in found.matches:
        key = _key(by, match.track)
        if key[1] and key not in asked:
            matches.setdefault(key, []).append(match)
    members = _members(store, by, [one[0].track for one in matches.values()])
    floor = floor_of(found.matches, query, is_full=found.is_full)
    scored = sorted(
        (-mean_score([m.score for m in own], len(members.get(key, ())), floor), own[0].rank, key)
        for key, own in matches.items()
    )
    ranked = [
        _match(by, rank, -negative, members.get(key, ()), matches[key][0])
        for rank, (negative, _, key) in enumerate(scored, start=1)
    ]
    names = tuple(_name(by, tracks[0]) for tracks in asked.values())
    return GroupResult(by, found, names, tuple(ranked[offset : offset + k]), k, offset, len(ranked))


def tracks_of(store: Store, by: By, ref: str) -> list[Track]:
    """The tracks of the album or artist that a reference names. Errors as for `similar_groups`."""
    named = store.library.suggest_names(ref, limit=_NAMES, most_tracks=1) if fold(ref) else []
    words = fold(ref).split()
    fitting = [row for row in named if row[0] == by and all(w in fold(row[1]) for w in words)]
    exact = [row for row in fitting if fold(row[1]) == fold(ref)]
    chosen = exact or fitting
    if len({fold(row[1]) for row in chosen}) > 1:
        lines = "".join(f"\n  {name}" for name in sorted(row[1] for row in chosen))
        raise UsageError(f"{ref!r} names several {by}s; did you mean one of these?{lines}")
    first = chosen[0][3][0] if chosen else find_track(store, ref)
    track = store.library.get([first])[first]
    key = _key(by, track)
    if not key[1]:
        raise UsageError(f"{track.describe()} has no {by} in its tags: name a track that has one")
    if chosen:  # albums of several artists that share a name are all meant
        return [one for one in _named_like(store, by, [track]) if _shares_name(by, one, track)]
    return _members(store, by, [track])[key]


def _named_like(store: Store, by: By, tracks: Sequence[Track]) -> list[Track]:
    """Tracks of groups that are called as those of some tracks, in the order of the shelf."""
    names = sorted({album_key(t)[1] if by == "album" else artist_key(t) for t in tracks})
    ids = (
        store.library.of_groups(albums=names)
        if by == "album"
        else store.library.of_groups(artists=names)
    )
    found = store.library.get(ids).values()
    return sorted(found, key=lambda one: (*_shelf(one), one.id))


def _members(store: Store, by: By, tracks: Sequence[Track]) -> Mapping[GroupKey, list[Track]]:
    """All tracks of the groups of some tracks."""
    grouped: dict[GroupKey, list[Track]] = {}
    for track in _named_like(store, by, tracks) if tracks else ():
        grouped.setdefault(_key(by, track), []).append(track)
    return grouped


def _match(by: By, rank: int, score: float, tracks: Sequence[Track], closest: Match) -> GroupMatch:
    first = closest.track.tags
    owner = (first.album_artist or first.artist) if by == "album" else None
    return GroupMatch(rank, score, _name(by, closest.track), owner, tuple(tracks), closest)


def _key(by: By, track: Track) -> GroupKey:
    return album_key(track) if by == "album" else ("", artist_key(track))


def _shares_name(by: By, one: Track, other: Track) -> bool:
    return _key(by, one)[1] == _key(by, other)[1]


def _name(by: By, track: Track) -> str:
    tags = track.tags
    return (tags.album if by == "album" else tags.artist or tags.album_artist) or ""


def _shelf(track: Track) -> tuple[str, int, str]:
    return fold(track.tags.album or ""), track.tags.track_number or 0, track.path or ""
