"""Connecting to the database, and what its errors mean to a person."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict

from mess_plugin import keepalive
from mess_plugin.errors import StoreError, StoreUnreachable, UsageError
from mess_plugin.server_urls import check_database_url
from mess_plugin.store.migrate import migrate
from mess_plugin.store.statements import statement
from mess_plugin.waiting import waiting_for

CONNECT_S = 10
_SESSION = {
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
    "client_min_messages": "warning",
    "timezone": "UTC",
    **keepalive.POSTGRES,
}
_TRANSPORT = {"connect_timeout": CONNECT_S, **keepalive.LIBPQ}
_SHORTLY = "try again shortly"
# What servers say when they refuse a connection: the pattern, and what to do.
_REFUSALS = (
    (r'database ".*" does not exist', "create that database, or name another one"),
    (r'role ".*" does not exist', "create that user, or name another one"),
    (r"(password|authentication) .*failed|no password supplied|SCRAM", "check user and password"),
    (r'role ".*" is not permitted to log in', "let that user log in, or name another one"),
    (r"no pg_hba\.conf entry", "let this machine in with a line in the server's pg_hba.conf"),
    (r"permission denied for database", "grant that user CONNECT, or name another one"),
    (r"too many (connections|clients)|connection slots", "raise max_connections there"),
    (r"is (starting up|shutting down|in recovery)|not (yet|currently) accepting", _SHORTLY),
)
_DAMAGE = (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)
_UNREADABLE = (psycopg.errors.IoError, psycopg.errors.UndefinedFile)  # of the server's own files


class _Connection(psycopg.Connection[Any]):
    """A connection whose long waits are told."""

    what = "the database"

    def wait(self, *arguments: Any, **options: Any) -> Any:
        """Wait for the server, as psycopg does for everything that it asks."""
        with waiting_for(self.what):
            return super().wait(*arguments, **options)


def connect(database_url: str) -> psycopg.Connection[Any]:
    """A new connection, prepared. Raises StoreError, ConfigError, UsageError and psycopg.Error."""
    arguments = connection_arguments(database_url)
    what = f"the database at {place(database_url)}"
    with waiting_for(what):
        connection = _Connection.connect(database_url, **arguments)
    connection.what = what
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connection_arguments(database_url: str) -> dict[str, Any]:
    """How to connect to a URL; what it says itself comes first. Raises ConfigError, UsageError."""
    check_database_url(database_url)
    try:
        said = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        # Not chained: the reason quotes the text, and a password may be in it.
        raise UsageError(
            "the database URL cannot be read: wanted postgresql://user:password@host:port/database "
            "in MESS_DATABASE_URL"
        ) from None
    settings = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    return {
        "autocommit": True,
        **{name: value for name, value in _TRANSPORT.items() if name not in said},
        "options": f"{settings} {said.get('options') or ''}".strip(),
        "application_name": said.get("application_name") or "mess",
    }


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Bring the schema up to date and let vectors pass. Raises StoreError and psycopg.Error."""
    _see_extensions(connection)
    migrate(connection)
    register_vector(connection)


def _see_extensions(connection: psycopg.Connection[Any]) -> None:
    """Let this session see extensions that lie in a schema outside its search path."""
    if connection.execute(statement("current_schema")).fetchone() == (None,):
        raise StoreError(
            "the database has no schema to create tables in: set the user's search_path to a schema "
            "that is there"
        )
    for schema, is_open in connection.execute(statement("hidden_extensions")).fetchall():
        if not is_open:
            raise StoreError(
                f'the database\'s extensions lie in the schema "{schema}", which this user may not '
                f'use: GRANT USAGE ON SCHEMA "{schema}" to it'
            )
        connection.execute(statement("extend_search_path"), {"schema": schema})


def translated(error: psycopg.Error, database_url: str) -> StoreError:
    """What psycopg raised, as one line that says what to do."""
    line = _telling_line(error)
    if isinstance(error, psycopg.errors.DiskFull):
        return StoreError(f"the database's disk is full: free some space and run again ({line})")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return StoreError(
            f"the database took too long for one statement and was stopped ({line}): it is busy; "
            "try again shortly"
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return StoreError(
            f"the database user may not do this ({line}): grant it the right to create "
            "tables and the extensions vector and pg_trgm"
        )
    if isinstance(error, _DAMAGE) or (isinstance(error, _UNREADABLE) and '"base/' in line):
        return StoreError(
            f"the database is damaged ({line}): check the disk, then `mess restore FILE` the last "
            "backup (docs/operations.md)"
        )
    if _is_unreachable(error):
        where = place(database_url)
        for pattern, remedy in _REFUSALS:
            if re.search(pattern, line):
                kind = StoreUnreachable if remedy == _SHORTLY else StoreError
                return kind(
                    f"the database at {where} refuses ({_bare(line)}): {remedy}, in "
                    "MESS_DATABASE_URL where that is wrong"
                )
        return StoreUnreachable(
            f"the database at {where} does not answer ({line}): "
            "check MESS_DATABASE_URL and that the server runs; `mess doctor` tells more"
        )
    return StoreError(f"the database refused: {line}")


def _is_unreachable(error: psycopg.Error) -> bool:
    """Whether there is no connection, or none any more, rather than a statement that was refused."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    code = error.sqlstate
    return code is None or code.startswith(("08", "28", "3D", "57P", "53300"))


def place(database_url: str) -> str:
    """Host and port of a URL for people, without user and password."""
    parts = conninfo_to_dict(database_url)
    host = parts.get("host") or parts.get("hostaddr") or "the default socket"
    return f"{host}:{parts['port']}" if parts.get("port") else str(host)


def _telling_line(error: psycopg.Error) -> str:
    """The line of an error that says what happened; of several attempts, the last one's."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    attempts = [line for line in lines if line.startswith("- host:")]
    return attempts[-1].lstrip("- ") if attempts else lines[0]


def _bare(line: str) -> str:
    """What the server itself said, without how it was reached."""
    return line.rpartition("FATAL:")[2].strip() or line
