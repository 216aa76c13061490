"""One connection and the named statements that run on it."""

from __future__ import annotations

from typing import Any

import psycopg

from mess_plugin.store.statements import statement


class DbSession:
    """Runs statements of queries.sql by name."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def execute(self, name: str, **parameters: object) -> None:
        """Run a statement for its effect."""
        self.connection.execute(statement(name), parameters)

    def rows(self, name: str, **parameters: object) -> list[Any]:
        """Run a statement and fetch all its rows; none where it returns no result."""
        cursor = self.connection.execute(statement(name), parameters)
        return cursor.fetchall() if cursor.description else []

    def binary_rows(self, name: str, **parameters: object) -> list[Any]:
        """As `rows`, with numbers and vectors sent as they are instead of as text."""
        return self.connection.execute(statement(name), parameters, binary=True).fetchall()

    def row(self, name: str, **parameters: object) -> Any:
        """The only row of a statement that always has one."""
        return self.rows(name, **parameters)[0]
