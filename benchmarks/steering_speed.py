"""Time steered questions, playlists and tastes on a library of made-up vectors.

    python benchmarks/steering_speed.py HOME --tracks 100000

HOME gets an embedded database of its own, kept for the next run: song vectors lie around centres, as
the songs of `synthetic_music.py` do, and are indexed like those of the default encoder; facets lie
anywhere. Every figure is the best of three, warm. The feel is found as always, in a large library
through the index; with --exact every vector is looked at. CPU is of this process and of the server, in
steps of 10 ms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from benchmarks.server_cost import server_cpu_s
from benchmarks.synthetic_facets import Row, Rows, copy_rows, described, random_unit
from benchmarks.synthetic_music import Music
from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings, load_settings
from mess_plugin.duplicates.finding import links_of
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.model import Float32, Level
from mess_plugin.options import ASPECTS
from mess_plugin.playlists.generate import alike, arc, journey
from mess_plugin.playlists.radio import first_of_radio
from mess_plugin.search import search
from mess_plugin.search.engine import answering_space
from mess_plugin.search.query import Filters, Query, Range
from mess_plugin.search.taste import taste_of
from mess_plugin.services import connected
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from mess_plugin.store.session import DbSession
from mess_plugin.store.spaces import Spaces

DIM = 256
BATCH = 2000


def fill(database_url: str, store: Store, settings: Settings, n_tracks: int) -> None:
    """Write tracks with two sections, all facets and measures, as rows: row by row takes an hour."""
    done = store.library.count()[0]
    if done >= n_tracks:
        return
    rng = np.random.default_rng(done)
    songs = Music.make(n_tracks, 0, DIM, seed=1).songs
    info = EncoderInfo("descriptors", "speed", 24_000, 5.0, 5.0, 0.5, DIM, "none", "mean", "none")
    recipe = str(Recipe.of(settings))
    space = store.spaces.raw(recipe, info, DIM, settings.window_s, settings.hop_s, "shipped")
    with psycopg.connect(database_url, autocommit=True) as connection:
        register_vector(connection)
        # Rows are right by construction, and indexes are built at once afterwards. Nothing here looks
        # for sections by their vectors, so these have none.
        connection.execute("SET session_replication_role = replica")
        harmony_index = _drop_index(connection, "facets_harmony")
        for level in Level:
            connection.execute(f"DROP INDEX IF EXISTS {level.value}_embeddings_space_{space.id}")
        for start in range(done, n_tracks, BATCH):
            ids = range(start + 1, min(start + BATCH, n_tracks) + 1)
            with connection.transaction():
                for table, (types, rows) in _rows(rng, space.id, ids, songs).items():
                    copy_rows(connection, table, types, rows)
            print(f"\r{ids[-1]} tracks", end="", flush=True)
        connection.execute("VACUUM ANALYZE")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute(harmony_index)
        Spaces(DbSession(connection)).create_indexes(space, [Level.SONG])
    print()


def _drop_index(connection: psycopg.Connection[Any], name: str) -> bytes:
    """Drop an index; how to make it again."""
    query = "SELECT indexdef FROM pg_indexes WHERE indexname = %s"
    ((definition,),) = connection.execute(query, [name]).fetchall()
    connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return str(definition).encode()


def _rows(rng: np.random.Generator, space_id: int, ids: Sequence[int], songs: Float32) -> Rows:
    """Table with columns → their types and the rows of some tracks."""
    own = songs[ids[0] - 1 : ids[-1]]
    parts = (unit(own + 0.5 * random_unit(rng, len(ids), DIM)) for _ in range(2))
    vectors = (own, *parts)
    embeddings: list[Row] = []
    for place, i in enumerate(ids):
        song, first, last = (HalfVector(one[place]) for one in vectors)
        embeddings += [
            ("song", space_id, i, 0, 0.0, 200.0, "", song),
            ("section", space_id, i, 0, 0.0, 100.0, "A", first),
            ("section", space_id, i, 1, 100.0, 200.0, "B", last),
        ]
    rows: Rows = {
        "tracks (id, identity, duration_s)": (
            ("int8", "text", "float8"), [(i, f"audio {i}", 200.0) for i in ids],
        ),
        "files (path, size_bytes, mtime_ns, track_id, title, artist, words)": (
            ("bytea", "int8", "int8", "int8", "text", "text", "text"),
            [(f"/music/{i}.flac".encode(), 1, 1, i, f"{i}", f"artist {i % 5000}", "") for i in ids],
        ),
        "embeddings (level, space_id, track_id, ordinal, start_s, end_s, label, vector)": (
            ("text", "int4", "int8", "int4", "float8", "float8", "text", "halfvec"), embeddings,
        ),
    }  # fmt: skip
    return rows | described(rng, ids)


def timed(home: Path, name: str, ask: Callable[[], object]) -> None:
    """Print the best of three calls after one to warm up: wall clock, and CPU of client and server."""
    ask()
    found = []
    for _ in range(3):
        cpu_s, began_s = time.process_time() + server_cpu_s(home), time.perf_counter()
        ask()
        wall_s = time.perf_counter() - began_s
        found.append((wall_s, time.process_time() + server_cpu_s(home) - cpu_s))
    wall_s, cpu_s = (min(column) for column in zip(*found, strict=True))
    print(f"{name:40} {wall_s * 1000:8.0f} ms wall {cpu_s * 1000:8.0f} ms CPU", flush=True)


def main() -> None:
    """Parse the command line, fill the library and time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--exact", action="store_true")
    arguments = parser.parse_args()
    settings = load_settings({"MESS_HOME": str(arguments.home), "MESS_ENCODER": "descriptors"})
    if arguments.exact:
        settings = msgspec.structs.replace(settings, exact_below=10 * arguments.tracks)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        fill(ready.database_url or "", store, ready, arguments.tracks)
        for name, ask in questions(store, ready):
            timed(arguments.home, name, ask)


def questions(store: Store, settings: Settings) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is timed, by name."""
    plain, every = Query(), Query(emphasis=dict.fromkeys(ASPECTS, 1.0))
    rhythm, varied = Query(emphasis={"rhythm": 2}), Query(diversity=0.3)
    slow = Query(filters=Filters(tempo_bpm=Range(90, 110), activity=Range(0, 0.5)))
    yield "similar, 10, the feel", lambda: search(store, settings, ["1"], plain)
    yield "similar, 10, varied", lambda: search(store, settings, ["1"], varied)
    yield "similar, 10, rhythm=2", lambda: search(store, settings, ["1"], rhythm)
    yield "similar, 10, all facets", lambda: search(store, settings, ["1"], every)
    for kind, asked in (("", plain), (", filtered", slow)):
        yield f"playlist alike, 50{kind}", partial(alike, store, settings, ["1"], asked, n=50)
        yield f"playlist arc, 50{kind}", partial(arc, store, settings, (0.0, 1.0), asked, n=50)
        yield (
            f"playlist journey, 50{kind}",
            partial(journey, store, settings, "1", "2", asked, n=50),
        )
        yield (
            f"playlist radio, 50{kind}",
            partial(first_of_radio, store, settings, ["1"], asked, n=50),
        )
    for number in range(3, 103):
        store.verdicts.save("timed", number % 10 + 200, number, ("like", "dislike")[number % 2])
    space = answering_space(store, settings)
    yield "taste of 100 verdicts", lambda: taste_of(store, space, "timed")
    yield "a track looks for duplicates", lambda: links_of(store, settings, space, 1)


if __name__ == "__main__":
    main()
