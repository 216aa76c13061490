"""The door to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict

from mess_plugin.errors import StoreError, UsageError
from mess_plugin.store.dispatch import Dispatch, Workers
from mess_plugin.store.duplicates import Duplicates
from mess_plugin.store.embeddings import Embeddings
from mess_plugin.store.facets import Facets
from mess_plugin.store.files import Files
from mess_plugin.store.filters import Steering
from mess_plugin.store.hosts import Hosts
from mess_plugin.store.inbox import Inbox
from mess_plugin.store.jobs import Jobs
from mess_plugin.store.library import Library
from mess_plugin.store.metrics import Metrics
from mess_plugin.store.migrate import migrate
from mess_plugin.store.peaks import Waveforms
from mess_plugin.store.recipes import Choices
from mess_plugin.store.roots import Roots
from mess_plugin.store.session import Session
from mess_plugin.store.smart import SmartPlaylists
from mess_plugin.store.spaces import Spaces
from mess_plugin.store.verdicts import Verdicts

_SESSION = (
    "-c hnsw.ef_search=200 -c hnsw.iterative_scan=relaxed_order"
    " -c client_min_messages=warning -c timezone=UTC"
)


class Store:
    """One connection, grouped by what it is about. Not for sharing between threads."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._session = session = Session(connection)
        self.files = Files(session)
        self.jobs = Jobs(session)
        self.library = Library(session)
        self.spaces = Spaces(session)
        self.embeddings = Embeddings(session)
        self.dispatch = Dispatch(session)
        self.workers = Workers(session)
        self.inbox = Inbox(session)
        self.hosts = Hosts(session)
        self.smart = SmartPlaylists(session)
        self.roots = Roots(session)
        self.choices = Choices(session)
        self.facets = Facets(session)
        self.steering = Steering(session)
        self.verdicts = Verdicts(session)
        self.duplicates = Duplicates(session)
        self.metrics = Metrics(session)
        self.waveforms = Waveforms(session)

    def transaction(self) -> AbstractContextManager[psycopg.Transaction]:
        """All or nothing; outside of it every statement is its own transaction."""
        return self._session.connection.transaction()

    def server_versions(self) -> tuple[str, str]:
        """Versions of Postgres and of pgvector."""
        (pgvector,) = self._session.row("installed_pgvector")
        version = self._session.connection.info.server_version
        return f"{version // 10000}.{version % 10000}", pgvector


@contextmanager
def open_store(database_url: str) -> Iterator[Store]:
    """Connect, bring the schema up to date, and close at the end.

    Whatever psycopg raises inside becomes a StoreError with one line that says what to do.
    """
    arguments = connection_arguments(database_url)
    try:
        with psycopg.connect(database_url, **arguments) as connection:
            prepare(connection)
            yield Store(connection)
    except psycopg.Error as error:
        raise translated(error, database_url) from error


def connection_arguments(database_url: str) -> dict[str, Any]:
    """How to connect to a URL. Raises UsageError where it cannot be read."""
    try:
        options = conninfo_to_dict(database_url).get("options") or ""
    except psycopg.ProgrammingError:
        # Not chained: the reason quotes the text, and a password may be in it.
        raise UsageError(
            "the database URL cannot be read: wanted postgresql://user:password@host:port/database "
            "in MESS_DATABASE_URL"
        ) from None
    return {
        "autocommit": True,
        "options": f"{options} {_SESSION}",
        "application_name": "mess",
        "connect_timeout": 10,
    }


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Bring the schema up to date and let vectors pass."""
    migrate(connection)
    register_vector(connection)


def translated(error: psycopg.Error, database_url: str) -> StoreError:
    """What psycopg raised, as one line that says what to do."""
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, psycopg.errors.DiskFull):
        return StoreError(
            f"the database's disk is full: free some space and run again ({first_line})"
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return StoreError(
            f"the database user may not do this ({first_line}): grant it the right to create "
            "tables and the extensions vector and pg_trgm"
        )
    if isinstance(error, psycopg.OperationalError):
        return StoreError(
            f"the database at {_where(database_url)} does not answer ({first_line}): "
            "check MESS_DATABASE_URL and that the server runs; `mess doctor` tells more"
        )
    return StoreError(f"the database refused: {first_line}")


def _where(database_url: str) -> str:
    """Host and database of a URL, without user and password."""
    parts = conninfo_to_dict(database_url)
    host = parts.get("host") or "the default socket"
    return f"{host}:{parts['port']}" if parts.get("port") else str(host)
