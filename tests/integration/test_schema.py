"""`schema.sql` is the sum of the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mess_plugin.embedded import Endpoints
from mess_plugin.statements import folder

QUERIES = (
    "SELECT table_name, column_name, ordinal_position, data_type, udt_name, is_nullable,"
    " column_default, is_identity FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, 3",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    "SELECT enumtypid::regtype::text, enumlabel FROM pg_enum ORDER BY 1, enumsortorder",
)


@pytest.fixture
def whole(postgres_server: Endpoints) -> Iterator[str]:
    """A database made from schema.sql alone."""
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE whole_schema")
        url = postgres_server.database_url.replace("/mess?", "/whole_schema?", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((folder() / "schema.sql").read_bytes())
        yield url
        admin.execute("DROP DATABASE whole_schema WITH (FORCE)")


def test_the_schema_is_the_sum_of_the_migrations(whole: str, database_url: str) -> None:
    assert _describe(whole) == _describe(database_url)


def _describe(url: str) -> list[list[tuple[Any, ...]]]:
    with psycopg.connect(url) as connection:
        return [
            [row for row in connection.execute(query).fetchall() if row[0] != "migrations"]
            for query in QUERIES
        ]
