"""A running MESS with its library open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mess_plugin import embedded, intake, spool
from mess_plugin.config import Settings
from mess_plugin.queueing import open_queue
from mess_plugin.recipe import Recipe
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Settings, Store]]:
    """The settings as they hold while connected, and the store; starts the embedded one if need be.

    Changes that waited for MESS are taken into the ledger first, and the work is asked for. Without
    a broker that is up it stays wanted in the ledger. Raises MessError or OSError.
    """
    waiting = bool(spool.waiting(settings.home))
    broker = waiting and (settings.broker_url is not None or _keeps_a_broker(settings))
    with (
        connected(settings, broker=broker) as ready,
        open_store(ready.database_url or "") as store,
    ):
        if waiting:
            send = open_queue(ready).send if broker else None
            intake.drain(settings.home, store, str(Recipe.of(settings)), send)
        yield ready, store


def _keeps_a_broker(settings: Settings) -> bool:
    running = embedded.state(settings.home)
    return running is not None and running.broker_url is not None
