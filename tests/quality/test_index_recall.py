"""The approximate index against exact search, on clustered vectors in a real table."""

from __future__ import annotations

import numpy as np
from pgvector import HalfVector
from psycopg import sql

from mess_plugin.analysis.pooling import unit
from mess_plugin.model import Level, LevelVectors, Projection, Space
from mess_plugin.store import open_store
from mess_plugin.store.statements import template
from tests.stored_library import RECIPE, add_track, raw_space

DIM = 64
TRACKS, WINDOWS = 100, 50
FLOOR = 0.95


def assert_plan_uses_index(database_url: str, space: Space) -> None:
    """Otherwise the recall would be that of an exact scan, and 1 whatever the index is worth."""
    parts = {
        "table": sql.Identifier("window_embeddings"),
        "dim": sql.Literal(space.dim),
        "space": sql.Literal(space.id),
        "every": sql.Literal(space.searched_every(Level.WINDOW)),
    }
    query = sql.SQL("EXPLAIN ") + template("nearest_by_index", **parts)
    asked = {"vector": HalfVector(np.ones(space.dim)), "excluded": [], "limit": 10}
    with open_store(database_url) as store:
        plan = "\n".join(
            row[0] for row in store.embeddings._session.connection.execute(query, asked)
        )
    assert "Index Scan using" in plan
    assert "<=>" in plan


def test_recall_at_10_of_the_index(database_url: str) -> None:
    """Five thousand windows around 200 centres; the queries lie among them and are not stored."""
    generator = np.random.default_rng(1)
    centres = generator.standard_normal((200, DIM))

    def draw(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        chosen = centres[generator.integers(0, len(centres), n)]
        return unit((chosen + 0.5 * generator.standard_normal((n, DIM))).astype(np.float32))

    starts = np.arange(WINDOWS, dtype=np.float32)
    intervals = np.stack((starts, starts + 1), axis=1)
    same = Projection(np.zeros(DIM, np.float32), np.eye(DIM, dtype=np.float32), "same")
    with open_store(database_url) as store:
        base = raw_space(store, dim=DIM)
        space = store.spaces.add_projected(RECIPE, base, dict.fromkeys(Level, same), TRACKS)
        with store.transaction():
            for number in range(TRACKS):
                vectors = {Level.WINDOW: LevelVectors(intervals, draw(WINDOWS))}
                add_track(store, space, f"/music/{number}.mp3", vectors)
        assert_plan_uses_index(database_url, space)
        found = []
        for query in draw(100):
            exact, by_index = (
                {
                    (hit.track_id, hit.ordinal)
                    for hit in store.embeddings.nearest(space, Level.WINDOW, query, 10, exact=flag)
                }
                for flag in (True, False)
            )
            assert len(exact) == len(by_index) == 10
            found.append(len(exact & by_index) / 10)
    assert np.mean(found) >= FLOOR
