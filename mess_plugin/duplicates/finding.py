"""Searches the library for duplicates and stores the links.

Not all pairs: for each track the nearest songs and the nearest harmonies are candidates, from indexes
where the library is large, and only those with a similar harmony and length are aligned with it. Each
track is searched once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mess_plugin.config import Settings
from mess_plugin.duplicates.classify import (
    LEAST_COVERAGE,
    LEAST_HARMONY,
    REVISION,
    DuplicateFeatures,
    compare,
    kind_of,
    kind_with_tags,
)
from mess_plugin.duplicates.time_alignment import SPEEDS
from mess_plugin.facets import Facet
from mess_plugin.facets.harmony import similarity
from mess_plugin.model import Float32, Level, LevelVectors, Space, Tags
from mess_plugin.search.nearest import nearest
from mess_plugin.store import Store
from mess_plugin.store.duplicates import DuplicateLink

CANDIDATES = 12  # nearest songs, and nearest harmonies, that each track is aligned with


def find(
    store: Store,
    settings: Settings,
    space: Space,
    *,
    again: bool = False,
    limit: int | None = None,
) -> Iterator[tuple[int, tuple[DuplicateLink, ...]]]:
    """Search duplicates of every track that was not searched yet; yields (track, its links).

    limit: at most so many tracks. again: search all tracks, and remove links that are no longer found;
    decisions by people stay. Each track is one transaction, so the search may be stopped anywhere.
    """
    if again:
        store.duplicates.forget_searches()
    for track_id in store.duplicates.unsearched(space, REVISION, limit):
        links = links_of(store, settings, space, track_id)
        with store.transaction():
            if again:
                others = [i for link in links for i in (link.one_id, link.other_id)]
                store.duplicates.forget_found(track_id, others)
            for link in links:
                store.duplicates.save_found(link)
            store.duplicates.mark_searched(space, track_id, REVISION)
        yield track_id, links


def is_left(store: Store, space: Space) -> bool:
    """Whether a track was not searched yet."""
    return bool(store.duplicates.unsearched(space, REVISION, limit=1))


def links_of(
    store: Store, settings: Settings, space: Space, track_id: int
) -> tuple[DuplicateLink, ...]:
    """The duplicates of one track, computed now; nothing is stored."""
    song = store.embeddings.of_track(space, Level.SONG, track_id)
    harmony = store.facets.of_tracks(Facet.HARMONY, [track_id])
    if not len(song.vectors) or track_id not in harmony:
        return ()
    by_song = nearest(store, settings, space, Level.SONG, song.vectors[0], CANDIDATES, [track_id])
    by_harmony = store.facets.nearest_harmonies(harmony[track_id], CANDIDATES, [track_id])
    ids = {*(hit.track_id for hit in by_song), *by_harmony}
    others = store.facets.of_tracks(Facet.HARMONY, sorted(ids))
    if not others:
        return ()
    likeness = similarity(harmony[track_id], np.stack(list(others.values())))
    fitting = [i for i, like in zip(others, likeness, strict=True) if like >= LEAST_HARMONY]
    harmonies = harmony | others
    features = _features_of(store, space, {i: harmonies[i] for i in (track_id, *fitting)})
    tags = {i: track.tags for i, track in store.library.get([track_id, *fitting]).items()}
    links = []
    for other_id in fitting:
        one_id, later_id = sorted((track_id, other_id))
        one, later = features[one_id], features[later_id]
        found = compare(one, later) if _may_cover(one.windows, later.windows) else None
        kind = found and kind_of(*found)
        if found and kind:
            kind = kind_with_tags(kind, tags.get(one_id, Tags()), tags.get(later_id, Tags()))
            links.append(DuplicateLink(one_id, later_id, kind, "found", found[1]))
    return tuple(links)


def _features_of(
    store: Store, space: Space, harmonies: Mapping[int, Float32]
) -> Mapping[int, DuplicateFeatures]:
    ids = list(harmonies)
    windows = store.embeddings.of_tracks(space, Level.WINDOW, ids)
    ranges = {i: one.loudness.range_lu for i, (one, _) in store.facets.measures(ids).items()}
    return {i: DuplicateFeatures(windows[i], harmonies[i], ranges.get(i)) for i in ids}


def _may_cover(one: LevelVectors, other: LevelVectors) -> bool:
    """Whether one could be most of the other at any speed."""
    if not len(one.vectors) or not len(other.vectors):
        return False
    ratio = float(other.intervals[-1, 1] / one.intervals[-1, 1])
    return SPEEDS[0] * LEAST_COVERAGE <= ratio <= SPEEDS[-1] / LEAST_COVERAGE
