"""Folders side by side, one of which stops answering: nothing but work on that one waits.

A server that hangs is played by calls that wait: every look at the share is held up in the process,
as the kernel would hold it up. No file system that hangs can be mounted where tests run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from mess_plugin.config import Settings
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.roots import Root
from mess_workers.dispatcher import dispatch
from mess_workers.watch import supervisor
from mess_workers.watch.supervisor import watch_folders
from tests.event_tools import settings_for


class Share:
    """A folder whose server can hang: then looks at it wait, at files and at lists of files."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        self.answers = threading.Event()
        self.answers.set()
        self.is_asked = threading.Event()  # while it does not answer
        for name in ("stat", "lstat", "scandir", "access"):
            monkeypatch.setattr(os, name, self._held_up(getattr(os, name)))

    def _held_up(self, call: Callable[..., object]) -> Callable[..., object]:
        def held_up(path: object = ".", *rest: object, **more: object) -> object:
            if isinstance(path, str) and path.startswith(str(self.folder)):
                if not self.answers.is_set():
                    self.is_asked.set()
                assert self.answers.wait(60)
            return call(path, *rest, **more)

        return held_up


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Share]:
    monkeypatch.setattr(supervisor, "_SILENT_S", 0.5)
    made = Share(tmp_path / "share", monkeypatch)
    yield made
    made.answers.set()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    return settings_for(
        tmp_path / "home", database_url, valkey_url, watch_by="polling", poll_s=0.2, settle_s=0.3
    )


@pytest.fixture
def store(
    settings: Settings, share: Share, disk: Path, eventually: Callable[..., None]
) -> Iterator[Store]:
    """The ledger, while both folders are watched and have been walked."""
    stop = threading.Event()
    with (
        open_store(settings.database_url or "") as watchers,
        open_store(settings.database_url or "") as asking,
    ):
        watch = threading.Thread(
            target=watch_folders,
            args=(watchers, settings, [str(disk), str(share.folder)], stop),
        )
        watch.start()
        eventually(
            lambda: [root.walked_at is not None for root in asking.roots.all()] == [True] * 2
        )
        yield asking
        stop.set()
        watch.join(30)
    assert not watch.is_alive()


def add(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"music")


def names(store: Store, folder: Path) -> list[str]:
    return [Path(path).name for path in store.files.known_paths([str(folder)])]


def state_of(store: Store, folder: Path) -> Root:
    return next(root for root in store.roots.all() if root.path == str(folder))


def test_a_share_that_hangs_holds_up_no_other_folder(
    store: Store, share: Share, disk: Path, eventually: Callable[..., None]
) -> None:
    add(share.folder, "before.flac")
    eventually(lambda: names(store, share.folder) == ["before.flac"])
    share.answers.clear()
    add(disk, "meanwhile.flac")
    eventually(lambda: "does not answer since" in state_of(store, share.folder).detail)
    assert state_of(store, share.folder).state == "absent"
    eventually(lambda: names(store, disk) == ["meanwhile.flac"])
    assert names(store, share.folder) == ["before.flac"]  # nothing is given up
    assert state_of(store, disk).state == "watched"
    assert state_of(store, disk).is_watched

    add(share.folder, "later.flac")
    share.answers.set()
    eventually(lambda: set(names(store, share.folder)) == {"before.flac", "later.flac"})
    eventually(lambda: state_of(store, share.folder).state == "watched")
    assert state_of(store, share.folder).detail == ""


def test_watching_ends_while_a_share_hangs(
    settings: Settings,
    share: Share,
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[..., None],
) -> None:
    monkeypatch.setattr("mess_workers.watch.supervisor._END_S", 0.5)
    share.answers.clear()
    stop = threading.Event()
    with open_store(settings.database_url or "") as store:
        watch = threading.Thread(
            target=watch_folders, args=(store, settings, [str(disk), str(share.folder)], stop)
        )
        watch.start()
        eventually(lambda: [root.is_watched for root in store.roots.all()] == [True])
        stop.set()
        watch.join(10)
        assert not watch.is_alive()
        eventually(lambda: not state_of(store, disk).is_watched)


def test_a_message_about_a_share_that_hangs_holds_up_no_work(
    settings: Settings, share: Share, eventually: Callable[..., None]
) -> None:
    settings = msgspec.structs.replace(settings, watch=(str(share.folder),))
    share.answers.clear()
    stop = threading.Event()
    with open_store(settings.database_url or "") as store:
        path = os.fsencode(share.folder / "new.flac").hex()
        store.inbox.receive("files", "changed", {"path": path})
        dispatching = threading.Thread(target=dispatch, args=(settings, stop))
        dispatching.start()
        eventually(share.is_asked.is_set)
        store.jobs.enqueue([SeenFile("/music/new.flac", 1, 1)], str(Recipe.of(settings)))
        eventually(store.dispatch.sent)
        share.answers.set()
        stop.set()
        dispatching.join(20)
        assert not dispatching.is_alive()
