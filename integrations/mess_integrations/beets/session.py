"""A running MESS with its library open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mess_plugin.config import Settings
from mess_plugin.library import reconcile
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import settled
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Settings, Store]]:
    """The settings as they hold while connected, and the store; starts the embedded one if need be.

    Changes that waited for MESS are taken into the ledger first; whoever dispatches sends the work.
    Raises MessError or OSError.
    """
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        asked = settled(store, ready)
        reconcile.drain(settings.home, store, str(Recipe.of(asked)))
        yield asked, store
