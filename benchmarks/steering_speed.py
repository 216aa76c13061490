"""Time steered questions, playlists and tastes on a library of made-up vectors.

    python benchmarks/steering_speed.py HOME --tracks 100000

HOME gets an embedded database of its own, kept for the next run. Every figure is the best of three,
warm. The feel is found as always, in a large library through the index; with --exact every vector is
looked at. CPU is of this process and of all Postgres processes of the machine, in steps of 10 ms.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.facets import REVISION
from mess_plugin.facets.harmony import invariants
from mess_plugin.model import Float32
from mess_plugin.pooling import unit
from mess_plugin.recipe import Recipe
from mess_plugin.services import connected
from mess_plugin.steering.asking import answering_space, steer
from mess_plugin.steering.playlists import alike, arc, journey
from mess_plugin.steering.query import ASPECTS, Filters, Query, Range
from mess_plugin.steering.radio import first_of_radio
from mess_plugin.steering.taste import taste_of
from mess_plugin.store import Store, open_store

DIM = 192
WIDTHS = {"timbre": 28, "harmony": 576, "rhythm": 66, "energy": 27, "structure": 280}
BATCH = 2000
Row = tuple[Any, ...]


def fill(database_url: str, store: Store, settings: Settings, n_tracks: int) -> None:
    """Write tracks with two sections, all facets and measures, as rows: row by row takes an hour."""
    done = store.library.count()[0]
    if done >= n_tracks:
        return
    rng = np.random.default_rng(done)
    info = EncoderInfo("descriptors", "speed", 24_000, 5.0, 5.0, 0.5, DIM, "none", "mean", "none")
    recipe = str(Recipe.of(settings))
    space = store.spaces.raw(recipe, info, DIM, settings.window_s, settings.hop_s, "none")
    with psycopg.connect(database_url, autocommit=True) as connection:
        register_vector(connection)
        for start in range(done, n_tracks, BATCH):
            ids = range(start + 1, min(start + BATCH, n_tracks) + 1)
            with connection.transaction():
                for table, (types, rows) in _rows(rng, space.id, ids).items():
                    _copy(connection, table, types, rows)
            print(f"\r{ids[-1]} tracks", end="", flush=True)
        connection.execute("ANALYZE")
    print()


def _copy(
    connection: psycopg.Connection[Any], table: str, types: Sequence[str], rows: Iterable[Row]
) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN WITH (FORMAT binary)") as copy,
    ):
        copy.set_types(list(types))
        for row in rows:
            copy.write_row(row)


def _rows(
    rng: np.random.Generator, space_id: int, ids: Sequence[int]
) -> dict[str, tuple[Sequence[str], list[Row]]]:
    """Table with columns → their types and the rows of some tracks."""
    vectors = {
        "song": _random(rng, len(ids), DIM), "A": _random(rng, len(ids), DIM),
        "B": _random(rng, len(ids), DIM),
    }  # fmt: skip
    embeddings: list[Row] = []
    facets: list[Row] = []
    for place, i in enumerate(ids):
        song, first, last = (HalfVector(one[place]) for one in vectors.values())
        embeddings += [
            ("song", space_id, i, 0, 0.0, 200.0, "", song),
            ("section", space_id, i, 0, 0.0, 100.0, "A", first),
            ("section", space_id, i, 1, 100.0, 200.0, "B", last),
        ]
    for facet, width in WIDTHS.items():
        described = _random(rng, len(ids), width)
        search = invariants(described) if facet == "harmony" else None
        for place, i in enumerate(ids):
            found_by = None if search is None else HalfVector(search[place])
            facets.append((facet, i, REVISION, HalfVector(described[place]), found_by))
    measures: list[Row] = [
        (
            i, REVISION, float(rng.uniform(60, 180)), 0.5, int(rng.integers(12)), "minor", 0.5,
            -14.0, 5.0, float(rng.random()), bytes(256),
        )
        for i in ids
    ]  # fmt: skip
    return {
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
        "facets (facet, track_id, revision, vector, search)": (
            ("text", "int8", "text", "halfvec", "halfvec"), facets,
        ),
        "measures": (
            ("int8", "text", "float4", "float4", "int2", "text", "float4", "float4", "float4",
             "float4", "bytea"),
            measures,
        ),
    }  # fmt: skip


def _random(rng: np.random.Generator, n: int, dim: int) -> Float32:
    return unit(rng.normal(size=(n, dim)).astype(np.float32))


def timed(name: str, ask: Callable[[], object]) -> None:
    """Print the best of three calls after one to warm up: wall clock, and CPU of client and server."""
    ask()
    found = []
    for _ in range(3):
        cpu_s, began_s = _cpu_s(), time.perf_counter()
        ask()
        found.append((time.perf_counter() - began_s, _cpu_s() - cpu_s))
    wall_s, cpu_s = (min(column) for column in zip(*found, strict=True))
    print(f"{name:40} {wall_s * 1000:8.0f} ms wall {cpu_s * 1000:8.0f} ms CPU", flush=True)


def _cpu_s() -> float:
    """CPU seconds of this process and of every Postgres process, those that ended included."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition(") ")
        except OSError:
            continue
        if "(postgres" in name:
            fields = rest.split()
            ticks += sum(int(fields[place]) for place in (11, 12, 13, 14))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


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
        every = Query(emphasis=dict.fromkeys(ASPECTS, 1.0))
        plain = Query()
        timed("similar, 10, the feel", lambda: steer(store, ready, ["1"], plain))
        timed(
            "similar, 10, rhythm=2",
            lambda: steer(store, ready, ["1"], Query(emphasis={"rhythm": 2})),
        )
        timed("similar, 10, all facets", lambda: steer(store, ready, ["1"], every))
        timed("playlist alike, 50", lambda: alike(store, ready, ["1"], Query(), n=50))
        timed("playlist arc, 50", lambda: arc(store, ready, (0.0, 1.0), Query(), n=50))
        timed("playlist journey, 50", lambda: journey(store, ready, "1", "2", Query(), n=50))
        timed("playlist radio, 50", lambda: first_of_radio(store, ready, ["1"], Query(), n=50))
        slow = Query(filters=Filters(tempo_bpm=Range(90, 110), activity=Range(0, 0.5)))
        timed("playlist alike, 50, filtered", lambda: alike(store, ready, ["1"], slow, n=50))
        for number in range(3, 103):
            store.verdicts.save("timed", number % 10 + 200, number, ("like", "dislike")[number % 2])
        space = answering_space(store, ready)
        timed("taste of 100 verdicts", lambda: taste_of(store, space, "timed"))


if __name__ == "__main__":
    main()
