"""`python -m mess_workers.watching`: watches the folders of the setting `watch` for `mess up`."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence

from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store
from mess_plugin.walk import watched_roots
from mess_workers.logs import log_to_stderr
from mess_workers.watcher import WatchedFolder

log = logging.getLogger(__name__)

TICK_S = 0.2
_AGAIN_S = 1.0
_REQUESTS_S = 2.0  # reasons to walk come in groups: wait for the last


def watch_folders(
    store: Store,
    settings: Settings,
    roots: Sequence[str],
    stop: threading.Event,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Watch until told to stop. meanwhile is called a few times a second."""
    folders = [WatchedFolder(store, settings, root) for root in roots]
    asked_s = time.monotonic()
    try:
        while not stop.is_set():
            for folder in folders:
                folder.tick(time.monotonic())
            if time.monotonic() - asked_s >= _AGAIN_S:
                asked_s = time.monotonic()
                wanted = set(store.roots.wanted_walks(_REQUESTS_S))
                for folder in folders:
                    if folder.root in wanted:
                        folder.want_walk()
            meanwhile()
            stop.wait(TICK_S)
    finally:
        for folder in folders:
            folder.close()


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
