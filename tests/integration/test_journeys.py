"""Journeys where the library has nothing between the two ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mess_plugin.model import Tags
from mess_plugin.pooling import unit
from mess_plugin.steering.playlists import journey
from mess_plugin.steering.query import Query
from mess_plugin.store import open_store
from tests.stored_library import DIM, add_track, levels_of, raw_space, settings


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
