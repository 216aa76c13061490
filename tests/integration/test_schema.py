"""The schema: the whole equals the sum of the migrations, and each is applied once."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from mess_plugin.embedded import Endpoints
from mess_plugin.errors import StoreError
from mess_plugin.folding import fold
from mess_plugin.model import Tags
from mess_plugin.store import open_store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.migrate import migrate, migrations
from mess_plugin.store.statements import _statements, folder, statement

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
        "import sys, psycopg; from mess_plugin.store.migrate import migrate\n"
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


def test_files_of_an_older_database_are_folded(empty_url: str) -> None:
    """Tags that an older MESS stored are found and filtered in every spelling, without the music."""
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(statement("create_migrations_table"))
        for step in migrations():
            if step.name == "folded_tags":
                break
            connection.execute(step.text.encode())
            connection.execute(
                statement("record_migration"), {"number": step.number, "name": step.name}
            )
        connection.execute("INSERT INTO tracks (identity, duration_s) VALUES ('i', 10)")
        connection.execute(
            "INSERT INTO files (path, size_bytes, mtime_ns, track_id, title, artist, album_artist,"
            " album, genre, language) VALUES ('\\x2f61'::bytea, 1, 1, 1, %s, %s, %s, %s, %s, %s)",
            ["Don’t", "Bjo\u0308rk", "Jay‐Z", "ＡＢ", "Chanson française", "FRA"],
        )
        assert migrate(connection) > 0
    with open_store(empty_url) as store:
        assert store.library.find_words("don't BJÖRK") == ([1], 1)
        for passing in (
            {"artist": "bjork"}, {"artist": "JAY-Z"}, {"album": "ab"},
            {"genre": "francaise"}, {"languages": ("fra",)}, {},
        ):  # fmt: skip
            assert [one.track_id for one in store.filters.allowed(passing)] == [1], passing
        for failing in (
            {"artist": "bjork jay"}, {"genre": "rock"},
            {"excluded_words": ("DON’T",)}, {"excluded_words": ("don't",)},
            {"artist": "%"}, {"album": "a_"},
        ):  # fmt: skip
            assert store.filters.allowed(failing) == [], failing


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(text=_TEXT)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_compares_as_the_program_does(database_url: str, text: str) -> None:
    """What is folded here and kept there is found by any spelling that folds to the same."""
    with open_store(database_url) as store, store.transaction():
        identity = str(uuid.uuid4())
        track_id = store.library.save(identity, 10.0, None)
        path = f"/music/{identity}"
        (job,) = store.jobs.enqueue([SeenFile(path, 1, 1)], "r", uuid.uuid4()).job_ids
        assert job
        file_id = store.files.known_paths([path])[path]
        store.files.locate(file_id, path, track_id, Tags(title=text, artist=text, album=text))
        for spelling in (text, unicodedata.normalize("NFD", text), text.casefold()):
            assert track_id in [one.track_id for one in store.filters.allowed({"artist": spelling})]
            if fold(spelling):
                assert track_id in store.library.find_words(spelling, limit=10_000)[0]
        assert store.library.get([track_id])[track_id].tags.title == text
        if fold(text):
            excluded = {"excluded_words": (text.upper().casefold(),)}
            assert track_id not in [one.track_id for one in store.filters.allowed(excluded)]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_all_titles_is_refused(
    postgres_server: Endpoints, encoding: str
) -> None:
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE mess_narrow ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        )
        url = postgres_server.database_url.replace("/mess?", "/mess_narrow?", 1)
        with (
            psycopg.connect(url, autocommit=True) as connection,
            pytest.raises(StoreError, match=f"encoding is {encoding}"),
        ):
            migrate(connection)
        admin.execute("DROP DATABASE mess_narrow")


_PLACE = re.compile(r"%\((\w+)\)s")
_BRACES = {
    "column": sql.Identifier("ordinal"),
    "columns": sql.Identifier("track_id"),
    "dim": sql.Literal(192),
    "every": sql.Literal(2),
    "index": sql.Identifier("song_embeddings_space_1"),
    "space": sql.Literal(1),
    "table": sql.Identifier("song_embeddings"),
    "type": sql.Identifier("checked_type"),
}
_EMPTY_COPY = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\xff\xff"
_NEVER_PREPARED = (
    "ALTER",
    "COPY",
    "CREATE",
    "DROP",
    "LOCK",
    "NOTIFY",
    "SET",
)  # Postgres prepares only queries


def numbered(text: str) -> str:
    """Named parameters as $1, $2, … of whatever type the server makes of them."""
    names = list(dict.fromkeys(_PLACE.findall(text)))
    return _PLACE.sub(lambda match: f"${names.index(match[1]) + 1}", text).replace("%%", "%")


def check(connection: psycopg.Connection[Any], text: str) -> None:
    """Prepare one statement, or run it where it cannot be prepared."""
    query = sql.SQL(numbered(text)).format(**_BRACES)
    if text.startswith("COPY"):
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            if "FROM STDIN" in text:
                copy.write(_EMPTY_COPY)
            else:
                list(copy)
    elif text.startswith(_NEVER_PREPARED):
        if "{type}" in text:
            connection.execute("CREATE TYPE checked_type AS ENUM ()")
        connection.execute(query)
    else:
        connection.execute(sql.SQL("PREPARE checked AS {}").format(query))
        connection.execute("DEALLOCATE checked")


def test_the_server_understands_every_statement(database_url: str) -> None:
    refused = {}
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name, text in _statements().items():
            try:
                with connection.transaction(force_rollback=True):
                    check(connection, text)
            except (psycopg.Error, KeyError, ValueError) as error:
                refused[name] = str(error)
    assert refused == {}
    assert len(_statements()) > 90


def test_a_statement_that_names_no_column_is_noticed(database_url: str) -> None:
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.UndefinedColumn),
    ):
        check(connection, "SELECT nothing_of_this_name FROM files WHERE id = %(id)s")


def test_files_of_a_recipe_that_shared_a_space_are_wanted_again(empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(statement("create_migrations_table"))
        for step in migrations():
            if step.name != "recipes":
                connection.execute(step.text.encode())
                connection.execute(
                    statement("record_migration"), {"number": step.number, "name": step.name}
                )
        connection.execute("INSERT INTO files (path, size_bytes, mtime_ns) VALUES ('/a', 1, 1)")
        connection.execute(
            "INSERT INTO jobs (file_id, recipe, state, outcome) VALUES (1, 'first', 'done', 'known'),"
            " (1, 'second', 'done', 'encoded'), (1, 'third', 'failed', NULL)"
        )
        connection.execute(
            "INSERT INTO spaces (recipe, encoder, revision, layers, pooling, window_s, hop_s, dim)"
            " VALUES ('first', 'any', '1', 'none', 'mean', 5, 2.5, 16)"
        )
        assert migrate(connection) >= 1
        found = connection.execute(
            "SELECT recipe, state::text FROM jobs ORDER BY recipe"
        ).fetchall()
    assert found == [("first", "done"), ("second", "wanted"), ("third", "failed")]
