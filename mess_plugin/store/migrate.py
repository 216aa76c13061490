"""Migrations: numbered SQL files, each applied once, in order, under a lock.

What SQL cannot do is a step in Python after a file, in the same transaction.

Own code rather than a library because of the lock: the well-known tools keep theirs in a table, where
a killed process leaves it behind, while an advisory lock of Postgres goes with its session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import psycopg

from mess_plugin.errors import StoreError
from mess_plugin.model import Tags
from mess_plugin.store.paths import folded_tags, to_text
from mess_plugin.store.statements import read_folder, statement

_FILES_AT_ONCE = 5000
MIN_PGVECTOR = (0, 8)
_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema."""

    number: int
    name: str
    text: str


def migrations() -> list[Migration]:
    """All migrations, oldest first."""
    found = []
    for name, text in read_folder("migrations"):
        if match := _FILE_NAME.fullmatch(name):
            found.append(Migration(int(match[1]), match[2], text))
    return sorted(found, key=lambda migration: migration.number)


def migrate(connection: psycopg.Connection[object], *, up_to: int | None = None) -> int:
    """Bring the schema up to date and return how many migrations were applied.

    up_to: the last migration to apply, None for all. Safe to call from many processes at once. Raises
    StoreError where the database is newer than this version of MESS or does not hold Unicode, or
    where pgvector is missing or too old.
    """
    known = {step.number: step for step in migrations()}
    with connection.cursor() as cursor:
        if _applied(cursor) == known.keys():
            return 0
        with connection.transaction():
            cursor.execute(statement("lock_migrations"))
            cursor.execute(statement("create_migrations_table"))
            applied = _applied(cursor)
            if unknown := applied - known.keys():
                raise StoreError(
                    f"the database has migration {max(unknown)}, which this MESS does not know: "
                    "it was made by a newer MESS; upgrade this one"
                )
            _check_encoding(connection)
            _check_pgvector(cursor)
            missing = sorted(known.keys() - applied)
            if up_to is not None:
                missing = [number for number in missing if number <= up_to]
            for number in missing:
                cursor.execute(known[number].text.encode())
                if step := _STEPS.get(known[number].name):
                    step(cursor)
                cursor.execute(
                    statement("record_migration"), {"number": number, "name": known[number].name}
                )
    return len(missing)


def _fold_tags(cursor: psycopg.Cursor[Any]) -> None:
    """Fold the tags of all files that are known."""
    after = 0
    while True:
        cursor.execute(statement("files_to_fold"), {"after": after, "limit": _FILES_AT_ONCE})
        rows = cursor.fetchall()
        if not rows:
            return
        folded = [
            folded_tags(
                to_text(path), Tags(title, artist, album, album_artist, genre, language=lang)
            )
            for _, path, title, artist, album, album_artist, genre, lang in rows
        ]
        columns = {name: [one[name] for one in folded] for name in folded[0]}
        cursor.execute(statement("save_folded"), {"ids": [row[0] for row in rows], **columns})
        after = rows[-1][0]


_STEPS: Mapping[str, Callable[[psycopg.Cursor[Any]], None]] = {"folded_tags": _fold_tags}


def _applied(cursor: psycopg.Cursor[object]) -> set[int]:
    cursor.execute(statement("has_migrations"))
    row = cursor.fetchone()
    if not isinstance(row, tuple) or not row[0]:
        return set()
    cursor.execute(statement("list_migrations"))
    return {int(found[0]) for found in cursor.fetchall() if isinstance(found, tuple)}


def _check_encoding(connection: psycopg.Connection[object]) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database's encoding is {encoding}, which cannot hold all titles: "
            "make it with ENCODING 'UTF8' TEMPLATE template0"
        )


def _check_pgvector(cursor: psycopg.Cursor[object]) -> None:
    cursor.execute(statement("available_pgvector"))
    row = cursor.fetchone()
    version = str(row[0]) if isinstance(row, tuple) else None
    wanted = ".".join(map(str, MIN_PGVECTOR))
    if version is None:
        raise StoreError(
            f"the database server has no pgvector: install pgvector {wanted} or newer on it, "
            "or unset MESS_DATABASE_URL to use the embedded server"
        )
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_PGVECTOR:
        raise StoreError(
            f"the database server has pgvector {version}: MESS needs {wanted} or newer"
        )
