"""Whatever is killed while a folder changes: in the end the library is what a fresh index gives.

More seeds: MESS_CHAOS_SEEDS=1,2,3; more files: MESS_CHAOS_FILES=200; a longer run: benchmarks/soak.py.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import psycopg
import pytest

from mess_plugin.store import open_store
from tests.chaos import (
    Folder,
    assert_equal,
    house,
    index_afresh,
    make_songs,
    rampage,
    rows,
    settled,
)

SEEDS = [int(text) for text in os.environ.get("MESS_CHAOS_SEEDS", "1").split(",")]
FILES = int(os.environ.get("MESS_CHAOS_FILES", "0"))  # there from the beginning


@pytest.mark.timeout(600 + 6 * FILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_library_equals_a_fresh_index(seed: int, tmp_path: Path, database_url: str) -> None:
    music = tmp_path / "music"
    music.mkdir()
    songs = make_songs(tmp_path / "songs", 12)
    with house(tmp_path / "home", music) as place:
        folder = Folder(music, songs, random.Random(seed))
        folder.fill(FILES)
        happened = rampage(place, folder, 90 + FILES)
        print(f"seed {seed}: " + ", ".join(happened))  # noqa: T201  shown where it fails
        settled(place, 300 + 2 * FILES)
        with open_store(place.database_url) as store:
            store.files.forget_missing(0.0)
            store.files.forget_orphans()
            running = store.jobs.count_jobs()
        found = rows(place.database_url)
        index_afresh(database_url, place)
    assert sum(states.get("failed", 0) for states in running.values()) == 0
    assert_equal(found, rows(database_url))
    assert len(found["files"]) >= 20
    with psycopg.connect(database_url) as fresh:
        assert fresh.execute("SELECT count(*) FROM tracks").fetchone() == (len(found["tracks"]),)
