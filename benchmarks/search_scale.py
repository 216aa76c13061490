"""How search grows with the library: time, recall, memory and disk, on synthetic clustered tracks.

    python benchmarks/search_scale.py --tracks 1000 10000 --windows 50 [--dim 256] [--queries 100]
    python benchmarks/search_scale.py --tracks 100000 --build-memory 6GB --home FOLDER

With --home each size keeps its library in a folder of its own there, and a later run asks it again
without building anything; the figures of the building are printed again too.

The music is that of `synthetic_music.py`, in a space that is labelled like that of the default
encoder, which reranks by sections. Every size gets an embedded server of its
own with its default settings, but for the memory of the index build where it is given. The indexes are
built at once, after everything is loaded; `insertion` says what a library that grows track by track
pays. Then, with all of it warm:

song      `mess_plugin.search.engine.ask` for a track: candidates, rerank, sections, cards
section   the same for 15 s of a track, of which the stored windows are at hand
recall@20 the index beside an exact scan: song vectors; window vectors; and whole answers to a section,
          20 tracks each, where the exact side lets every window of the library look for candidates
insertion one more track with all its vectors, the indexes in place
usearch   the same song vectors and queries in an HNSW index of usearch (connectivity 16, float16),
          in the same process: pip install usearch

Wall times depend on what else the machine does; the load average is printed, and CPU milliseconds of
client and server together stand beside them. CPU seconds of the index builds include the server's.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from usearch.index import Index

from benchmarks.exact_windows import ExactWindows
from benchmarks.made_up_library import build_indexes, describe, fill
from benchmarks.server_cost import server_cpu_s, server_memory_mb
from benchmarks.synthetic_music import HOP_S, WINDOW_S, Music
from mess_plugin import embedded
from mess_plugin.config import Settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.model import Float32, Interval, Level, Space
from mess_plugin.search import search
from mess_plugin.search.alignment import passage_query
from mess_plugin.search.passages import find_passages
from mess_plugin.search.seeds import seed_of_track
from mess_plugin.store import Store, open_store

K = 20
EF_SEARCH = 200  # of both indexes
_RECIPE = "synthetic"


def main() -> None:
    """Parse the command line, measure each size, print a row for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--windows", type=int, default=50, help="of each track")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--build-memory", default="256MB", help="maintenance_work_mem of the build")
    parser.add_argument("--home", type=Path, help="where the libraries are kept for the next run")
    options = parser.parse_args()
    for n_tracks in options.tracks:
        music = Music.make(n_tracks, options.windows, options.dim, seed=1)
        with home_of(options.home, n_tracks) as home:
            for name, value in measure(home, music, options.queries, options.build_memory):
                print(f"{n_tracks:>7} tracks  {name:34} {value}", flush=True)


@contextmanager
def home_of(kept: Path | None, n_tracks: int) -> Iterator[Path]:
    """The home of one size: a folder that is kept, or one that is gone afterwards."""
    if kept is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        home = kept / f"{n_tracks}-tracks"
        home.mkdir(parents=True, exist_ok=True)
        yield home


def measure(
    home: Path, music: Music, n_queries: int, build_memory: str
) -> Iterator[tuple[str, str]]:
    """All figures of one size, by name."""
    rng = np.random.default_rng(2)
    asking = rng.choice(len(music.songs), min(n_queries, len(music.songs)), replace=False).tolist()
    with (
        embedded.lease(home, timeout_s=300) as held,
        open_store(held.endpoints.database_url) as store,
        psycopg.connect(held.endpoints.database_url, autocommit=True) as admin,
    ):
        space = space_of(store, music)
        register_vector(admin)
        built = home / "built.json"
        if not built.exists():
            figures = dict(build(admin, home, space, music, build_memory))
            built.write_text(json.dumps(figures))
        yield from json.loads(built.read_text()).items()
        describe(admin, len(music.songs))
        yield from questions(store, admin, home, space, music, asking)
        yield from usearch_figures(music.songs, asking).items()
        yield "server memory (Pss), MB", f"{server_memory_mb(home):.0f}"
        yield "load average", f"{os.getloadavg()[0]:.1f}"
    embedded.down(home)


def space_of(store: Store, music: Music) -> Space:
    """Labelled like that of the default encoder."""
    info = EncoderInfo("synthetic", "1", 24_000, 5.0, 5.0, 0.5, 1, "none", "mean", "none")
    return store.spaces.raw(_RECIPE, info, music.songs.shape[1], WINDOW_S, HOP_S, "shipped")


def build(
    admin: psycopg.Connection[object],
    home: Path,
    space: Space,
    music: Music,
    build_memory: str,
) -> Iterator[tuple[str, str]]:
    """Load a library and index it; figures by name."""
    began_s = time.perf_counter()
    fill(admin, space, music, _RECIPE)
    yield "load, s", f"{time.perf_counter() - began_s:.0f}"
    began_s, began_cpu_s = time.perf_counter(), server_cpu_s(home)
    build_indexes(admin, space, build_memory)
    wall_s, cpu_s = time.perf_counter() - began_s, server_cpu_s(home) - began_cpu_s
    yield "index build, s wall / CPU", f"{wall_s:.0f} / {cpu_s:.0f}"
    yield "disk per 1,000 tracks, MB", disk(admin, len(music.songs))


def questions(
    store: Store,
    admin: psycopg.Connection[object],
    home: Path,
    space: Space,
    music: Music,
    asking: list[int],
) -> Iterator[tuple[str, str]]:
    """Ask a library that is whole; figures by name. A few tracks are added and taken away again."""
    ids = list(range(1, len(music.songs) + 1))
    settings = Settings(home=home, exact_below=0)
    exact = Settings(home=home, exact_below=10**9)
    ask_all(store, exact, space, ids, asking[:20])  # warms, as before each of the following
    yield "song, exact: p50 / p95 / CPU ms", ask_all(store, exact, space, ids, asking[:20])
    ask_all(store, settings, space, ids, asking)
    yield "song, index: p50 / p95 / CPU ms", ask_all(store, settings, space, ids, asking)
    yield "song recall@20", f"{song_recall(store, space, ids, asking):.3f}"
    if music.n_windows:
        part = Interval(30.0, 45.0)
        ask_all(store, settings, space, ids, asking, part)
        figures = ask_all(store, settings, space, ids, asking, part)
        yield "section, index: p50 / p95 / CPU ms", figures
        yield from window_recalls(store, settings, space, music, asking[:30], part)
        yield "insertion of one track, p50 / p95 ms", insert_some(store, admin, space, music)


def ask_all(
    store: Store,
    settings: Settings,
    space: Space,
    ids: list[int],
    asking: list[int],
    part: Interval | None = None,
) -> str:
    """Median and 95th percentile of whole questions in ms, and CPU ms of client and server."""
    times_ms = []
    began_cpu_s = time.process_time() + server_cpu_s(settings.home)
    for row in asking:
        began_s = time.perf_counter()
        seed = seed_of_track(store, space, str(row), ids[row], None)
        matches = search(store, settings, seed, k=10, interval=part).matches
        times_ms.append(1e3 * (time.perf_counter() - began_s))
        assert len(matches) == 10
    cpu_s = time.process_time() + server_cpu_s(settings.home) - began_cpu_s
    p50, p95 = np.quantile(times_ms, [0.5, 0.95])
    return f"{p50:.1f} / {p95:.1f} / {1e3 * cpu_s / len(asking):.1f}"


def song_recall(store: Store, space: Space, ids: list[int], asking: list[int]) -> float:
    """Share of the exact K nearest songs that the index finds."""
    shares = []
    for row in asking:
        vector = store.embeddings.of_track(space, Level.SONG, ids[row]).vectors[0]
        found, exact = (
            {
                hit.track_id
                for hit in store.embeddings.nearest(
                    space, Level.SONG, vector, K, excluded_tracks=[ids[row]], exact=exactly
                )
            }
            for exactly in (False, True)
        )
        shares.append(len(found & exact) / len(exact))
    return float(np.mean(shares))


def window_recalls(
    store: Store, settings: Settings, space: Space, music: Music, asking: list[int], part: Interval
) -> Iterator[tuple[str, str]]:
    """What the index finds of what is found where every window is looked at; shares by name.

    Of the K nearest windows among those in the index, from the middle of the part; and of the K
    tracks that answer, where all windows look for candidates, also those that are in no index.
    """
    seeds = [seed_of_track(store, space, str(row), row + 1, None) for row in asking]
    stretches = [
        passage_query(seed.levels[Level.WINDOW], part, None, WINDOW_S, HOP_S) for seed in seeds
    ]
    vectors = [stretch.shifts[0].vectors for stretch in stretches]
    firsts = np.cumsum([0, *(len(rows) for rows in vectors)]).tolist()
    exact = ExactWindows.find(music, np.concatenate(vectors))
    every = space.searched_every(Level.WINDOW)
    windows, answers = [], []
    for row, seed, stretch, own, first in zip(
        asking, seeds, stretches, vectors, firsts, strict=False
    ):
        middle = len(own) // 2
        found = store.embeddings.nearest(
            space, Level.WINDOW, own[middle], K, excluded_tracks=[row + 1], exact=False
        )
        right = [h for h in exact.neighbours(first + middle, row) if h.ordinal % every == 0][:K]
        both = {(hit.track_id, hit.ordinal) for hit in found} & {
            (hit.track_id, hit.ordinal) for hit in right
        }
        windows.append(len(both) / len(right))
        by_all = find_passages(
            stretch,
            exact.candidates(own, row, first, K),
            partial(store.embeddings.of_tracks, space, Level.WINDOW),
            K,
        )
        answered = {
            match.track.id for match in search(store, settings, seed, k=K, interval=part).matches
        }
        answers.append(len(answered & {f.passage.track_id for f in by_all}) / len(by_all))
    yield "window recall@20", f"{np.mean(windows):.3f}"
    yield "section answers, recall@20", f"{np.mean(answers):.3f}"


def insert_some(
    store: Store, admin: psycopg.Connection[object], space: Space, music: Music, n: int = 20
) -> str:
    """Wall ms of writing one more track, as indexing writes it."""
    times_ms = []
    for row in range(n):
        track_id = admin.execute(
            "INSERT INTO tracks (identity, duration_s) VALUES (%s, 60) RETURNING id",
            (f"new {row}",),
        ).fetchone()[0]  # type: ignore[index]
        levels = music.levels(row)
        began_s = time.perf_counter()
        with store.transaction():
            store.embeddings.write(space, track_id, levels)
        times_ms.append(1e3 * (time.perf_counter() - began_s))
    admin.execute("DELETE FROM tracks WHERE identity LIKE 'new %'")
    p50, p95 = np.quantile(times_ms, [0.5, 0.95])
    return f"{p50:.0f} / {p95:.0f}"


def usearch_figures(songs: Float32, asking: list[int]) -> dict[str, str]:
    """The song vectors alone in usearch: no rerank, no store."""
    began_cpu_s = time.process_time()
    index = Index(ndim=songs.shape[1], metric="cos", dtype="f16", connectivity=16,
                  expansion_add=64, expansion_search=EF_SEARCH)  # fmt: skip
    index.add(np.arange(len(songs)), songs, threads=1)
    build_s = time.process_time() - began_cpu_s
    times_ms, shares = [], []
    for row in asking:
        began_s = time.perf_counter()
        found = index.search(songs[row], K + 1).keys
        times_ms.append(1e3 * (time.perf_counter() - began_s))
        exact = np.argsort(-(songs @ songs[row]), kind="stable")[: K + 1]
        shares.append(len(set(found.tolist()) & set(exact.tolist())) / (K + 1))
    p50, p95 = np.quantile(times_ms, [0.5, 0.95])
    return {
        "usearch songs: build CPU s": f"{build_s:.0f}",
        "usearch songs: p50 / p95 ms": f"{p50:.2f} / {p95:.2f}",
        "usearch songs: recall@20": f"{np.mean(shares):.3f}",
        "usearch songs: MB": f"{index.memory_usage / 1e6:.0f}",
    }


def disk(admin: psycopg.Connection[object], n_tracks: int) -> str:
    """Tables and indexes, by level, in MB per 1,000 tracks."""
    parts = []
    for level in Level:
        row = admin.execute(
            "SELECT pg_table_size(%s), pg_indexes_size(%s)", (f"{level}_embeddings",) * 2
        ).fetchone()
        assert isinstance(row, tuple)
        table_mb, index_mb = (size / 1e6 / n_tracks * 1000 for size in row)
        parts.append(f"{level.value} {table_mb:.1f} + {index_mb:.1f} indexes")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
