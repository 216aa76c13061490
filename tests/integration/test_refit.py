"""Fitting the projection again: on stored vectors, beside the work, and safely cut short."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import psycopg
import pytest

from mess_plugin import encoders
from mess_plugin.analysis.pooling import project
from mess_plugin.analysis.projection import CENTRE_FROM
from mess_plugin.model import Level, Space
from mess_plugin.spaces.refit import refit
from mess_plugin.spaces.vectors import project_into
from mess_plugin.store import Store, open_store
from tests.stored_library import RECIPE, add_track, fill, levels_of, raw_space


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise AssertionError("a projection is fitted on stored vectors")

    monkeypatch.setattr(encoders, "load", load)


def indexes(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname ~ '_space_[0-9]+$'"
        ).fetchall()
    return {row[0] for row in rows}


def songs(store: Store, space: Space) -> int:
    return store.embeddings.count_up_to(space, Level.SONG, 10_000)


def test_too_small_a_library_keeps_its_raw_space(store: Store) -> None:
    assert refit(store, RECIPE) is None  # nothing at all
    base = raw_space(store)
    fill(store, base, 5)
    assert refit(store, RECIPE, force=True) is None
    assert store.spaces.searchable(RECIPE) == base


def test_a_fit_projects_every_stored_vector_and_answers(store: Store, database_url: str) -> None:
    base = raw_space(store)
    ids = fill(store, base, CENTRE_FROM)
    space = refit(store, RECIPE)
    assert space is not None
    assert store.spaces.searchable(RECIPE) == space
    assert store.spaces.base(RECIPE) == base
    maps = store.spaces.projections(space)
    assert set(maps) == set(Level)
    for level in Level:
        raw = store.embeddings.of_track(base, level, ids[7])
        stored = store.embeddings.of_track(space, level, ids[7])
        np.testing.assert_allclose(stored.vectors, project(raw.vectors, maps[level]), atol=1e-3)
        np.testing.assert_array_equal(stored.intervals, raw.intervals)
        assert stored.labels == raw.labels
    assert indexes(database_url) == {f"{level}_embeddings_space_{space.id}" for level in Level}
    assert refit(store, RECIPE) is None  # not due again


def test_growth_makes_it_due_and_the_old_space_is_dropped(store: Store, database_url: str) -> None:
    base = raw_space(store)
    fill(store, base, CENTRE_FROM)
    first = refit(store, RECIPE)
    assert first is not None
    fill(store, base, CENTRE_FROM - 1, start=1000)
    assert refit(store, RECIPE) is None
    fill(store, base, 1, start=2000)
    second = refit(store, RECIPE)
    assert second is not None
    assert songs(store, second) == 2 * CENTRE_FROM
    assert [space.id for space, _ in store.spaces.all()] == [base.id, second.id]
    assert songs(store, first) == 0
    assert indexes(database_url) == {f"{level}_embeddings_space_{second.id}" for level in Level}


def test_forcing_works_any_number_of_times(store: Store) -> None:
    fill(store, raw_space(store), CENTRE_FROM)
    spaces = [refit(store, RECIPE, force=True) for _ in range(3)]
    assert len({space.id for space in spaces if space}) == 3


def test_a_writer_during_the_switch_misses_nothing(
    store: Store, database_url: str, eventually: Callable[..., None]
) -> None:
    """A writer holds its transaction open while the switch waits for it."""
    base = raw_space(store)
    fill(store, base, CENTRE_FROM)
    code = (
        "import sys; from mess_plugin.store import open_store\n"
        "from mess_plugin.spaces.refit import refit\n"
        f"with open_store(sys.argv[1]) as store: print(refit(store, {RECIPE!r}).id)\n"
    )
    with open_store(database_url) as writer, writer.transaction():
        writer.spaces.share_lock(base)
        track_id = writer.library.save("late", 30.0, None)
        writer.embeddings.write(base, track_id, levels_of(4711))
        assert writer.spaces.projected(base) == []  # it began before there was a new space
        fitting = subprocess.Popen(
            [sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, env=os.environ
        )
        eventually(lambda: _waits_for_the_lock(database_url), timeout_s=60)
        assert store.spaces.searchable(RECIPE) == base  # questions are answered meanwhile
    out, _ = fitting.communicate(timeout=60)
    assert fitting.returncode == 0
    space = store.spaces.searchable(RECIPE)
    assert space is not None
    assert space.id == int(out)
    assert store.embeddings.missing(base, space) == []
    assert store.embeddings.has(space, track_id)


def test_new_tracks_enter_a_space_that_is_being_filled(store: Store) -> None:
    base = raw_space(store)
    fill(store, base, CENTRE_FROM)
    space = refit(store, RECIPE)
    assert space is not None
    assert store.spaces.projected(base) == [space]
    raw = levels_of(99)
    track_id = add_track(store, base, "/music/new.mp3", raw)
    with store.transaction():
        store.embeddings.write(space, track_id, project_into(store, space, raw))
    assert store.embeddings.missing(base, space) == []


def test_one_session_fits_at_a_time(store: Store, database_url: str) -> None:
    base = raw_space(store)
    fill(store, base, CENTRE_FROM)
    with open_store(database_url) as other:
        with other.spaces.fitting(base) as allowed:
            assert allowed
            assert refit(store, RECIPE) is None
        assert refit(store, RECIPE) is not None


def test_a_fit_that_was_killed_is_cleared_away(
    store: Store, database_url: str, eventually: Callable[..., None]
) -> None:
    base = raw_space(store)
    fill(store, base, CENTRE_FROM)
    code = (
        "import sys, time; from mess_plugin.spaces import refit\n"
        "from mess_plugin.store import open_store\n"
        "refit.fill = lambda *_: (print('filling', flush=True), time.sleep(600))\n"
        f"with open_store(sys.argv[1]) as store: refit.refit(store, {RECIPE!r})\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, env=os.environ
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"filling\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert [facts["state"] for _, facts in store.spaces.all()] == ["active", "building"]
    assert store.spaces.searchable(RECIPE) == base
    eventually(lambda: refit(store, RECIPE) is not None)
    assert [facts["state"] for _, facts in store.spaces.all()] == ["active", "active"]
    assert len(indexes(database_url)) == len(Level)


def _waits_for_the_lock(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchone()
    assert row is not None
    return bool(row[0])
