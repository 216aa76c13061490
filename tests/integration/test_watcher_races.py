"""What comes between an event and its answer: the ledger is soon in step again, without a walk."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from watchdog.observers.inotify_c import InotifyFD

from mess_plugin.config import Settings
from mess_plugin.model import Tags
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile
from mess_workers.watch import rechecks
from mess_workers.watch.folder import WatchedFolder
from mess_workers.watch.observer import observe
from tests.event_tools import settings_for


@dataclass(slots=True)
class Watched:
    """A folder under watch that was walked once; from then on only events count."""

    music: Path
    store: Store
    folder: WatchedFolder

    def names(self) -> list[str]:
        known = self.store.files.known_paths([str(self.music)], with_missing=False)
        return sorted(os.path.relpath(path, self.music) for path in known)

    def make(self, *names: str) -> None:
        for name in names:
            (self.music / name).parent.mkdir(exist_ok=True)
            (self.music / name).write_bytes(name.encode())

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline_s, self.names()
            self.folder.tick(time.monotonic())
            time.sleep(0.03)

    def until_known(self, *names: str) -> None:
        self.until(lambda: self.names() == sorted(names))


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    changes = {"watch_by": "inotify", "settle_s": 0.2}
    return settings_for(tmp_path / "home", database_url, valkey_url, **changes)


@pytest.fixture
def watched(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    monkeypatch.setattr(rechecks, "_QUIET_S", 0.5)
    monkeypatch.setattr(rechecks, "_ASK_AGAIN_S", 0.2)
    music = tmp_path / "music"
    music.mkdir()
    with open_store(settings.database_url or "") as store:
        folder = WatchedFolder(store, settings, str(music))
        folder.tick(time.monotonic())
        monkeypatch.setattr(folder, "walk", lambda: pytest.fail("a walk would hide the loss"))
        yield Watched(music, store, folder)
        folder.close()


def test_deletions_before_their_folder_is_renamed(watched: Watched) -> None:
    watched.make("old/stays.flac", "old/long.flac", "old/just.flac")
    watched.until_known("old/stays.flac", "old/long.flac", "old/just.flac")
    (watched.music / "old" / "long.flac").unlink()
    watched.until_known("old/stays.flac", "old/just.flac")
    (watched.music / "old" / "just.flac").unlink()
    (watched.music / "old").rename(watched.music / "new")
    watched.until_known("new/stays.flac")


def test_another_process_writes_about_a_file_after_its_deletion(watched: Watched) -> None:
    watched.make("one.flac", "two.flac")
    watched.until_known("one.flac", "two.flac")
    path = str(watched.music / "one.flac")
    files, jobs = watched.store.files, watched.store.jobs
    file_id, stat = files.known_paths([path])[path], (watched.music / "one.flac").stat()
    track_id = watched.store.library.save("audio of one", 6.0, None)
    (watched.music / "one.flac").unlink()
    watched.until_known("two.flac")
    files.locate(file_id, path, track_id, Tags())  # a worker that began before
    assert watched.names() == ["two.flac"]
    jobs.enqueue(
        [SeenFile(path, stat.st_size, stat.st_mtime_ns)], "any"
    )  # a walk that passed by before
    assert watched.names() == ["one.flac", "two.flac"]
    watched.until_known("two.flac")


def test_files_of_equal_size_and_time_that_swap_names_are_read_again(
    watched: Watched, settings: Settings
) -> None:
    watched.make("1.flac", "2.flac")
    for name in ("1.flac", "2.flac"):
        os.utime(watched.music / name, (1, 1))
    watched.until_known("1.flac", "2.flac")
    ids = watched.store.files.known_paths([str(watched.music)])
    with psycopg.connect(settings.database_url or "") as admin:
        admin.execute("UPDATE jobs SET state = 'done', outcome = 'encoded', finished_at = now()")
    for old, new in (("1.flac", "t.flac"), ("2.flac", "1.flac"), ("t.flac", "2.flac")):
        (watched.music / old).rename(watched.music / new)
    watched.until(
        lambda: [states.get("wanted") for states in watched.store.jobs.count_jobs().values()] == [2]
    )
    swapped = watched.store.files.known_paths([str(watched.music)])
    assert list(swapped.values()) == list(reversed(ids.values())), "each row followed its file"


def test_too_many_deletions_are_believed_when_enough_new_files_came(watched: Watched) -> None:
    old = [f"{i:02}.flac" for i in range(24)]
    watched.make(*old)
    watched.until_known(*old)
    for name in old[:16]:
        (watched.music / name).unlink()
    watched.until(lambda: watched.store.roots.all()[0].state == "refused")
    new = [f"new/{i:02}.flac" for i in range(16)]
    watched.make(*new)
    watched.until_known(*old[16:], *new)
    assert watched.store.roots.all()[0].state == "watched"


@pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")
def test_a_folder_that_has_another_name_before_its_event_is_read(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a second look, watchdog goes on watching the new `A` as `B`, and never the first."""
    reading = threading.Event()
    handle = InotifyFD.handle_event

    def late(self: InotifyFD, event: object) -> None:
        reading.wait(10)
        handle(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(InotifyFD, "handle_event", late)
    (watched.music / "A").mkdir()
    time.sleep(0.1)  # the thread holds the first event now
    (watched.music / "A").rename(watched.music / "B")
    (watched.music / "A").mkdir()
    reading.set()
    watched.until(lambda: watched.folder._dirty.folders)
    watched.until(lambda: not watched.folder._dirty.folders)
    watched.make("A/one.flac", "B/two.flac")
    watched.until_known("A/one.flac", "B/two.flac")


def test_an_observer_that_died_is_replaced(
    settings: Settings, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[str] = []
    monkeypatch.setattr(watched.folder, "walk", lambda: walks.append("walked"))
    monkeypatch.setattr(InotifyFD, "handle_event", lambda *_: 1 / 0)
    first = watched.folder._observer
    assert first is not None
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    watched.make("unheard.flac")
    watched.until(lambda: not first.is_alive)
    monkeypatch.undo()
    watched.until_known("unheard.flac")


def test_the_kernels_queue_overflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip("this system's queue of events is too long to fill")
    reading = threading.Event()
    handle = InotifyFD.handle_event

    def late(self: InotifyFD, event: object) -> None:
        reading.wait(60)
        if getattr(event, "is_queue_overflow", False):
            handle(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(InotifyFD, "handle_event", late)
    files = [tmp_path / "a.flac", tmp_path / "b.flac"]
    observing = observe(str(tmp_path), "inotify", 1.0)
    try:
        for i in range(limit + 5000):  # some are read already
            files[i % 2].touch()  # the same event twice in a row would count once
        assert not observing.changes.lost.is_set()
        reading.set()
        assert observing.changes.lost.wait(30)
    finally:
        reading.set()
        observing.close()
