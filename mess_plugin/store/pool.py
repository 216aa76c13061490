"""Connections that the threads of a server share: at most so many, checked before each use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from mess_plugin.errors import MessError, StoreError
from mess_plugin.store.connecting import connection_arguments, prepare, translated
from mess_plugin.store.statements import statement
from mess_plugin.store.store import Store

STATEMENT_S = 60.0
_MOST_IDLE_S = 300.0
_SLICE_S = 0.25  # a database that refuses is noticed within this time, not after the whole wait
_CLOSE_S = 2.0


class StorePool:
    """Stores for short use by any thread.

    database_url: as `open_store` takes it. most: how many connections may be open at once. wait_s: how
    long a caller waits for one. statement_s: how long one statement may run, so that no question keeps
    a connection, and the server busy, for ever. Raises UsageError where the URL cannot be read.
    """

    def __init__(
        self,
        database_url: str,
        *,
        most: int,
        wait_s: float = 5.0,
        statement_s: float = STATEMENT_S,
    ) -> None:
        self._url = database_url
        self._limit_ms = round(statement_s * 1000)
        self._wait_s = wait_s
        self._refusal: tuple[float, MessError] | None = None
        self._pool = ConnectionPool(
            database_url,
            kwargs=connection_arguments(database_url),
            min_size=0,
            max_size=most,
            open=True,
            configure=self._prepare,
            check=ConnectionPool.check_connection,
            max_idle=_MOST_IDLE_S,
            reconnect_timeout=0.0,  # who waits for a connection tries again; nobody else need
            connection_class=_recording(self._refuse),
        )

    @contextmanager
    def use(self) -> Iterator[Store]:
        """A store of one's own meanwhile. Database errors become StoreError, as with `open_store`.

        Raises StoreError within `wait_s` where the database does not answer or all connections are
        in use.
        """
        connection = self._take()
        try:
            yield Store(connection)
        except psycopg.Error as error:
            raise translated(error, self._url) from error
        finally:
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._pool.close(timeout=_CLOSE_S)

    def _take(self) -> psycopg.Connection[Any]:
        began = time.monotonic()
        while True:
            try:
                connection: psycopg.Connection[Any] = self._pool.getconn(timeout=_SLICE_S)
            except PoolTimeout:
                if self._refusal is not None and self._refusal[0] >= began:
                    raise self._refusal[1] from None
                if time.monotonic() - began >= self._wait_s:
                    raise StoreError(
                        f"the database did not answer within {self._wait_s:g} s: it is busy or does "
                        "not react; try again, and see `mess doctor`"
                    ) from None
            else:
                return connection

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        """Bring the schema up to date. The pool logs what goes wrong; the one who waits is told."""
        try:
            prepare(connection)
            connection.execute(statement("limit_statements"), {"limit_ms": str(self._limit_ms)})
        except (psycopg.Error, MessError) as error:
            self._refuse(error)
            raise

    def _refuse(self, error: psycopg.Error | MessError) -> None:
        if isinstance(error, psycopg.Error):
            error = translated(error, self._url)
        self._refusal = time.monotonic(), error


def _recording(refused: Callable[[psycopg.Error], None]) -> type[psycopg.Connection[Any]]:
    """A kind of connection that tells why it could not be made: the pool only logs it."""

    class RecordingConnection(psycopg.Connection[Any]):
        @classmethod
        def connect(cls, *arguments: Any, **options: Any) -> Any:
            try:
                return super().connect(*arguments, **options)
            except psycopg.Error as error:
                refused(error)
                raise

    return RecordingConnection
