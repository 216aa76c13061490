"""`python -m mess_workers.watch.supervisor`: watches the folders of the setting `watch`."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence

from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError
from mess_plugin.library.walk import watched_roots
from mess_plugin.logs import log_to_stderr
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store
from mess_plugin.store.roots import Root
from mess_workers.watch.folder import WatchedFolder
from mess_workers.watch.mount_probe import Silence
from mess_workers.watch.threads import Aside, working

log = logging.getLogger(__name__)

TICK_S = 0.2
_AGAIN_S = 1.0
_REQUESTS_S = 2.0  # reasons to walk come in groups: wait for the last


class Watching(Aside):
    """Watches one root."""

    def __init__(self, settings: Settings, root: str) -> None:
        super().__init__(f"watching {root}", settings.database_url)
        self.root = root
        self._settings = settings
        self._silence = Silence(root, self.ended)
        self._was_silent = False
        self._returned = threading.Event()

    def work(self, store: Store) -> None:
        """Watch, and walk when somebody asks for it or the root answers again."""
        self._silence.start()
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
        since = self._silence.since
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
    watching = [Watching(settings, root) for root in roots]
    looked_s = time.monotonic()
    with working(watching):
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
        log.info("nothing to watch: set `watch` in config.toml, then `mess down` and `mess up`")
        stop.wait()
        return
    with connected(settings) as ready:
        while not stop.is_set():
            try:
                with open_store(ready.database_url or "") as store:
                    store.roots.keep(roots)
                    watch_folders(store, ready, roots, stop)
            except MessError as error:
                log.warning("%s; trying again", error)
                stop.wait(_AGAIN_S)


if __name__ == "__main__":
    main()
