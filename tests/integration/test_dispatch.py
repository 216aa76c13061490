"""The ledger is the truth: what becomes of work whose messages, workers or brokers are lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest

from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile
from mess_workers.broker import JobQueue, QueuedJobs
from mess_workers.dispatcher import IN_FLIGHT, lost, send_due
from tests.event_tools import broker, kill, program, see, write_songs

Eventually = Callable[..., None]


def recipe(settings: Settings) -> str:
    return str(Recipe.of(settings))


def made_up(n: int, prefix: str = "/music/a") -> list[SeenFile]:
    return [SeenFile(f"{prefix}/{i:06}.flac", 1000 + i, 1) for i in range(n)]


def states(store: Store, settings: Settings) -> dict[str, int]:
    return store.jobs.count_jobs().get(recipe(settings), {})


def test_a_hundred_thousand_files_are_rows_not_messages(settings: Settings, store: Store) -> None:
    files = made_up(100_000)
    for start in range(0, len(files), 5000):
        store.jobs.enqueue(files[start : start + 5000], recipe(settings))
    queue = JobQueue(settings)
    assert send_due(store, queue) == IN_FLIGHT
    assert send_due(store, queue) == 0
    assert queue.held().depth == IN_FLIGHT
    assert states(store, settings) == {"wanted": 100_000}


def test_new_files_are_sent_and_taken_before_those_heard_again(
    settings: Settings, store: Store
) -> None:
    old = made_up(300, "/music/old")
    store.jobs.enqueue(old, recipe(settings))
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute("UPDATE jobs SET state = 'done', outcome = 'encoded', finished_at = now()")
    store.jobs.enqueue(old, recipe(settings), force=True)
    store.jobs.enqueue(made_up(1, "/music/new"), recipe(settings))
    (first,) = store.dispatch.claim(1)
    assert first.priority == 3
    store.dispatch.unsend([first.job_id])
    queue = JobQueue(settings)
    send_due(store, queue, limit=20)
    assert broker(settings).llen("mess.indexing\x06\x163") == 1
    assert broker(settings).llen("mess.indexing\x06\x166") == 19


def test_a_wiped_broker_is_filled_again(settings: Settings, store: Store) -> None:
    store.jobs.enqueue(made_up(50), recipe(settings))
    queue = JobQueue(settings)
    assert send_due(store, queue) == 50
    broker(settings).flushdb()
    _age_messages(settings, 10)
    assert send_due(store, queue) == 50
    assert queue.held().depth == 50


def test_looking_into_the_broker_works_after_a_ping(settings: Settings, store: Store) -> None:
    queue = JobQueue(settings)
    assert not queue.has_worker(0.1)
    store.jobs.enqueue(made_up(2), recipe(settings))
    send_due(store, queue)
    for _ in range(3):
        assert queue.held().depth == 2


def test_a_single_lost_message_is_sent_again_and_the_others_are_not(
    settings: Settings, store: Store
) -> None:
    store.jobs.enqueue(made_up(5), recipe(settings))
    queue = JobQueue(settings)
    send_due(store, queue)
    broker(settings).lpop("mess.indexing\x06\x163")
    _age_messages(settings, 10)
    assert send_due(store, queue) == 1
    assert broker(settings).llen("mess.indexing\x06\x163") == 5


def test_messages_that_a_dead_worker_had_taken_are_lost_after_a_while() -> None:
    sent = {1: 5.0, 2: 5.0, 3: 5.0, 4: 60.0, 5: 60.0, 6: 0.5}
    held = QueuedJobs(waiting=frozenset({1, 4}), taken=frozenset({2, 5}))
    assert lost(sent, held) == [3, 5]


def test_a_broker_that_is_away_loses_nothing(settings: Settings, store: Store) -> None:
    store.jobs.enqueue(made_up(3), recipe(settings))
    away = JobQueue(msgspec.structs.replace(settings, broker_url="redis://127.0.0.1:1/0"))
    with pytest.raises(ServiceError, match="broker"):
        send_due(store, away)
    assert store.dispatch.sent() == {}
    assert send_due(store, JobQueue(settings)) == 3


def test_a_job_that_waits_is_not_sent_before_its_time(settings: Settings, store: Store) -> None:
    store.jobs.enqueue(made_up(1), recipe(settings))
    (due,) = store.dispatch.claim(1)
    assert store.jobs.lock(due.job_id)
    assert store.jobs.start(due.job_id) is not None
    store.jobs.give_back(due.job_id, "crashed", "why", 60.0)
    assert store.dispatch.claim(1) == []
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute("UPDATE jobs SET not_before = now() - interval '1 second'")
    assert len(store.dispatch.claim(1)) == 1


def test_an_excused_attempt_does_not_count(settings: Settings, store: Store) -> None:
    store.jobs.enqueue(made_up(1), recipe(settings))
    (due,) = store.dispatch.claim(1)
    for _ in range(5):
        assert store.jobs.lock(due.job_id)
        job = store.jobs.start(due.job_id)
        assert job is not None
        assert job.attempts == 1
        store.jobs.give_back(due.job_id, "database", "away", 0.0, excused=True)


def test_an_attempt_counts_only_where_its_worker_survived(
    settings: Settings, store: Store, eventually: Eventually
) -> None:
    store.jobs.enqueue(made_up(1), recipe(settings))
    (due,) = store.dispatch.claim(1)
    with open_store(settings.database_url or "") as parent:
        worker_id = parent.workers.enter("here", 1)
        with open_store(settings.database_url or "") as child:
            child.jobs.lock(due.job_id)
            child.jobs.start(due.job_id, worker_id)
        assert _recovered(store, due.job_id) == (1, 0)
        with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
            admin.execute("UPDATE jobs SET not_before = NULL")
        with open_store(settings.database_url or "") as child:
            child.jobs.lock(due.job_id)
            child.jobs.start(due.job_id, worker_id)
    eventually(lambda: store.workers.all() == [])  # the server has noticed that the parent is gone
    assert _recovered(store, due.job_id) == (1, 1)


def test_a_job_that_runs_is_not_recovered(settings: Settings, store: Store) -> None:
    store.jobs.enqueue(made_up(1), recipe(settings))
    (due,) = store.dispatch.claim(1)
    with open_store(settings.database_url or "") as child:
        child.jobs.lock(due.job_id)
        child.jobs.start(due.job_id)
        assert store.jobs.recover() == []
        assert not store.jobs.lock(due.job_id)


def test_only_one_session_dispatches_at_a_time(settings: Settings, store: Store) -> None:
    store.jobs.enqueue(made_up(3), recipe(settings))
    with (
        open_store(settings.database_url or "") as other,
        other.dispatch.exclusive_lock() as chosen,
    ):
        assert chosen
        assert send_due(store, JobQueue(settings)) == 0
    assert send_due(store, JobQueue(settings)) == 3


def test_unchanged_unfinished_work_is_joined_not_begun_again(
    settings: Settings, store: Store
) -> None:
    files = made_up(2)
    store.jobs.enqueue(files, recipe(settings))
    (due,) = store.dispatch.claim(1)
    with open_store(settings.database_url or "") as child:
        child.jobs.lock(due.job_id)
        child.jobs.start(due.job_id)
        assert len(store.jobs.enqueue(files, recipe(settings)).job_ids) == 2
        assert states(store, settings) == {"running": 1, "wanted": 1}


def test_work_is_done_without_any_command_and_survives_a_killed_worker(
    settings: Settings, store: Store, tmp_path: Path, eventually: Eventually
) -> None:
    songs = write_songs(tmp_path / "music", 6)
    with program("mess_workers.dispatcher", settings, tmp_path / "dispatch.log"):
        with program("mess_workers", settings, tmp_path / "worker.log") as worker:
            store.jobs.enqueue(see(songs), recipe(settings))
            eventually(lambda: states(store, settings).get("done", 0) >= 1, 60)
            kill(worker)
        broker(settings).flushdb()
        with program("mess_workers", settings, tmp_path / "worker.log"):
            eventually(lambda: states(store, settings) == {"done": 6}, 60)
    assert store.library.count()[0] == 6
    assert (tmp_path / "dispatch.log").read_text().count("Traceback") == 0


def test_a_stopped_dispatcher_ends_in_order(
    settings: Settings, tmp_path: Path, eventually: Eventually
) -> None:
    with program("mess_workers.dispatcher", settings, tmp_path / "log") as dispatcher:
        eventually(lambda: "dispatching" in (tmp_path / "log").read_text(), 30)
        os.kill(dispatcher.pid, signal.SIGTERM)
        assert dispatcher.wait(20) == 0


def _age_messages(settings: Settings, seconds: int) -> None:
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute(f"UPDATE jobs SET sent_at = now() - interval '{seconds} seconds'")


def _recovered(store: Store, job_id: int) -> tuple[int, int]:
    deadline_s = time.monotonic() + 5
    while not store.jobs.recover([job_id]):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert store.jobs.lock(job_id)
    job = store.jobs.start(job_id)
    assert job is not None
    store.jobs.give_back(job_id, "crashed", "", 0.0, excused=True)
    store.jobs.unlock(job_id)
    return job.attempts - 1, job.interruptions
