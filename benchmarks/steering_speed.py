"""Time steered questions, playlists and tastes on a library of made-up vectors.

    python benchmarks/steering_speed.py HOME --tracks 100000

HOME gets an embedded database of its own, kept for the next run. Every figure is the best of three,
warm; searches look at every vector (no approximate index), so they are upper bounds.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.facets import Facet, KeyEstimate, Loudness, Measures, TempoEstimate, TrackFacets
from mess_plugin.model import Float32, Level, LevelVectors, Tags
from mess_plugin.pooling import unit
from mess_plugin.recipe import Recipe
from mess_plugin.services import connected
from mess_plugin.steering.asking import answering_space, steer
from mess_plugin.steering.playlists import alike, arc, journey
from mess_plugin.steering.query import ASPECTS, Query
from mess_plugin.steering.taste import taste_of
from mess_plugin.store import Store, open_store
from mess_plugin.store.ledger import SeenFile

DIM = 192
WIDTHS = {"timbre": 28, "harmony": 576, "rhythm": 66, "energy": 27, "structure": 280}
BATCH = 1000


def fill(store: Store, settings: Settings, n_tracks: int) -> None:
    """Write tracks with two sections, all facets and measures."""
    rng = np.random.default_rng(0)
    recipe = str(Recipe.of(settings))
    info = EncoderInfo("descriptors", "speed", 24_000, 5.0, 5.0, 0.5, DIM, "none", "mean", "none")
    space = store.spaces.raw(recipe, info, DIM, settings.window_s, settings.hop_s, "none")
    for done in range(store.library.count()[0] // BATCH * BATCH, n_tracks, BATCH):
        names = [f"/music/{number}.flac" for number in range(done, done + BATCH)]
        seen = [SeenFile(name, 1, 1) for name in names]
        jobs = store.ledger.want(seen, recipe, uuid.uuid4()).job_ids
        with store.transaction():
            for job_id in jobs:
                job = store.ledger.start(job_id)
                assert job is not None
                track_id = store.library.save(job.path, 200.0, None)
                tags = Tags(title=job.path, artist=f"artist {track_id % 5000}")
                store.ledger.locate(job.file_id, job.path, track_id, tags)
                store.ledger.finish(job_id, "encoded")
                store.embeddings.write(space, track_id, _levels(rng))
                store.facets.write(track_id, _facets(rng))
        print(f"\r{done + BATCH} tracks", end="", flush=True)
    print()


def _levels(rng: np.random.Generator) -> dict[Level, LevelVectors]:
    song = np.array([[0.0, 200.0]], dtype=np.float32)
    halves = np.array([[0.0, 100.0], [100.0, 200.0]], dtype=np.float32)
    return {
        Level.SONG: LevelVectors(song, _random(rng, 1, DIM)),
        Level.SECTION: LevelVectors(halves, _random(rng, 2, DIM), ("A", "B")),
    }


def _facets(rng: np.random.Generator) -> TrackFacets:
    return TrackFacets(
        {facet: _random(rng, 1, WIDTHS[facet.value])[0] for facet in Facet},
        Measures(
            TempoEstimate(float(rng.uniform(60, 180)), 0.5),
            KeyEstimate(int(rng.integers(12)), "minor", 0.5),
            Loudness(-14.0, 5.0),
            float(rng.random()),
        ),
        np.zeros(64, dtype=np.float32),
    )


def _random(rng: np.random.Generator, n: int, dim: int) -> Float32:
    return unit(rng.normal(size=(n, dim)).astype(np.float32))


def timed(name: str, ask: Callable[[], object]) -> None:
    """Print the best of three calls after one to warm up, wall clock."""
    ask()
    best_s = np.inf
    for _ in range(3):
        began_s = time.perf_counter()
        ask()
        best_s = min(best_s, time.perf_counter() - began_s)
    print(f"{name:40} {best_s * 1000:8.0f} ms", flush=True)


def main() -> None:
    """Parse the command line, fill the library and time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--tracks", type=int, default=100_000)
    arguments = parser.parse_args()
    settings = load_settings({"MESS_HOME": str(arguments.home), "MESS_ENCODER": "descriptors"})
    settings = msgspec.structs.replace(settings, exact_below=10 * arguments.tracks)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        fill(store, ready, arguments.tracks)
        every = Query(emphasis=dict.fromkeys(ASPECTS, 1.0))
        timed(
            "similar, 10, rhythm=2",
            lambda: steer(store, ready, ["1"], Query(emphasis={"rhythm": 2})),
        )
        timed("similar, 10, all facets", lambda: steer(store, ready, ["1"], every))
        timed("playlist alike, 50", lambda: alike(store, ready, ["1"], Query(), n=50))
        timed("playlist arc, 50", lambda: arc(store, ready, (0.0, 1.0), Query(), n=50))
        timed("playlist journey, 50", lambda: journey(store, ready, "1", "2", Query(), n=50))
        for number in range(3, 103):
            store.verdicts.save("timed", number % 10 + 200, number, ("like", "dislike")[number % 2])
        space = answering_space(store, ready)
        timed("taste of 100 verdicts", lambda: taste_of(store, space, "timed"))


if __name__ == "__main__":
    main()
