"""Journeys where the library has nothing between the two ends, and where it has too much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.errors import UsageError
from mess_plugin.model import Level, Tags
from mess_plugin.playlists.generate import arc, journey
from mess_plugin.playlists.paths import Songs
from mess_plugin.search.query import Query
from mess_plugin.store import open_store
from tests.stored_library import (
    DIM,
    add_track,
    levels_of,
    made_up_facets,
    random_unit,
    raw_space,
    settings,
)


def test_the_step_between_two_islands_is_named(database_url: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    islands = np.eye(2, DIM, dtype=np.float32)
    with open_store(database_url) as store:
        space = raw_space(store)
        for n in range(16):
            song = unit(islands[[n % 2]] + 0.05 * rng.normal(size=(1, DIM)).astype(np.float32))[0]
            tags = Tags(title=f"{'left' if n % 2 == 0 else 'right'} {n}")
            add_track(store, space, f"/m/{n}.mp3", levels_of(n, song=song), tags)
        ready = settings(tmp_path)
        across = journey(store, ready, "left 0", "right 15", Query(), n=8)
        inside = journey(store, ready, "left 0", "left 14", Query(), n=5)
    sides = [(track.tags.title or "").split()[0] for track in across.tracks]
    assert sides == sorted(sides)
    assert len(across.notes) == 1
    place = sides.index("right")
    assert f"nothing in the library bridges step {place}: from left" in across.notes[0]
    assert "to right" in across.notes[0]
    assert inside.notes == ()
    assert len(inside.tracks) == 5


def test_journeys_and_arcs_leave_out_copies(database_url: str, tmp_path: Path) -> None:
    """Of each other and of the ends; unless they are to be shown."""
    rng = np.random.default_rng(1)
    with open_store(database_url) as store:
        space = raw_space(store)
        ids = []
        for n in range(20):
            song = unit(rng.normal(size=(1, DIM)).astype(np.float32) + 1)[0]
            name = f"/m/{n}.mp3"
            ids.append(add_track(store, space, name, levels_of(n, song=song), Tags(title=f"t{n}")))
            with store.transaction():
                store.facets.write(ids[-1], made_up_facets(n))
        for one, other in [(0, 2), (1, 3), (4, 5), (5, 6), (7, 8)]:
            store.duplicates.judge(ids[one], ids[other], "confirmed", "same")
        ready = settings(tmp_path)
        start, end = str(ids[0]), str(ids[1])
        show = Query(duplicates="show")
        hidden = [journey(store, ready, start, end, Query(), n=15, seed=s) for s in range(3)]
        hidden += [arc(store, ready, (0.0, 1.0), Query(), n=15, seed=s) for s in range(3)]
        shown = [
            journey(store, ready, start, end, show, n=20),
            arc(store, ready, (1.0,), show, n=20),
        ]
        with pytest.raises(UsageError, match="only 13 tracks lie between"):
            journey(store, ready, start, end, Query(), n=18)
    for playlist in hidden:
        there = {track.id for track in playlist.tracks}
        assert len(there) == 15
        for one, other in [(0, 2), (1, 3), (4, 5), (5, 6), (7, 8)]:
            assert not {ids[one], ids[other]} <= there
    assert [len(playlist.tracks) for playlist in shown] == [20, 20]


def test_filtered_songs_are_found_as_the_database_finds_them(
    database_url: str, tmp_path: Path
) -> None:
    with open_store(database_url) as store:
        space = raw_space(store)
        ids = [add_track(store, space, f"/m/{n}.mp3", levels_of(n)) for n in range(40)]
        silent = levels_of(41, song=np.zeros(DIM, dtype=np.float32))
        ids.append(add_track(store, space, "/m/silent.mp3", silent))
        some = [*ids[5:35], ids[-1], 10**6]
        songs = Songs(store, settings(tmp_path), space, some)
        for vector in random_unit(5, seed=3):
            near = songs.nearest(vector, ids[10:20], 12)
            expected = store.embeddings.nearest(
                space, Level.SONG, vector, 12,
                excluded_tracks=ids[10:20], allowed_tracks=some, exact=True,
            )  # fmt: skip
            assert near == [hit.track_id for hit in expected]
        assert songs.nearest(vector, some) == []
        assert Songs(store, settings(tmp_path), space, [10**6]).nearest(vector, []) == []
