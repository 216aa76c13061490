"""A library in a real database, filled with vectors that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.windows import grid
from mess_plugin.config import Settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.facets import Facet, KeyEstimate, Loudness, Measures, TempoEstimate, TrackFacets
from mess_plugin.model import Float32, Level, LevelVectors, Space, Tags
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile

RECIPE = "descriptors||5/2.5"
DIM = 16


def settings(home: Path, **values: object) -> Settings:
    """Settings for the recipe of these tests."""
    return Settings(home=home, encoder="descriptors", **values)  # type: ignore[arg-type]


def raw_space(store: Store, dim: int = DIM, recipe: str = RECIPE) -> Space:
    """The raw space of an encoder that exists only as a label."""
    parsed = Recipe.parse(recipe)
    info = EncoderInfo(parsed.encoder, "1", 24000, 5.0, 5.0, 0.5, dim, "none", "mean", "none")
    return store.spaces.raw(recipe, info, dim, parsed.window_s, parsed.hop_s, "none")


def random_unit(n: int, dim: int = DIM, seed: int = 0) -> Float32:
    """n unit vectors in all directions."""
    return unit(np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32))


def levels_of(
    seed: int, duration_s: float = 30.0, dim: int = DIM, song: Float32 | None = None
) -> dict[Level, LevelVectors]:
    """All levels of a made-up recording: one song, three sections, the windows."""
    whole = np.array([[0, duration_s]], dtype=np.float32)
    edges = np.linspace(0, duration_s, 4, dtype=np.float32)
    parts = np.stack((edges[:-1], edges[1:]), axis=1)
    windows = grid(duration_s, 5.0, 2.5)
    own = random_unit(4, dim, 1000 + seed)
    return {
        Level.SONG: LevelVectors(whole, own[:1] if song is None else song[None], ("",)),
        Level.SECTION: LevelVectors(parts, own[1:], ("A", "B", "A")),
        Level.WINDOW: LevelVectors(windows, random_unit(len(windows), dim, 5000 + seed)),
    }


def want(store: Store, *paths: str, recipe: str = RECIPE, size: int = 1) -> list[int]:
    """Want work on files and return the job ids."""
    files = [SeenFile(path, size, 1) for path in paths]
    return list(store.jobs.enqueue(files, recipe, uuid4()).job_ids)


def add_track(
    store: Store,
    space: Space,
    path: str,
    levels: dict[Level, LevelVectors],
    tags: Tags | None = None,
    identity: str | None = None,
) -> int:
    """A track at a path, as indexing would have left it. Returns its id."""
    (job_id,) = want(store, path)
    assert store.jobs.lock(job_id)
    job = store.jobs.start(job_id)
    assert job is not None
    with store.transaction():
        track_id = store.library.save(identity or f"audio of {path!a}", _end_s(levels), None)
        store.embeddings.write(space, track_id, levels)
        store.files.locate(job.file_id, path, track_id, tags or Tags())
    store.jobs.finish(job_id, "encoded")
    store.jobs.unlock(job_id)
    return track_id


def fill(store: Store, space: Space, n_tracks: int, start: int = 0) -> Sequence[int]:
    """Many made-up tracks."""
    numbers = range(start, start + n_tracks)
    with store.transaction():
        return [
            add_track(store, space, f"/music/{n:04d}.mp3", levels_of(n, dim=space.dim))
            for n in numbers
        ]


def _end_s(levels: dict[Level, LevelVectors]) -> float:
    return max(float(vectors.intervals[-1, 1]) for vectors in levels.values())


_WIDTHS = {"timbre": 28, "harmony": 576, "rhythm": 66, "energy": 27, "structure": 280}


def made_up_facets(seed: int) -> TrackFacets:
    """Facets in all directions; tempo 60 + seed, C minor and up, activity rising with the seed."""
    return TrackFacets(
        {Facet(name): random_unit(1, dim, 9000 + seed)[0] for name, dim in _WIDTHS.items()},
        Measures(
            TempoEstimate(60.0 + seed, 0.5),
            KeyEstimate(seed % 12, "minor", 0.5),
            Loudness(-20.0 + seed % 10, 5.0),
            min(1.0, seed / 100),
        ),
        np.zeros(64, dtype=np.float32),
    )
