"""What is at these paths now: one rule and one set of guards for everybody who asks."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mess_integrations.beets.session import opened
from mess_plugin.config import Settings
from mess_plugin.library import reconcile as module
from mess_plugin.library import spool
from mess_plugin.library.reconcile import Notice, Request, drain, reconcile
from mess_plugin.library.spool import Changes
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.paths import stored
from mess_workers.broker import JobQueue
from mess_workers.file_events import answer_events
from mess_workers.index_run import IndexRun
from mess_workers.watch.folder import WatchedFolder
from tests.event_tools import settings_for

RECIPE = "descriptors||5/2.5"
REQUEST = Request(RECIPE)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str, music: Path) -> Settings:
    return settings_for(
        tmp_path / "home", database_url, valkey_url, watch=(str(music),), settle_s=0.2
    )


def add(music: Path, *names: str) -> list[str]:
    for name in names:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_bytes(os.fsencode(name))
        os.utime(music / name, (1, 1))
    return [str(music / name) for name in names]


def there(store: Store) -> list[str]:
    return [Path(path).name for path in store.files.known_paths(["/"], with_missing=False)]


def by_beets(store: Store, settings: Settings, music: Path, paths: list[str]) -> None:
    spool.keep(settings.home, Changes((), (), tuple(paths), str(music)))
    drain(settings.home, store, REQUEST)


def by_webhook(store: Store, settings: Settings, music: Path, paths: list[str]) -> None:
    for path in paths:
        store.inbox.receive("files", "deleted", {"path": os.fsencode(path).hex()})
    answer_events(store, settings)


def by_watcher(store: Store, settings: Settings, music: Path, paths: list[str]) -> None:
    folder = WatchedFolder(store, settings, str(music))
    try:
        folder.tick(time.monotonic())
    finally:
        folder.close()


def by_command(store: Store, settings: Settings, music: Path, paths: list[str]) -> None:
    run = IndexRun(JobQueue(settings), lambda: None, REQUEST)
    with psycopg.connect(settings.database_url or "") as connection:
        connection.execute("UPDATE jobs SET state = 'done', outcome = 'encoded'")
    run.run(store, [str(music)])
    assert run.look_again()


Way = Callable[[Store, Settings, Path, list[str]], None]
WAYS = pytest.mark.parametrize("tell", [by_beets, by_webhook, by_watcher, by_command])


@WAYS
def test_a_folder_full_of_files_that_vanished_is_not_believed_to_be_gone(
    store: Store, settings: Settings, music: Path, tell: Way
) -> None:
    paths = add(music, *(f"album/{i:02}.flac" for i in range(20)))
    (music / "cover.jpg").touch()  # the root is there and not empty
    reconcile(store, [str(music)], str(music), REQUEST)
    shutil.rmtree(music / "album")
    tell(store, settings, music, paths)
    assert len(there(store)) == 20


@pytest.mark.parametrize("tell", [by_beets, by_webhook, by_watcher])
def test_a_file_that_vanished_is_hidden_and_forgotten_after_the_grace_time(
    store: Store, settings: Settings, music: Path, tell: Way
) -> None:
    _, gone = add(music, "stays.flac", "gone.flac")
    reconcile(store, [str(music)], str(music), REQUEST)
    Path(gone).unlink()
    tell(store, settings, music, [gone])
    assert there(store) == ["stays.flac"]
    assert len(store.files.known_paths([str(music)])) == 2
    assert store.files.forget_missing(3600.0) == 0
    assert store.files.forget_missing(0.0) == 1


def test_what_is_there_is_wanted_in_batches_and_once(
    store: Store, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 2)
    add(music, *(f"{i}.flac" for i in range(5)))
    seen: set[str] = set()
    sizes: list[int] = []
    found = reconcile(
        store,
        [str(music)],
        str(music),
        REQUEST,
        seen=seen,
        on_batch=lambda so_far: sizes.append(so_far.n_seen),
    )
    assert sizes == [2, 4, 5]
    assert len(set(found.job_ids)) == 5
    again = reconcile(store, [str(music / "0.flac")], None, REQUEST, seen=seen)
    assert (again.n_seen, again.job_ids) == (0, [])


def test_a_file_that_was_just_written_is_left_for_later(store: Store, music: Path) -> None:
    add(music, "old.flac")
    (music / "new.flac").write_bytes(b"x")
    request = Request(RECIPE, settle_s=60.0)
    found = reconcile(store, [str(music)], str(music), request)
    assert [Path(file.path).name for file in found.unsettled] == ["new.flac"]
    assert there(store) == ["old.flac"]


def test_what_lies_outside_the_hosts_folder_is_judged_by_the_nearest_folder(
    store: Store, music: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    gone, away = add(elsewhere, "a/gone.flac", "disk/away.flac")
    reconcile(store, [gone, away], str(elsewhere), REQUEST)
    shutil.rmtree(elsewhere / "a")
    Path(away).unlink()  # its folder is empty now, as the mount point of a missing disk is
    add(music, "here.flac")
    module.take(store, Changes((), (), (gone, away), str(music)), REQUEST)
    assert there(store) == ["away.flac"]


def test_nothing_is_written_about_what_can_only_not_be_looked_at(store: Store, music: Path) -> None:
    loop = music / "loop"
    known = str(loop / "a.flac")
    add(music, "loop/a.flac", "b.flac")
    reconcile(store, [str(music)], str(music), REQUEST)
    shutil.rmtree(loop)
    loop.symlink_to(loop)
    assert reconcile(store, [known], str(music), REQUEST).pruned.gone == 0
    assert sorted(there(store)) == ["a.flac", "b.flac"]


def test_whatever_a_file_system_says_is_stored_and_stops_nothing(
    store: Store, database_url: str, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times beyond 64 bits of nanoseconds, inodes that use all their bits, names of odd bytes."""
    far = 13_569_465_600 * 10**9  # in the year 2400
    odd = {
        "far.flac": (1, far, far, 2**64 - 1),
        "ancient.flac": (2**63 - 1, -far, -far, 2**63),
        "plain.flac": (0, -1, 0, 0),
    }
    names = [*odd, "odd\udcff\n\t.flac"]
    add(music, *names)
    look = os.stat

    def odd_stat(path: str | int, **options: object) -> object:
        found = look(path, **options)  # type: ignore[arg-type]
        size, mtime, ctime, inode = odd.get(Path(str(path)).name, (None, 0, 0, 0))
        if size is None:
            return found
        values = {"st_size": size, "st_mtime_ns": mtime, "st_ctime_ns": ctime, "st_ino": inode}
        return SimpleNamespace(st_mode=found.st_mode, st_dev=found.st_dev, **values)

    monkeypatch.setattr(os, "stat", odd_stat)
    assert len(reconcile(store, [str(music)], str(music), REQUEST).job_ids) == 4
    finish_all(database_url)
    again = reconcile(store, [str(music)], str(music), REQUEST)
    assert (again.job_ids, again.n_unchanged) == ([], 4)
    assert sorted(there(store)) == sorted(names)


def test_a_path_that_cannot_be_kept_is_one_failed_row(store: Store, tmp_path: Path) -> None:
    """An index of Postgres takes no more than 2,704 bytes; Linux opens paths of 4,095."""
    root = tmp_path / "music"
    folder = root
    for i in range(12):
        folder /= (hashlib.sha512(bytes([i])).hexdigest() * 2)[:240]
    add(folder, "deep.flac", "deeper.flac")
    add(root, "plain.flac")
    found = reconcile(store, [str(root)], str(root), REQUEST)
    assert len(found.job_ids) == 3
    assert sorted(failure.kind for failure in store.jobs.failures()) == ["name-too-long"] * 2
    assert str(len(os.fsencode(folder / "deep.flac"))) in store.jobs.failures()[0].reason + (
        store.jobs.failures()[1].reason
    )
    again = reconcile(store, [str(root)], str(root), REQUEST)
    assert (again.n_seen, again.n_failed_before, again.pruned.gone) == (3, 2, 0)
    (folder / "deep.flac").unlink()
    assert reconcile(store, [str(root)], str(root), REQUEST).pruned.gone == 1
    assert reconcile(store, [str(folder / "deeper.flac")], str(root), REQUEST).pruned.gone == 0
    (folder / "deeper.flac").unlink()
    assert reconcile(store, [str(folder / "deeper.flac")], str(root), REQUEST).pruned.gone == 1


def finish_all(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE jobs SET state = 'done', outcome = 'encoded'")


def test_a_change_that_keeps_size_and_time_is_noticed(
    store: Store, database_url: str, music: Path
) -> None:
    add(music, "a.flac", "b.flac")
    reconcile(store, [str(music)], str(music), REQUEST)
    finish_all(database_url)
    before = (music / "a.flac").stat()
    (music / "a.flac").write_bytes(b"A.flac")
    os.utime(music / "a.flac", ns=(before.st_atime_ns, before.st_mtime_ns))
    found = reconcile(store, [str(music)], str(music), REQUEST)
    assert (len(found.job_ids), found.n_unchanged) == (1, 1)


def test_two_files_that_swap_names_are_read_again(
    store: Store, database_url: str, music: Path
) -> None:
    """Even where renaming leaves the time of change alone, as on some file systems."""
    add(music, "1.flac", "2.flac")
    reconcile(store, [str(music)], str(music), REQUEST)
    finish_all(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE files SET ctime_ns = NULL")
    (music / "1.flac").rename(music / "t")
    (music / "2.flac").rename(music / "1.flac")
    (music / "t").rename(music / "2.flac")
    assert len(reconcile(store, [str(music)], str(music), REQUEST).job_ids) == 2


def test_what_an_older_version_noted_is_taken_on_without_work(
    store: Store, database_url: str, music: Path
) -> None:
    add(music, "a.flac")
    reconcile(store, [str(music)], str(music), REQUEST)
    finish_all(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE files SET ctime_ns = NULL, inode = NULL")
    assert reconcile(store, [str(music)], str(music), REQUEST).n_unchanged == 1
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT ctime_ns, inode FROM files").fetchone()
    found = (music / "a.flac").stat()
    assert row == (found.st_ctime_ns, found.st_ino)


def test_a_file_that_was_seen_being_written_is_read_again(
    store: Store, database_url: str, music: Path
) -> None:
    (path,) = add(music, "a.flac")
    reconcile(store, [path], str(music), REQUEST)
    finish_all(database_url)
    assert reconcile(store, {path: Notice()}, str(music), REQUEST).job_ids == []
    written = {path: Notice(was_written=True)}
    assert len(reconcile(store, written, str(music), REQUEST).job_ids) == 1


def test_what_is_left_out_by_now_is_given_up_without_a_doubt(store: Store, music: Path) -> None:
    add(music, *(f"out/{i:02}.flac" for i in range(20)), "in/a.flac")
    reconcile(store, [str(music)], str(music), REQUEST)
    assert len(there(store)) == 21
    (music / "out" / ".nomedia").touch()
    found = reconcile(store, [str(music)], str(music), REQUEST)
    assert (found.pruned.gone, found.pruned.refused) == (20, None)
    assert there(store) == ["a.flac"]
    (music / "out" / ".nomedia").unlink()
    reconcile(store, [str(music / "out")], str(music), REQUEST)
    assert len(there(store)) == 21
    ignoring = Request(RECIPE, ignore=("in/",))
    assert reconcile(store, [str(music / "in" / "a.flac")], str(music), ignoring).pruned.gone == 1


def test_a_watcher_sees_a_mark_come_and_go(store: Store, settings: Settings, music: Path) -> None:
    add(music, "a.flac", "Demos/b.flac")
    folder = WatchedFolder(store, settings, str(music))

    def until(names: list[str]) -> None:
        deadline_s = time.monotonic() + 30
        while there(store) != names:
            assert time.monotonic() < deadline_s, there(store)
            folder.tick(time.monotonic())
            time.sleep(0.05)

    try:
        until(["b.flac", "a.flac"])
        (music / "Demos" / ".ndignore").touch()
        until(["a.flac"])
        add(music, "Demos/c.flac", "#recycle/d.flac", "e.flac")
        until(["a.flac", "e.flac"])
        (music / "Demos" / ".ndignore").unlink()
        until(["b.flac", "c.flac", "a.flac", "e.flac"])
    finally:
        folder.close()
    (root,) = store.roots.all()
    assert root.passed_over == {}


_NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64 - 1]),
)


@given(
    name=st.binary(min_size=1, max_size=5000).map(lambda raw: raw.replace(b"\0", b"x")),
    numbers=st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS),
)
@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_file_is_noted_once_and_known_again(
    store: Store, name: bytes, numbers: tuple[int, int, int, int]
) -> None:
    size, mtime, ctime, inode = numbers
    found = SimpleNamespace(st_size=size, st_mtime_ns=mtime, st_ctime_ns=ctime, st_ino=inode)
    path = os.fsdecode(b"/" + name)
    seen = SeenFile.of(path, found)  # type: ignore[arg-type]
    with store.transaction() as transaction:
        assert len(store.jobs.enqueue([seen], RECIPE).job_ids) == 1
        again = store.jobs.enqueue([seen], RECIPE)
        assert (again.unchanged, len(again.job_ids)) == (0, 0 if again.failed_before else 1)
        assert list(store.files.known_paths([path])) == [stored(path)]
        raise psycopg.Rollback(transaction)


def test_beets_says_what_was_not_believed(
    settings: Settings, music: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = add(music, *(f"{{album}}/{i:02}.flac" for i in range(20)))
    spool.keep(settings.home, Changes(tuple(paths), (), (), str(music)))
    with opened(settings) as (_, store):
        assert len(there(store)) == 20
    shutil.rmtree(music / "{album}")
    (music / "cover.jpg").touch()
    spool.keep(settings.home, Changes((), (), tuple(paths), str(music)))
    with opened(settings) as (_, store):
        assert len(there(store)) == 20
    assert "20 of 20 known recordings are gone" in caplog.text
    assert "mess index --prune" in caplog.text
