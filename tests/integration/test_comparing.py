"""Duplicates are found without being asked: a little at a time, after all other work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import psycopg
import pytest
from pgvector import HalfVector

from mess_plugin.config import Settings
from mess_plugin.facets import REVISION, Facet
from mess_plugin.facets.harmony import invariants
from mess_plugin.model import Level, LevelVectors, Space
from mess_plugin.store import Store, open_store
from mess_plugin.store.statements import statement
from mess_workers import maintenance, tasks
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import Dispatcher
from mess_workers.task_names import DUPLICATES
from tests.event_tools import broker, program
from tests.stored_library import add_track, levels_of, made_up_facets, raw_space, want

Eventually = Callable[..., None]
WAITING = "mess.maintenance\x06\x169"  # messages of the least priority


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that are called in this process have the settings of the test."""
    monkeypatch.setattr(tasks, "settings", lambda: settings)


def music(seed: int) -> dict[Level, LevelVectors]:
    """A recording of 60 s whose windows wander, as music does."""
    levels = levels_of(seed, duration_s=60.0)
    wandering = np.cumsum(levels[Level.WINDOW].vectors, axis=0)
    wandering /= np.linalg.norm(wandering, axis=1, keepdims=True)
    levels[Level.WINDOW] = LevelVectors(levels[Level.WINDOW].intervals, wandering)
    return levels


def add(store: Store, space: Space, name: str, seed: int) -> int:
    """A track whose whole sound is told by the seed."""
    track_id = add_track(store, space, f"/music/{name}.flac", music(seed))
    with store.transaction():
        store.facets.write(track_id, made_up_facets(seed))
    return track_id


def links(store: Store) -> set[tuple[int, int, str]]:
    return {(link.one_id, link.other_id, link.state) for link in store.duplicates.all()}


@pytest.mark.usefixtures("here")
def test_only_what_has_not_looked_does_and_a_rejection_stays(
    settings: Settings, store: Store
) -> None:
    space = raw_space(store)
    one, other = add(store, space, "one", 1), add(store, space, "other", 2)
    assert maintenance.is_due(store, settings)
    tasks.find_duplicates()
    assert links(store) == set()
    assert not maintenance.is_due(store, settings)
    copy = add(store, space, "copy of one", 1)
    assert maintenance.is_due(store, settings)
    assert not maintenance.is_due(store, msgspec.structs.replace(settings, find_duplicates=False))
    assert maintenance.search_duplicates(store, settings) == 1
    assert links(store) == {(one, copy, "found")}
    store.duplicates.judge(one, copy, "rejected", None)
    store.duplicates.forget_searches()
    assert maintenance.search_duplicates(store, settings) == 3
    assert links(store) == {(one, copy, "rejected")}
    assert other not in {i for link in links(store) for i in link[:2]}


def test_a_track_waits_until_its_harmony_is_heard(settings: Settings, store: Store) -> None:
    space = raw_space(store)
    one = add(store, space, "one", 1)
    copy = add_track(store, space, "/music/copy.flac", music(1))
    assert maintenance.search_duplicates(store, settings) == 1
    assert not maintenance.is_due(store, settings)
    with store.transaction():
        store.facets.write(copy, made_up_facets(1))
    assert maintenance.search_duplicates(store, settings) == 1
    assert links(store) == {(one, copy, "found")}


def test_killed_between_two_tracks_it_goes_on(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = raw_space(store)
    one, copy = add(store, space, "one", 1), add(store, space, "copy", 1)
    save = store.duplicates.mark_searched

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.duplicates, "mark_searched", killed)
    with pytest.raises(KeyboardInterrupt):
        maintenance.search_duplicates(store, settings)
    assert links(store) == set()  # half a track is none
    monkeypatch.setattr(store.duplicates, "mark_searched", save)
    assert maintenance.search_duplicates(store, settings) == 2
    assert links(store) == {(one, copy, "found")}


def test_a_moment_at_a_time(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = raw_space(store)
    for seed in range(3):
        add(store, space, str(seed), seed)
    monkeypatch.setattr(maintenance, "_AT_MOST_S", 0.0)
    assert [maintenance.search_duplicates(store, settings) for _ in range(4)] == [1, 1, 1, 0]


def test_it_is_asked_for_while_no_file_waits(settings: Settings, store: Store) -> None:
    space = raw_space(store)
    add(store, space, "one", 1)
    client = broker(settings)
    off = msgspec.structs.replace(settings, find_duplicates=False)
    Dispatcher(off, store, JobQueue(settings)).tick()
    assert client.llen(WAITING) == 0
    want(store, "/music/new.flac")
    busy = Dispatcher(settings, store, JobQueue(settings))
    assert busy.tick() == 1
    assert client.llen(WAITING) == 0
    assert busy.tick() == 0
    assert client.llen(WAITING) == 0  # the message of that file is on its way
    store.dispatch.unsend(list(store.dispatch.sent()))
    with store.transaction():
        (due,) = store.dispatch.claim(1)
        assert store.jobs.lock(due.job_id)
        assert store.jobs.start(due.job_id) is not None
    Dispatcher(settings, store, JobQueue(settings)).tick()
    assert client.llen(WAITING) == 1
    (message,) = client.lrange(WAITING, 0, -1)
    assert DUPLICATES.encode() in message
    assert b'"expires": "20' in message


def test_a_copy_is_linked_by_the_programs_of_mess_up(
    settings: Settings, store: Store, tmp_path: Path, eventually: Eventually
) -> None:
    space = raw_space(store)
    one, copy = add(store, space, "one", 1), add(store, space, "copy", 1)
    log = tmp_path / "log"
    with (
        program("mess_workers.dispatcher", settings, log),
        program("mess_workers.maintenance", settings, log),
    ):
        eventually(lambda: links(store) == {(one, copy, "found")}, 60)


def test_the_index_finds_the_nearest_harmonies(store: Store, database_url: str) -> None:
    for seed in range(40):
        add(store, raw_space(store), str(seed), seed)
    asked = made_up_facets(7).vectors[Facet.HARMONY]
    exact = store.facets.nearest(Facet.HARMONY, asked, 10, excluded=[3])
    by_index = f"{database_url}&options=-c%20enable_seqscan%3Doff%20-c%20enable_sort%3Doff"
    with open_store(by_index) as indexed:
        assert indexed.facets.nearest_harmonies(asked, 10, [3]) == exact
    with psycopg.connect(by_index) as connection:
        values = {"revision": REVISION, "excluded": [3], "limit": 10}
        values["vector"] = HalfVector(invariants(asked[None])[0]).to_text()
        plan = connection.execute(b"EXPLAIN " + statement("nearest_in_harmony"), values).fetchall()
    assert "facets_harmony" in str(plan)
