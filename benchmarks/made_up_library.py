"""Filling a library with made-up tracks: what indexing writes for each, and the indexes at once.

The tracks have the ids 1 … n, and twelve of their files lie in a folder. Each counts as a file of
one byte that was indexed two days ago.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from benchmarks.exact_windows import batches
from benchmarks.synthetic_facets import copy_rows, described
from benchmarks.synthetic_music import Music
from mess_plugin.config import Settings
from mess_plugin.model import Level, Space
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.spaces.vectors import raw_space
from mess_plugin.store import open_store
from mess_plugin.store.embeddings import Embeddings
from mess_plugin.store.session import DbSession
from mess_plugin.store.spaces import Spaces

Connection = psycopg.Connection[object]
_TO_A_FOLDER = 12
_BUILD_MEMORY = "4GB"  # enough for 100,000 tracks with some twenty windows each


def make_library(
    url: str,
    settings: Settings,
    n_tracks: int,
    n_windows: int,
    root: str,
    levels: Collection[Level] = tuple(Level),
) -> None:
    """Indexed tracks in the space of the settings' encoder, with three sections and n windows each.

    No windows, no sections: only songs. levels: those that get an approximate index.
    """
    recipe = Recipe.of(settings)
    with open_store(url) as store, psycopg.connect(url, autocommit=True) as admin:
        space = raw_space(store, recipe, load_encoder(recipe, settings))
        register_vector(admin)
        fill(admin, space, Music.make(n_tracks, n_windows, space.dim, seed=1), str(recipe), root)
        build_indexes(admin, space, _BUILD_MEMORY, levels)


def fill(
    admin: Connection, space: Space, music: Music, recipe: str, root: str = "/made-up"
) -> None:
    """Tracks, files, finished jobs and vectors; no index yet. What was there before is gone."""
    for level in Level:
        admin.execute(f"DROP INDEX IF EXISTS {level.value}_embeddings_space_{space.id}")
    # Foreign keys are right by construction; checking five million of them one by one is not timed.
    admin.execute("SET session_replication_role = replica")
    admin.execute("TRUNCATE tracks, files, embeddings RESTART IDENTITY CASCADE")
    n_tracks = len(music.songs)
    admin.execute(
        "INSERT INTO tracks (identity, duration_s)"
        " SELECT 'made-up ' || i, %s FROM generate_series(1, %s) AS i",
        (max(music.length_s, 60.0), n_tracks),
    )
    admin.execute(
        "INSERT INTO files (path, size_bytes, mtime_ns, track_id, title, words) SELECT"
        " convert_to(%s || '/' || id / %s || '/' || id || '.flac', 'UTF8'), 1, 1, id,"
        " 'title ' || id, 'title ' || id FROM tracks",
        (root, _TO_A_FOLDER),
    )
    admin.execute(
        "INSERT INTO jobs (file_id, recipe, state, outcome, started_at, finished_at)"
        " SELECT id, %s, 'done', 'encoded', now() - interval '2 days', now() - interval '2 days'"
        " FROM files",
        (recipe,),
    )
    embeddings = Embeddings(DbSession(admin))
    for batch in batches(n_tracks, 200):
        with admin.transaction():
            for row in batch:
                embeddings.write(space, row + 1, music.levels(row))
    admin.execute("RESET session_replication_role")
    admin.execute("VACUUM ANALYZE")


def describe(admin: Connection, n_tracks: int) -> None:
    """Facets and measures of all tracks, where there are none: the closer look counts them too."""
    if admin.execute("SELECT FROM facets LIMIT 1").fetchone() is not None:
        return
    rng = np.random.default_rng(3)
    admin.execute("SET session_replication_role = replica")
    with admin.transaction():
        for batch in batches(n_tracks, 2000):
            ids = [row + 1 for row in batch]
            for table, (types, rows) in described(rng, ids).items():
                copy_rows(admin, table, types, rows)
    admin.execute("RESET session_replication_role")
    admin.execute("VACUUM ANALYZE facets, measures")


def build_indexes(
    admin: Connection, space: Space, memory: str, levels: Collection[Level] = tuple(Level)
) -> None:
    """The approximate indexes of levels. memory: maintenance_work_mem of the build."""
    admin.execute(f"SET maintenance_work_mem = '{memory}'")
    Spaces(DbSession(admin)).create_indexes(space, levels)
    admin.execute("RESET maintenance_work_mem")


def write_files(root: Path, n_tracks: int) -> None:
    """The files of `fill`, as the ledger knows them: a watcher finds nothing new there."""
    for track_id in range(1, n_tracks + 1):
        path = root / str(track_id // _TO_A_FOLDER) / f"{track_id}.flac"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0")
        os.utime(path, ns=(1, 1))
