"""The schema: the whole equals the sum of the migrations, and each is applied once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mess_plugin.embedded import Endpoints
from mess_plugin.errors import StoreError
from mess_plugin.migrate import migrate, migrations
from mess_plugin.statements import folder, statement

CATALOGUE = {
    "columns": """SELECT table_name, column_name, ordinal_position, column_default, is_nullable,
        data_type, udt_name, is_identity FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, 3""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    "enumerations": """SELECT typname, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
        ORDER BY 1, enumsortorder""",
    "functions": """SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND NOT EXISTS (
            SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') ORDER BY 1""",
    "triggers": """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2""",
    "extensions": "SELECT extname FROM pg_extension ORDER BY 1",
}


@pytest.fixture
def empty_url(postgres_server: Endpoints) -> Iterator[str]:
    """A database without any schema."""
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE mess_empty")
        yield postgres_server.database_url.replace("/mess?", "/mess_empty?", 1)
        admin.execute("DROP DATABASE mess_empty WITH (FORCE)")


def catalogue(url: str) -> dict[str, list[Any]]:
    with psycopg.connect(url) as connection:
        return {
            name: [
                row for row in connection.execute(query.encode()) if "migrations" not in str(row)
            ]
            for name, query in CATALOGUE.items()
        }


def test_the_whole_schema_is_the_sum_of_the_migrations(database_url: str, empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute((folder() / "schema.sql").read_bytes())
    migrated, whole = catalogue(database_url), catalogue(empty_url)
    assert len(migrated["columns"]) > 40
    for name in CATALOGUE:
        assert whole[name] == migrated[name], name


def test_numbers_are_unique_and_in_order() -> None:
    numbers = [step.number for step in migrations()]
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))


def test_many_processes_may_migrate_at_once(empty_url: str) -> None:
    code = (
        "import sys, psycopg; from mess_plugin.migrate import migrate\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as c: print(migrate(c))\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, empty_url], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    applied = sorted(int(process.communicate(timeout=60)[0]) for process in started)
    assert applied == [0, 0, len(migrations())]


def test_a_newer_database_is_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement("record_migration"), {"number": 9999, "name": "future"})
        with pytest.raises(StoreError, match="made by a newer MESS"):
            migrate(connection)


def test_every_statement_is_understood_by_the_server(database_url: str) -> None:
    from mess_plugin.statements import _statements

    assert len(_statements()) > 40
    for name, text in _statements().items():
        assert text, name
        assert not text.startswith("--"), name
