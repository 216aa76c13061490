"""File-system events below a folder, by inotify or polling."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from mess_plugin.library.mounts import file_system, tells_of_changes

# Opening and closing without a change is left out, or our own reading would wake us.
_KINDS: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileAttribEvent, FileClosedEvent,
    FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent,
]  # fmt: skip
_MOST_WAITING = 100_000  # events; beyond this a walk is cheaper
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


class FolderEvent(msgspec.Struct, frozen=True):
    """One event below a watched folder."""

    kind: str
    """"touched", "gone" or "moved"."""
    path: str
    to: str = ""
    """The new path of "moved"."""
    is_folder: bool = False
    is_write: bool = False
    """The content of a file may have changed."""


class EventQueue(FileSystemEventHandler):
    """Events below a folder, in order; `lost` is set when some may be missing."""

    def __init__(self) -> None:
        self.lost = threading.Event()
        self._waiting: deque[FolderEvent] = deque()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog from its thread."""
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.clear()
            self.lost.set()
        change = _change(event)
        if change is not None:
            self._waiting.append(change)

    def drain(self) -> list[FolderEvent]:
        """Everything since the last call, oldest first, without repetitions in a row."""
        found: list[FolderEvent] = []
        while self._waiting:
            change = self._waiting.popleft()
            if not found or found[-1] != change:
                found.append(change)
        return found

    # The part of watchdog's inotify interface that reports an overflow of the kernel's queue.
    def on_event(self, event: object) -> None:
        """Nothing: the events themselves come through `on_any_event`."""

    def on_watch_deleted(self, wd: object) -> None:
        """Nothing: the watcher looks at its roots by itself."""

    def on_queue_overflow(self) -> None:
        """The kernel dropped events."""
        self.lost.set()


@dataclass(slots=True)
class RunningObserver:
    """A running observer of one folder."""

    changes: EventQueue
    how: str
    """"inotify" or "polling"."""
    problem: str
    """Why it is not inotify, "" where it is."""
    _observer: BaseObserver
    _threads: Callable[[], Sequence[threading.Thread]]
    _watch_again: Callable[[Iterable[str]], None]

    @property
    def is_alive(self) -> bool:
        """Whether all of its threads run."""
        return all(thread.is_alive() for thread in self._threads())

    def watch_again(self, folders: Iterable[str]) -> None:
        """Watch these folders, and all below them, under their current names."""
        self._watch_again(folders)

    def close(self) -> None:
        """Stop observing."""
        self._observer.stop()
        self._observer.join(timeout=5.0)


def observe(root: str, by: str, poll_s: float) -> RunningObserver:
    """Observe a folder and everything below it.

    by: "inotify", "polling", or "auto": inotify, except where the file system does not tell of
    changes or the kernel's limit of watches is too low. Raises OSError where the root is not there.
    """
    problem = ""
    kind = file_system(os.path.realpath(root))
    if by == "inotify" or (by == "auto" and tells_of_changes(kind)):
        problem = watch_limit_problem(root)
        if not problem:
            try:
                return _by_inotify(root)
            except ImportError:
                problem = "this system has no inotify"
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EMFILE):
                    raise
                problem = f"inotify refused ({error.strerror}): {_advice(_count_folders(root))}"
    elif by == "auto":
        problem = f"{kind} does not tell of changes"
    return _by_polling(root, poll_s, problem)


def watch_limit_problem(root: str, limit: int | None = None) -> str:
    """Why the kernel's limit of watches is too low for a folder, "" where it is not."""
    if limit is None:
        try:
            limit = int(_LIMIT.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return ""
    n_folders = _count_folders(root)
    if n_folders < limit:
        return ""
    return f"{n_folders} folders, but inotify may watch only {limit}: {_advice(n_folders)}"


def _advice(n_folders: int) -> str:
    enough = max(524_288, 2 * n_folders)
    return f"raise it with `sudo sysctl fs.inotify.max_user_watches={enough}`; polling meanwhile"


def _count_folders(root: str) -> int:
    n_folders, waiting = 0, [root]
    while waiting:
        n_folders += 1
        try:
            with os.scandir(waiting.pop()) as entries:
                waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # it vanished, or may not be read: then it is not watched either
    return n_folders


def _by_polling(root: str, poll_s: float, problem: str) -> RunningObserver:
    changes = EventQueue()
    observer = PollingObserver(timeout=poll_s)
    observer.schedule(changes, root, recursive=True)
    observer.start()
    return RunningObserver(
        changes, "polling", problem, observer,
        lambda: [observer, *observer.emitters], lambda _folders: None,
    )  # fmt: skip


def _by_inotify(root: str) -> RunningObserver:
    from mess_workers.watch.inotify import Inotify  # noqa: PLC0415  Linux only

    changes = EventQueue()
    observer = Inotify()
    observer.observe(root, changes, _KINDS)
    return RunningObserver(
        changes, "inotify", "", observer, lambda: observer.threads, observer.watch_again
    )


def _change(event: FileSystemEvent) -> FolderEvent | None:
    path, to = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
    match event.event_type:
        case "moved":
            # Files in a folder that moved are moved with it.
            return (
                None if event.is_synthetic else FolderEvent("moved", path, to, event.is_directory)
            )
        case "deleted":
            return FolderEvent("gone", path, is_folder=event.is_directory)
        case "modified" | "attrib" if event.is_directory:
            return None
        case kind:
            is_write = kind in {"modified", "closed"} and not event.is_directory
            return FolderEvent("touched", path, "", event.is_directory, is_write)
