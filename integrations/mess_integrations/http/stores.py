"""Database connections that requests share, one after another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from mess_plugin.errors import StoreError
from mess_plugin.store import Store, open_store

_MOST_IDLE = 8


class Stores:
    """Opens a store where none is idle; one that failed is closed and never used again."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._idle: list[tuple[AbstractContextManager[Store], Store]] = []

    @contextmanager
    def use(self) -> Iterator[Store]:
        """A store for one request. Database errors become StoreError, as with `open_store`."""
        door, store = self._take()
        try:
            yield store
        except BaseException:
            if not door.__exit__(*sys.exc_info()):
                raise
        else:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append((door, store))
            else:
                door.__exit__(None, None, None)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop()[0].__exit__(None, None, None)

    def _take(self) -> tuple[AbstractContextManager[Store], Store]:
        while True:
            try:
                door, store = self._idle.pop()
            except IndexError:
                door = open_store(self._url)
                return door, door.__enter__()
            if _is_alive(door, store):
                return door, store


def _is_alive(door: AbstractContextManager[Store], store: Store) -> bool:
    """Whether the server still answers on this connection; closed where it does not."""
    try:
        try:
            store.server_versions()
        except BaseException:
            door.__exit__(*sys.exc_info())
            raise
    except StoreError:
        return False
    return True
