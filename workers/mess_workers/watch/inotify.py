"""watchdog's inotify observer, with what it does not offer by itself. Linux only."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

from watchdog.events import FileSystemEvent
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyFD,
    Mask,
    WatchCallback,
)
from watchdog.utils import BaseThread


class Inotify(InotifyObserver):
    """An observer that reports overflows and dead threads, and can look at its watches again."""

    def observe(
        self, root: str, changes: WatchCallback, kinds: list[type[FileSystemEvent]]
    ) -> None:
        """Start to watch a folder and everything below it. Raises OSError.

        changes: hears of the events, as watchdog's handlers do, and when the kernel's queue overflows.
        """
        self.schedule(changes, root, recursive=True, event_filter=kinds)  # type: ignore[arg-type]
        self.start()
        # Each observer has a queue of its own: only its own watches hear of its overflow.
        mask = Mask(InotifyConstants.IN_MASK_ADD | InotifyConstants.IN_DELETE_SELF)
        self.kernel.add_callback(os.fsencode(root), mask, changes, CallbackId(id(changes)))

    @property
    def kernel(self) -> InotifyFD:
        """The thread that reads the kernel's queue."""
        return self._inotify_fd

    @property
    def threads(self) -> list[BaseThread]:
        """All of its threads: where one has ended, nothing is heard any more."""
        return [self, self.kernel, *self.emitters]

    def watch_again(self, folders: Iterable[str]) -> None:
        """Watch these folders, and all below them, as they are now.

        watchdog watches the path that an event was about. Where the folder had another name by
        then, and something else had its old one, the wrong folder is watched from then on.
        """
        there = [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112  odd bytes
        for emitter in self.emitters:
            group = emitter._inotify if isinstance(emitter, InotifyEmitter) else None
            if group is None:
                continue
            with group._lock, warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # "watched already": that is fine
                for folder in there:
                    group._add_all_callbacks(os.fsencode(folder))
