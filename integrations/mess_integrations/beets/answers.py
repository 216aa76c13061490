"""A question about items of beets → MESS's answer as items and albums of beets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from beets.dbcore.query import MatchQuery, OrQuery, PathQuery
from beets.library import Album, Item, Library
from msgspec.structs import replace

from mess_integrations.beets.fields import Found
from mess_integrations.beets.session import opened
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.library.pathmap import PathMap, linked_paths
from mess_plugin.model import Interval, Match
from mess_plugin.search import search
from mess_plugin.search.explain import told
from mess_plugin.search.groups import floor_of, mean_score
from mess_plugin.search.query import MAX_K, Query
from mess_plugin.store import Store

_PATHS_AT_ONCE = 200  # SQLite limits how deep a condition may nest
_DEEPEN = 4


class BeetsQuestion(msgspec.Struct, frozen=True):
    """The options of a question, without the seeds."""

    k: int = 10
    interval: Interval | None = None
    """A section of the only seed."""
    against: tuple[Item, ...] = ()
    """Items that answers should be unlike."""
    query: Query = msgspec.field(default_factory=Query)


class BeetsAnswer(msgspec.Struct, frozen=True):
    """Items with their answers, best first."""

    found: tuple[tuple[Item, Found], ...]
    unindexed: tuple[Item, ...]
    """Seeds that MESS has not indexed yet."""
    not_in_beets: tuple[str, ...]
    """Matching tracks that beets does not have."""
    floor: float | None
    """The score of the last match asked for; None where all matches were seen."""


def ask(
    lib: Library, settings: Settings, seeds: Sequence[Item], question: BeetsQuestion
) -> BeetsAnswer:
    """The items of the library that feel like all the seeds. Raises MessError."""
    if not seeds:
        raise UsageError("the query names no track: nothing to compare with")
    if question.interval is not None and len(seeds) > 1:
        raise UsageError(
            f"a section is of one track, but the query names {len(seeds)}: narrow it, "
            "or leave out --start and --end"
        )
    with opened(settings) as (ready, store):
        names = linked_paths(store, os.fsdecode(lib.directory))
        refs, unindexed = _refs(store, seeds, names)
        against = _refs(store, question.against, names)[0] if question.against else []
        query = replace(question.query, against=tuple(against))
        used = {item.id for item in (*seeds, *question.against)}
        depth = question.k
        while True:
            matches = search(store, ready, refs, query, k=depth, interval=question.interval).matches
            found, not_in_beets = _in_beets(lib, matches, used, names)
            complete = len(matches) < depth
            if len(found) >= question.k or complete or depth == MAX_K:
                break
            depth = min(MAX_K, depth * _DEEPEN)
    floor = floor_of(matches, query, is_full=not complete)
    return BeetsAnswer(
        tuple(_ranked(found[: question.k])), tuple(unindexed), tuple(not_in_beets), floor
    )


def _refs(store: Store, seeds: Sequence[Item], names: PathMap) -> tuple[list[str], list[Item]]:
    """References to the indexed seeds (found by path, then by MusicBrainz id), and the other seeds.

    A single unknown seed is referred to by its path, so that it is analysed on the spot.
    """
    refs: list[str] = []
    unindexed: list[Item] = []
    for item in seeds:
        known = store.library.find_path(names.library(os.fsdecode(item.path)))
        track_id = known[0] if known else None
        if track_id is None and item.get("mb_trackid"):
            track_id = store.library.find_recording(item.mb_trackid)
        if track_id is None:
            unindexed.append(item)
        else:
            refs.append(f"mess:{track_id}")
    if refs or len(unindexed) == 1:
        return refs or [os.fsdecode(unindexed[0].path)], unindexed if refs else []
    raise UsageError(
        f"none of these {len(unindexed)} tracks is indexed yet: run `beet mess index` first"
    )


def _in_beets(
    lib: Library, matches: Sequence[Match], seeds: set[int | None], names: PathMap
) -> tuple[list[tuple[Item, Match]], list[str]]:
    """Matches with their items, and names of the tracks that beets does not have."""
    by_path = _by_path(lib, [path for match in matches for path in match.track.paths], names)
    used = set(seeds)
    found: list[tuple[Item, Match]] = []
    not_in_beets: list[str] = []
    for match in matches:
        items = [by_path[path] for path in match.track.paths if path in by_path]
        if not items and (recording := match.track.tags.musicbrainz_recording):
            items = list(lib.items(MatchQuery("mb_trackid", recording)))
        fresh = next((item for item in items if item.id not in used), None)
        if fresh is not None:
            used.add(fresh.id)
            found.append((fresh, match))
        elif not items:
            not_in_beets.append(match.track.describe())
    return found, not_in_beets


def _by_path(lib: Library, paths: Sequence[str], names: PathMap) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for start in range(0, len(paths), _PATHS_AT_ONCE):
        group = paths[start : start + _PATHS_AT_ONCE]
        query = OrQuery([PathQuery("path", os.fsencode(names.local(path))) for path in group])
        found.update((names.library(os.fsdecode(item.path)), item) for item in lib.items(query))
    return found


def _ranked(found: Iterable[tuple[Item, Match]]) -> Iterator[tuple[Item, Found]]:
    for rank, (item, match) in enumerate(found, start=1):
        section = match.match_section
        why = told(match.reasons, match.score)
        start_s, end_s = (section.start_s, section.end_s) if section else (None, None)
        yield item, Found(rank, match.score, start_s, end_s, why)


def ask_albums(
    lib: Library, settings: Settings, seeds: Sequence[Album], question: BeetsQuestion
) -> tuple[list[tuple[Album, Found]], BeetsAnswer]:
    """The albums that feel like all the seeds, best first, at most k; never a seed. MessError.

    An album's score is that of `mean_score`.
    """
    items = [item for album in seeds for item in album.items()]
    answer = ask(lib, settings, items, replace(question, k=MAX_K))
    grouped: dict[int | None, list[tuple[Item, Found]]] = {}
    for item, found in answer.found:
        if item.album_id is not None:
            grouped.setdefault(item.album_id, []).append((item, found))
    for album in seeds:
        grouped.pop(album.id, None)
    scored: list[tuple[float, Album, list[tuple[Item, Found]]]] = []
    for tracks in grouped.values():
        parent = lib.get_album(tracks[0][0])
        if parent is not None:
            scores = [found.score for _, found in tracks]
            score = mean_score(scores, len(parent.items()), answer.floor)
            scored.append((score, parent, tracks))
    scored.sort(key=lambda row: (-row[0], row[1].id or 0))
    rows = [
        (album, _album_found(rank, score, tracks))
        for rank, (score, album, tracks) in enumerate(scored[: question.k], start=1)
    ]
    return rows, answer


def _album_found(rank: int, score: float, tracks: Sequence[tuple[Item, Found]]) -> Found:
    item, best = tracks[0]
    noun = "track" if len(tracks) == 1 else "tracks"
    why = f"mean over {len(tracks)} {noun}; closest: {item.title} {best.score:.2f}"
    return Found(rank, score, best.start_s, best.end_s, why)
