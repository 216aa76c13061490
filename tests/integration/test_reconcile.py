"""What is at these paths now: one rule and one set of guards for everybody who asks."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from mess_plugin.config import Settings
from mess_plugin.library import reconcile as module
from mess_plugin.library import spool
from mess_plugin.library.reconcile import Request, drain, reconcile
from mess_plugin.library.spool import Changes
from mess_plugin.store import Store, open_store
from mess_workers.broker import JobQueue
from mess_workers.file_events import answer_events
from mess_workers.index_run import IndexRun
from mess_workers.watch.folder import WatchedFolder
from tests.event_tools import settings_for

RECIPE = "descriptors||5/2.5"
REQUEST = Request(RECIPE)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str, music: Path) -> Settings:
    return settings_for(
        tmp_path / "home", database_url, valkey_url, watch=(str(music),), settle_s=0.2
    )


def add(music: Path, *names: str) -> list[str]:
    for name in names:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_bytes(name.encode())
        os.utime(music / name, (1, 1))
    return [str(music / name) for name in names]


def there(store: Store) -> list[str]:
    return [Path(path).name for path in store.files.known_paths(["/"], with_missed=False)]


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
    run = IndexRun(store, JobQueue(settings), lambda: None, REQUEST)
    with psycopg.connect(settings.database_url or "") as connection:
        connection.execute("UPDATE jobs SET state = 'done', outcome = 'encoded'")
    run.run([str(music)])
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
