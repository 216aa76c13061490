"""The watcher against a real folder, the real inotify and a real database."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from mess_plugin.config import Settings
from mess_plugin.library.pruning import forget_vanished
from mess_plugin.library.reconcile import Reconciled, Request, reconcile
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store
from mess_workers.watch.folder import WatchedFolder
from mess_workers.watch.observer import EventQueue, watch_limit_problem
from tests.event_tools import settings_for

Run = Callable[[Callable[[], object]], None]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture(params=["inotify", "polling"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str, valkey_url: str
) -> Settings:
    return settings_for(
        tmp_path / "home",
        database_url,
        valkey_url,
        watch_by=request.param,
        poll_s=0.2,
        settle_s=0.3,
    )


@pytest.fixture
def folder(store: Store, settings: Settings, music: Path) -> Iterator[WatchedFolder]:
    watched = WatchedFolder(store, settings, str(music))
    watched.tick(time.monotonic())
    yield watched
    watched.close()


@pytest.fixture
def until(folder: WatchedFolder) -> Run:
    def run(condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline_s, "not within 20 s"
            folder.tick(time.monotonic())
            time.sleep(0.05)

    return run


def names(store: Store, music: Path, *, with_missing: bool = False) -> list[str]:
    known = store.files.known_paths([str(music)], with_missing=with_missing)
    return sorted(os.path.relpath(path, music) for path in known)


def jobs(store: Store, settings: Settings) -> dict[str, int]:
    return store.jobs.count_jobs().get(str(Recipe.of(settings)), {})


def finish_all(settings: Settings) -> None:
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute("UPDATE jobs SET state = 'done', outcome = 'encoded', finished_at = now()")


def mark(until: Run, store: Store, music: Path) -> None:
    """Wait until everything before this moment was seen: events come in order."""
    (music / "mark.flac").write_bytes(b"mark")
    until(lambda: "mark.flac" in names(store, music))


def test_what_was_there_before_and_what_comes_later(
    store: Store, settings: Settings, music: Path, tmp_path: Path
) -> None:
    (music / "before.flac").write_bytes(b"a")
    watched = WatchedFolder(store, settings, str(music))
    try:
        deadline_s = time.monotonic() + 20
        (music / "after").mkdir()
        (music / "after" / "later.mp3").write_bytes(b"b")
        while names(store, music) != ["after/later.mp3", "before.flac"]:
            assert time.monotonic() < deadline_s
            watched.tick(time.monotonic())
            time.sleep(0.05)
    finally:
        watched.close()
    assert jobs(store, settings) == {"wanted": 2}


def test_hidden_temporary_and_other_files_are_ignored(
    folder: WatchedFolder, until: Run, store: Store, music: Path
) -> None:
    for name in (".hidden.flac", "cover.jpg", "song.flac.part", "song.flac.crdownload", "notes"):
        (music / name).write_bytes(b"x")
    (music / ".folder").mkdir()
    (music / ".folder" / "in.flac").write_bytes(b"x")
    os.mkfifo(music / "pipe.flac")
    mark(until, store, music)
    assert names(store, music) == ["mark.flac"]


def test_many_events_of_a_growing_file_are_one_piece_of_work(
    folder: WatchedFolder, until: Run, store: Store, settings: Settings, music: Path
) -> None:
    with (music / "growing.flac").open("wb", buffering=0) as file:
        for i in range(20):
            file.write(b"x" * 100)
            folder.tick(time.monotonic())
            time.sleep(0.05)
            assert names(store, music) == [], f"read after {i} writes"
        time.sleep(0.5)
        folder.tick(time.monotonic())
        assert names(store, music) == [], "read while somebody has it open for writing"
    until(lambda: names(store, music) == ["growing.flac"])
    assert jobs(store, settings) == {"wanted": 1}
    with psycopg.connect(settings.database_url or "") as admin:
        assert admin.execute("SELECT size_bytes FROM files").fetchall() == [(2000,)]


def test_a_download_that_is_renamed_when_complete(
    folder: WatchedFolder, until: Run, store: Store, music: Path
) -> None:
    (music / ".song.flac.tmp").write_bytes(b"x")
    (music / ".song.flac.tmp").rename(music / "song.flac")
    until(lambda: names(store, music) == ["song.flac"])


def test_renaming_a_folder_of_files_costs_no_work(
    folder: WatchedFolder, until: Run, store: Store, settings: Settings, music: Path
) -> None:
    (music / "old" / "cd1").mkdir(parents=True)
    for i in range(5):
        (music / "old" / "cd1" / f"{i}.flac").write_bytes(bytes([i]) * 50)
    until(lambda: len(names(store, music)) == 5)
    finish_all(settings)
    before = store.files.known_paths([str(music)])
    (music / "old").rename(music / "new")
    until(lambda: names(store, music) == [f"new/cd1/{i}.flac" for i in range(5)])
    mark(until, store, music)
    known = store.files.known_paths([str(music)])
    if settings.watch_by == "inotify":
        assert jobs(store, settings) == {"done": 5, "wanted": 1}
        assert set(before.values()) < set(known.values())


def test_deleted_files_are_hidden_and_come_back(
    folder: WatchedFolder, until: Run, store: Store, settings: Settings, music: Path
) -> None:
    for i in range(3):
        (music / f"{i}.flac").write_bytes(bytes([i]))
    until(lambda: len(names(store, music)) == 3)
    finish_all(settings)
    away = music.parent / "away.flac"
    shutil.move(music / "1.flac", away)
    until(lambda: names(store, music) == ["0.flac", "2.flac"])
    assert names(store, music, with_missing=True) == ["0.flac", "1.flac", "2.flac"]
    shutil.move(away, music / "1.flac")
    until(lambda: len(names(store, music)) == 3)
    # Its time of change is another one: it is read again, as known sound is, without being encoded.
    until(lambda: jobs(store, settings) == {"done": 2, "wanted": 1})


def test_a_root_that_vanishes_and_returns(
    folder: WatchedFolder, until: Run, store: Store, music: Path
) -> None:
    for i in range(30):
        (music / f"{i:02}.flac").write_bytes(bytes([i]))
    until(lambda: len(names(store, music)) == 30)
    away = music.with_name("away")
    music.rename(away)
    until(lambda: store.roots.all()[0].state == "absent")
    assert len(names(store, music)) == 30
    assert store.files.forget_missing(0.0) == 0
    music.mkdir()  # the empty mount point of a disk that is not there
    until(lambda: store.roots.all()[0].state == "refused")
    assert "not mounted" in store.roots.all()[0].detail
    assert len(names(store, music)) == 30
    music.rmdir()
    (away / "new.flac").write_bytes(b"new")
    away.rename(music)
    until(lambda: store.roots.all()[0].state == "watched")
    until(lambda: len(names(store, music)) == 31)


def test_too_many_deletions_wait_for_a_person(
    folder: WatchedFolder, until: Run, store: Store, settings: Settings, music: Path
) -> None:
    for i in range(40):
        (music / f"{i:02}.flac").write_bytes(bytes([i]))
    until(lambda: len(names(store, music)) == 40)
    for i in range(35):
        (music / f"{i:02}.flac").unlink()
        if i % 5 == 0:
            folder.tick(time.monotonic())
    until(lambda: store.roots.all()[0].state == "refused")
    assert len(names(store, music)) >= 20
    request = Request(str(Recipe.of(settings)))
    assert reconcile(store, [str(music)], str(music), request).pruned.refused is not None
    assert forget_vanished(store, str(music)) == 35
    assert len(names(store, music, with_missing=True)) == 5
    folder.want_walk()
    until(lambda: store.roots.all()[0].state == "watched")


def test_lost_events_are_made_up_for_by_a_walk(
    folder: WatchedFolder, until: Run, store: Store, music: Path
) -> None:
    observing = folder._observer
    assert observing is not None
    (music / "unheard.flac").write_bytes(b"x")
    time.sleep(0.6)
    observing.changes.drain()
    observing.changes.lost.set()
    until(lambda: names(store, music) == ["unheard.flac"])


def test_a_walk_meets_what_was_asked_before_it_not_during_it(
    folder: WatchedFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.roots.request_walks()
    folder.walk()
    assert store.roots.wanted_walks(-1.0) == []

    def asked_meanwhile(*_: object, **__: object) -> Reconciled:
        store.roots.request_walks()
        return Reconciled()

    monkeypatch.setattr("mess_workers.watch.folder.reconcile", asked_meanwhile)
    folder.walk()
    assert store.roots.wanted_walks(-1.0) == [folder.root]


def test_a_root_that_vanishes_for_a_moment_while_it_is_walked_is_walked_again(
    folder: WatchedFolder, store: Store, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (music / "new.flac").write_bytes(b"x")
    os.utime(music / "new.flac", (1, 1))
    looks = iter([False])
    monkeypatch.setattr("mess_workers.watch.folder.is_there", lambda _root: next(looks, True))
    folder.walk()
    before = store.roots.all()[0].walked_at
    folder.tick(time.monotonic())
    assert store.roots.all()[0].walked_at != before


def test_too_many_events_are_given_up_for_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.events import FileModifiedEvent

    monkeypatch.setattr("mess_workers.watch.observer._MOST_WAITING", 10)
    changes = EventQueue()
    for i in range(25):
        changes.on_any_event(FileModifiedEvent(f"/m/{i}.flac"))
    assert changes.lost.is_set()
    assert len(changes.drain()) <= 10


def test_a_watch_limit_that_is_too_low_names_the_remedy(music: Path) -> None:
    for i in range(5):
        (music / str(i)).mkdir()
    problem = watch_limit_problem(str(music), 3)
    assert "sudo sysctl fs.inotify.max_user_watches=" in problem
    assert "6 folders" in problem
    assert watch_limit_problem(str(music), 100) == ""
