"""A real worker on a real broker: killed, cut off and raced, it does every job exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from mess_plugin.config import Settings
from mess_plugin.errors import StoreUnreachable
from mess_plugin.library.reconcile import Request
from mess_plugin.library.walk import Walk
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import send_due
from mess_workers.index_run import IndexRun, Progress, with_patience
from tests.audio_files import music, noise, write_audio
from tests.event_tools import broker, kill, program, settings_for, write_songs

Eventually = Callable[..., None]


@pytest.fixture
def ready(database_url: str, valkey_url: str, tmp_path: Path) -> Settings:
    """Settings for a database and a part of the broker of the test's own."""
    return settings_for(tmp_path / "home", database_url, valkey_url, file_limit_s=60.0)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


def worker(settings: Settings) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A worker with one process for the work, as `mess worker` starts it."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return program("mess_workers", settings, settings.home / "worker.log")


def run(
    settings: Settings,
    store: Store,
    *roots: Path,
    show: Callable[[Progress], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> Progress:
    """A run of `mess index` that starts no worker of its own."""
    request = Request(str(Recipe.of(settings)), batch=uuid4())
    index_run = IndexRun(JobQueue(settings), lambda: None, request, show, check)
    return index_run.run(store, [str(root) for root in roots])


def send(settings: Settings, store: Store, path: Path) -> int:
    """Want one file and send its job, without waiting for it."""
    (job_id,) = store.jobs.enqueue(list(Walk([str(path)])), str(Recipe.of(settings))).job_ids
    assert send_due(store, JobQueue(settings)) == 1
    return job_id


def long_file(path: Path) -> Path:
    """Enough sound that something can happen while it is read."""
    return write_audio(path, noise(400, 24000, channels=1), 24000)


def states(store: Store) -> dict[str, int]:
    return {
        state: count
        for counts in store.jobs.count_jobs().values()
        for state, count in counts.items()
    }


def attempts(database_url: str, job_id: int) -> tuple[int, int]:
    """(attempts that count, interruptions) of a job."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT attempts, interruptions FROM jobs WHERE id = %s", [job_id]
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def children(process: subprocess.Popen[bytes]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def test_two_runs_at_once_share_the_work_and_report_it_right(
    ready: Settings, store: Store, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(6):
        write_audio(folder / f"{number}.flac", music(8, 24000, channels=1, seed=number), 24000)
    (folder / "broken.flac").write_bytes(b"x" * 9000)
    seconds: list[Progress] = []

    def second() -> None:
        with open_store(database_url) as other:
            seconds.append(run(ready, other, folder))

    beside = threading.Thread(target=second)
    with worker(ready):
        beside.start()
        first = run(ready, store, folder, folder / "0.flac")  # one file is named twice
        beside.join()
    for done in (first, *seconds):
        assert done.seen == 7
        assert done.gone == 0
        assert done.indexed + done.known + done.unchanged == 6
        assert done.failed + done.failed_before == 1
    assert states(store) == {"done": 6, "failed": 1}
    assert store.library.count()[:2] == (6, 6)


def test_killed_in_the_middle_the_job_is_done_after_all_and_once(
    ready: Settings, store: Store, database_url: str, tmp_path: Path, eventually: Eventually
) -> None:
    """First the process at work is killed, then the whole worker; another one takes over."""
    path = long_file(tmp_path / "long.wav")
    job_id = send(ready, store, path)
    queue = JobQueue(ready)

    def is_tried_again() -> bool:
        send_due(store, queue)
        return attempts(database_url, job_id) == (2, 0) and states(store) == {"running": 1}

    with worker(ready) as process:
        eventually(lambda: states(store) == {"running": 1}, timeout_s=60)
        for pid in children(process):
            os.kill(pid, signal.SIGKILL)
        eventually(is_tried_again, timeout_s=60)
        kill(process)
    assert states(store) == {"running": 1}
    with worker(ready):
        done = run(ready, store, path)
    assert (done.indexed, done.failed, done.gone) == (1, 0, 0)
    assert states(store) == {"done": 1}
    assert store.library.count()[:2] == (1, 1)
    assert attempts(database_url, job_id) == (2, 1)  # the end of a whole worker is no attempt


def test_told_to_end_it_finishes_the_file_at_hand_and_gives_the_others_back(
    ready: Settings, store: Store, database_url: str, tmp_path: Path, eventually: Eventually
) -> None:
    long = long_file(tmp_path / "long.wav")
    short = write_audio(tmp_path / "short.flac", music(6, 24000, channels=1), 24000)
    job_id = send(ready, store, long)
    with worker(ready) as process:
        eventually(lambda: states(store) == {"running": 1}, timeout_s=60)
        send(ready, store, short)
        process.send_signal(signal.SIGTERM)
        assert process.wait(200) == 0
    assert states(store) == {"done": 1, "wanted": 1}
    assert attempts(database_url, job_id) == (1, 0)
    with worker(ready):
        done = run(ready, store, tmp_path)
    assert (done.indexed, done.unchanged) == (1, 1)
    assert states(store) == {"done": 2}


def test_a_run_makes_up_for_messages_that_the_broker_lost(
    ready: Settings, store: Store, tmp_path: Path
) -> None:
    path = write_audio(tmp_path / "a.flac", music(6, 24000, channels=1), 24000)
    lost: list[object] = []
    with ExitStack() as running:

        def lose() -> None:
            """Called while the run waits: drop its message, and only then start a worker."""
            if not lost:
                lost.append(broker(ready).delete("mess.indexing\x06\x163"))
                running.enter_context(worker(ready))

        done = run(ready, store, path, check=lose)
    assert lost == [1]
    assert (done.indexed, done.finished) == (1, 1)


def test_a_database_that_goes_away_and_comes_back_costs_no_attempt(
    ready: Settings, store: Store, database_url: str, tmp_path: Path, eventually: Eventually
) -> None:
    job_id = send(ready, store, long_file(tmp_path / "long.wav"))
    queue = JobQueue(ready)
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    admin_url = database_url.replace(f"/{name}?", "/postgres?")

    def is_done() -> bool:
        send_due(store, queue)
        return states(store) == {"done": 1}

    with worker(ready), psycopg.connect(admin_url, autocommit=True) as admin:
        eventually(lambda: states(store) == {"running": 1}, timeout_s=60)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        ours = store._session.connection.info.backend_pid
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> %s",
            [name, ours],
        )
        log = ready.home / "worker.log"
        eventually(lambda: "trying again later" in log.read_text(), timeout_s=60)
        assert states(store) == {"running": 1}
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        eventually(is_done, timeout_s=90)
    assert store.jobs.failures() == []
    assert store.library.count()[:2] == (1, 1)
    assert attempts(database_url, job_id)[0] == 1


@pytest.mark.parametrize("when", ["walking", "waiting"])
def test_a_run_goes_on_when_the_database_is_back(
    ready: Settings, store: Store, database_url: str, tmp_path: Path, when: str
) -> None:
    folder = tmp_path / "music"
    songs = write_songs(folder, 3)
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    admin_url = database_url.replace(f"/{name}?", "/postgres?")
    told: list[str] = []
    cuts: list[Progress] = []
    request = Request(str(Recipe.of(ready)), batch=uuid4())
    with worker(ready), psycopg.connect(admin_url, autocommit=True) as admin:

        def cut(progress: Progress) -> None:
            if progress.wanted and progress.walked == (when == "waiting") and not cuts:
                cuts.append(progress)
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )

        def tell(line: str) -> None:
            told.append(line)
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

        index_run = IndexRun(JobQueue(ready), lambda: None, request, cut)
        done = with_patience(
            database_url, lambda opened: index_run.run(opened, [str(folder)]), tell
        )
    assert len(cuts) == 1
    assert told[0].endswith("going on when it is back")
    assert told[-1] == "the database is back"
    assert (done.seen, done.finished, done.failed) == (len(songs), len(songs), 0)
    with open_store(database_url) as opened:
        assert opened.library.count()[:2] == (len(songs), len(songs))


def test_a_database_that_was_never_there_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="does not answer"):
        with_patience("postgresql://127.0.0.1:1/none", lambda _: None, lambda _: None)
