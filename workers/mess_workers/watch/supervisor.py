"""`python -m mess_workers.watch.supervisor`: watches the folders of the setting `watch`.

File-system work runs on its own thread for each root, so a hung mount blocks nothing else.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError, StoreError
from mess_plugin.library.pruning import is_there
from mess_plugin.library.walk import watched_roots
from mess_plugin.logs import log_to_stderr, one_line
from mess_plugin.readiness import announce_ready
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store
from mess_plugin.store.roots import Root
from mess_workers.health import keep_running
from mess_workers.watch.folder import WatchedFolder

log = logging.getLogger(__name__)

TICK_S = 0.2
_AGAIN_S = 1.0
_REQUESTS_S = 2.0  # reasons to walk come in groups: wait for the last
_LOOK_S = 1.0  # between two looks of a probe
_SILENT_S = 10.0  # a look that takes longer is not only slow
_LONGEST_WAIT_S = 30.0  # before a root that cannot be watched is tried again
_DEEPEST = 20_000  # nested calls
_END_S = 5.0  # threads that hang are not waited for any longer


class StoreThread(threading.Thread, ABC):
    """A thread with a database session of its own. One that hangs ends with the process."""

    def __init__(self, name: str, database_url: str | None) -> None:
        super().__init__(name=name, daemon=True)
        self.ended = threading.Event()
        self._database_url = database_url or ""
        self._error: Exception | None = None

    @abstractmethod
    def work(self, store: Store) -> None:
        """Do it again and again until `ended`."""

    def run(self) -> None:
        """Work; what ends it early is kept for `check`."""
        try:
            with open_store(self._database_url) as store:
                self.work(store)
        except Exception as error:  # noqa: BLE001  the boundary of the thread; `check` raises it
            self._error = error

    def check(self) -> None:
        """Raise what ended the work early."""
        if self._error is not None:
            raise self._error


@contextmanager
def running(threads: Sequence[StoreThread]) -> Iterator[None]:
    """Let them work meanwhile; those that hang are not waited for in the end."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.ended.set()
        until_s = time.monotonic() + _END_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))


class MountProbe(threading.Thread):
    """Looks at a folder again and again until `ended`, in a thread that a share may keep for ever."""

    def __init__(self, root: str, ended: threading.Event) -> None:
        super().__init__(name=f"looking at {root}", daemon=True)
        self._root = root
        self._ended = ended
        self._asked_s: float | None = None

    def run(self) -> None:
        """Look."""
        while not self._ended.wait(_LOOK_S):
            self._asked_s = time.monotonic()
            is_there(self._root)
            self._asked_s = None

    @property
    def since(self) -> datetime | None:
        """When the folder was asked what it has not answered yet; None where it answers."""
        asked_s = self._asked_s
        silent_s = 0.0 if asked_s is None else time.monotonic() - asked_s
        if silent_s < _SILENT_S:
            return None
        return datetime.now().astimezone() - timedelta(seconds=silent_s)


class RootWatch(StoreThread):
    """Watches one root."""

    def __init__(self, settings: Settings, root: str) -> None:
        super().__init__(f"watching {root}", settings.database_url)
        self.root = root
        self._settings = settings
        self._probe = MountProbe(root, self.ended)
        self._was_silent = False
        self._returned = threading.Event()

    def run(self) -> None:
        """Watch until `ended`; an error holds up no other root, and is shown by `mess status`."""
        self._probe.start()
        wait_s = _AGAIN_S
        while not self.ended.is_set():
            began_s = time.monotonic()
            try:
                with open_store(self._database_url) as store:
                    self.work(store)
            except Exception as error:  # noqa: BLE001  the boundary of the thread
                if time.monotonic() - began_s > _LONGEST_WAIT_S:
                    wait_s = _AGAIN_S  # it went well for a while
                self._note_failure(error)
                self.ended.wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _note_failure(self, error: Exception) -> None:
        if isinstance(error, MessError):
            detail = str(error)
            log.warning("%s: %s; trying again", self.root, detail)
        else:
            detail = f"unexpected {type(error).__name__}: {error}"
            log.error("%s: it cannot be watched; trying again", self.root, exc_info=error)
        with suppress(StoreError), open_store(self._database_url) as store:
            store.roots.save(Root(self.root, "failing", detail))

    def work(self, store: Store) -> None:
        """Watch, and walk when somebody asks for it or the root answers again."""
        store.roots.hold(self.root)
        folder = WatchedFolder(store, self._settings, self.root)
        asked_s = time.monotonic()
        try:
            while not self.ended.is_set():
                folder.tick(time.monotonic())
                if self._returned.is_set():
                    self._returned.clear()
                    folder.want_walk()
                if time.monotonic() - asked_s >= _AGAIN_S:
                    asked_s = time.monotonic()
                    if self.root in store.roots.wanted_walks(_REQUESTS_S):
                        folder.want_walk()
                self.ended.wait(TICK_S)
        finally:
            folder.close()

    def note_silence(self, store: Store) -> None:
        """Tell the ledger where the root does not answer. To be called from another thread."""
        since = self._probe.since
        if since is not None:
            detail = f"it does not answer since {since:%Y-%m-%d %H:%M}"
            store.roots.save(Root(self.root, "absent", detail))
            if not self._was_silent:
                log.warning("%s: %s; other folders are watched meanwhile", self.root, detail)
        elif self._was_silent:
            log.info("%s answers again", self.root)
            self._returned.set()
        self._was_silent = since is not None


def watch_folders(
    store: Store,
    settings: Settings,
    roots: Sequence[str],
    stop: threading.Event,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Watch until told to stop. meanwhile is called a few times a second.

    settings: with the database's URL, because each root is watched in a session of its own.
    """
    # watchdog goes through folders by recursion, and a path may be 2,000 folders deep.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEPEST))
    watching = [RootWatch(settings, root) for root in roots]
    looked_s = time.monotonic()
    with running(watching):
        announce_ready(", ".join(map(one_line, roots)))
        while not stop.is_set():
            for one in watching:
                one.check()
            if time.monotonic() - looked_s >= _AGAIN_S:
                looked_s = time.monotonic()
                for one in watching:
                    one.note_silence(store)
            meanwhile()
            stop.wait(TICK_S)


def main() -> None:
    """Watch until told to stop; where the database is away, wait for it and walk again."""
    settings = load_settings()
    log_to_stderr(settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    roots = watched_roots(settings.watch)
    if not roots:
        log.info("nothing to watch: `mess watch --add FOLDER`")
        announce_ready("no folder to watch")
        stop.wait()
        return
    with connected(settings) as ready:

        def run() -> None:
            with open_store(ready.database_url or "") as store:
                store.roots.keep(roots)
                watch_folders(store, ready, roots, stop)

        keep_running("watcher", ready, stop, run)


if __name__ == "__main__":
    main()
