"""The ledger in a real database: what is wanted, who does it, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest

from mess_plugin.model import Tags
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.jobs import Enqueued
from tests.stored_library import RECIPE, add_track, levels_of, raw_space, want


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


def seen(name: str, size: int = 1, mtime: int = 1) -> SeenFile:
    return SeenFile(f"/music/{name}", size, mtime)


def do(store: Store, job_id: int, outcome: str = "encoded", kind: str | None = None) -> None:
    """Run a job to an end."""
    assert store.jobs.lock(job_id)
    assert store.jobs.start(job_id) is not None
    if kind:
        store.jobs.fail(job_id, kind, "because")
    else:
        store.jobs.finish(job_id, outcome)
    store.jobs.unlock(job_id)


def test_new_unchanged_changed_failed_and_forced(store: Store) -> None:
    files = [seen("a"), seen("b"), seen("c")]
    first = store.jobs.enqueue(files, RECIPE, uuid4())
    assert (len(first.job_ids), first.unchanged, first.failed_before) == (3, 0, 0)
    done, failed, unfinished = first.job_ids
    do(store, done)
    do(store, failed, kind="damaged")

    assert store.jobs.enqueue(files, RECIPE, uuid4()) == Enqueued((unfinished,), 1, 1)
    again = store.jobs.enqueue(files, RECIPE, uuid4(), retry_failed=True)
    assert again == Enqueued((failed, unfinished), 1, 0)
    do(store, failed, kind="damaged")

    changed = [seen("a", size=2), seen("b", mtime=2), seen("c")]
    assert store.jobs.enqueue(changed, RECIPE, uuid4()) == Enqueued(
        (done, failed, unfinished), 0, 0
    )
    for job_id in (done, failed, unfinished):
        do(store, job_id)
    assert store.jobs.enqueue(changed, RECIPE, uuid4()) == Enqueued((), 3, 0)
    assert store.jobs.enqueue(changed, RECIPE, uuid4(), force=True).job_ids == first.job_ids
    assert store.jobs.enqueue([], RECIPE, uuid4()) == Enqueued((), 0, 0)


def test_a_file_named_twice_is_wanted_once(store: Store) -> None:
    assert len(store.jobs.enqueue([seen("a"), seen("a")], RECIPE, uuid4()).job_ids) == 1


def test_another_recipe_is_other_work(store: Store) -> None:
    (first,) = want(store, "/music/a")
    do(store, first)
    (second,) = want(store, "/music/a", recipe="mert||5/2.5")
    assert second != first
    assert store.jobs.count_jobs() == {RECIPE: {"done": 1}, "mert||5/2.5": {"wanted": 1}}


def test_a_lock_excludes_other_sessions_and_goes_with_its_own(
    store: Store, database_url: str, eventually: Callable[..., None]
) -> None:
    (job_id,) = want(store, "/music/a")
    with open_store(database_url) as other:
        assert other.jobs.lock(job_id)
        assert not store.jobs.lock(job_id)
        other.jobs.unlock(job_id)
        assert store.jobs.lock(job_id)
        store.jobs.unlock(job_id)
        assert other.jobs.lock(job_id)
    # The server notices the end of a connection a moment after the client has closed it.
    eventually(lambda: store.jobs.lock(job_id))


def test_a_killed_process_loses_its_lock_and_the_job_is_recovered(
    store: Store, database_url: str, eventually: Callable[..., None]
) -> None:
    (job_id,) = want(store, "/music/a")
    code = (
        "import sys, time; from mess_plugin.store import open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        f"    assert store.jobs.lock({job_id}) and store.jobs.start({job_id})\n"
        "    print('running', flush=True); time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, env=os.environ
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"running\n"
    assert not store.jobs.lock(job_id)
    assert store.jobs.recover() == []  # it is being done
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    eventually(lambda: store.jobs.recover() == [job_id])
    assert store.jobs.recover() == []
    assert store.jobs.lock(job_id)
    job = store.jobs.start(job_id)
    assert job is not None
    assert (job.attempts, job.interruptions) == (1, 1)  # no worker stood by to see who was to blame


def test_each_start_counts_but_for_the_excused(store: Store) -> None:
    (job_id,) = want(store, "/music/a")
    attempts = []
    for excused in (False, True, True, False, False):
        job = store.jobs.start(job_id)
        assert job is not None
        assert store.jobs.start(job_id) is None  # it runs already
        attempts.append(job.attempts)
        store.jobs.give_back(job_id, "changed", "it changed", 60.0, excused=excused)
        assert store.jobs.count_jobs() == {RECIPE: {"wanted": 1}}
    assert attempts == [1, 2, 2, 2, 3]


def test_what_is_over_cannot_be_started_or_ended_again(store: Store) -> None:
    (job_id,) = want(store, "/music/a")
    do(store, job_id)
    assert store.jobs.start(job_id) is None
    store.jobs.fail(job_id, "damaged", "late")
    assert store.jobs.failures() == []
    assert store.jobs.start(999_999) is None


def test_a_job_that_is_wanted_again_while_it_runs_stays_wanted(store: Store) -> None:
    (job_id,) = want(store, "/music/a")
    store.jobs.start(job_id)
    assert want(store, "/music/a", size=2) == [job_id]
    store.jobs.finish(job_id, "encoded")
    assert store.jobs.count_jobs() == {RECIPE: {"wanted": 1}}


def test_failures_are_rows_with_reasons_newest_first(store: Store) -> None:
    odd = os.fsdecode(b"/music/\xff.mp3")
    for number, path in enumerate(["/music/a", odd]):
        (job_id,) = want(store, path)
        store.jobs.start(job_id)
        store.jobs.fail(job_id, "damaged", f"reason\0\udcff{number}")
    found = store.jobs.failures()
    assert [(one.path, one.kind, one.reason, one.attempts) for one in found] == [
        (odd, "damaged", "reason ?1", 1),
        ("/music/a", "damaged", "reason ?0", 1),
    ]
    assert len(store.jobs.failures(limit=1)) == 1


def test_a_batch_is_counted_and_jobs_taken_over_are_not_lost(store: Store) -> None:
    batch, other = uuid4(), uuid4()
    ids = store.jobs.enqueue([seen("a"), seen("b"), seen("c")], RECIPE, batch).job_ids
    do(store, ids[0], "known")
    do(store, ids[1], kind="empty")
    assert store.jobs.count_batch(batch) == {"done": 1, "done:known": 1, "failed": 1, "wanted": 1}
    store.jobs.enqueue([seen("c")], RECIPE, other)
    assert store.jobs.count_batch(batch) == {"done": 1, "done:known": 1, "failed": 1}
    assert store.jobs.count_some(ids)["wanted"] == 1


def test_paths_below_folders_are_found_by_bytes(store: Store) -> None:
    odd = os.fsdecode(b"/music/a\xff/1.mp3")
    paths = ["/music/a/1.mp3", "/music/a/2.mp3", "/music/ab.mp3", "/music/a%/x.mp3", odd]
    want(store, *paths)

    def known(*roots: str) -> list[str]:
        return sorted(store.files.known_paths(roots))

    assert known("/music/a") == ["/music/a/1.mp3", "/music/a/2.mp3"]
    assert known("/music/a/") == known("/music/a")
    assert known("/music/ab.mp3") == ["/music/ab.mp3"]
    assert known("/music/a%") == ["/music/a%/x.mp3"]
    assert known(os.fsdecode(b"/music/a\xff")) == [odd]
    assert len(known("/")) == len(paths)
    assert known("/mus") == known() == []


def test_a_recording_goes_with_its_last_location(store: Store) -> None:
    space = raw_space(store)
    first = add_track(store, space, "/music/a.mp3", levels_of(1), identity="same")
    assert add_track(store, space, "/music/b.mp3", levels_of(1), identity="same") == first
    assert store.library.get([first])[first].paths == ("/music/a.mp3", "/music/b.mp3")
    known = store.files.known_paths(["/music"])
    store.files.forget_files([known["/music/a.mp3"]])
    assert store.library.get([first])[first].paths == ("/music/b.mp3",)
    store.files.forget_files([known["/music/b.mp3"]])
    assert store.library.get([first]) == {}
    assert not store.embeddings.has(space, first)
    assert store.library.count()[:2] == (0, 0)
    assert store.jobs.count_jobs() == {}


def test_a_recording_goes_when_its_last_file_holds_another_or_nothing(store: Store) -> None:
    """Whatever the file held when the job began: other work may have changed that meanwhile."""
    space = raw_space(store)
    first = add_track(store, space, "/music/a.mp3", levels_of(1), identity="first")
    second = add_track(store, space, "/music/b.mp3", levels_of(2), identity="second")
    known = store.files.known_paths(["/music"])
    assert store.files.locate(known["/music/a.mp3"], "/music/a.mp3", second, Tags())
    assert list(store.library.get([first, second])) == [second]
    assert not store.files.locate(known["/music/b.mp3"], "/music/renamed.mp3", first, Tags())
    store.files.forget_files([known["/music/b.mp3"]])
    assert list(store.library.get([second])) == [second]
    (job_id,) = want(store, "/music/a.mp3", size=9)
    assert store.jobs.start(job_id) is not None
    store.files.detach(known["/music/a.mp3"])
    assert store.library.get([second]) == {}


def test_tags_of_any_characters_are_stored(store: Store) -> None:
    space = raw_space(store)
    tags = Tags(title="nul\0 and \udcff half", artist="Ünï", year=1999, bpm=120.5)
    track_id = add_track(store, space, "/music/a.mp3", levels_of(1), tags)
    found = store.library.get([track_id])[track_id].tags
    assert found == Tags(title="nul  and ? half", artist="Ünï", year=1999, bpm=120.5)


def test_two_wants_at_once_make_each_job_once(store: Store, database_url: str) -> None:
    files = [seen(str(n)) for n in range(50)]
    with open_store(database_url) as other, other.transaction():
        other.jobs.enqueue(files[:25], RECIPE, uuid4())
        with psycopg.connect(database_url, autocommit=True) as watching:
            assert watching.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    again = store.jobs.enqueue(files, RECIPE, uuid4())
    assert len(set(again.job_ids)) == 50
