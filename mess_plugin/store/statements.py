"""SQL lives in .sql files, by name; Python holds none.

In the installed package the files are package data; in a checkout they are in `sql/` at the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from psycopg import sql

_PACKAGE = Path(__file__).resolve().parents[1]
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def folder() -> Path:
    """Where the .sql files are."""
    packaged = _PACKAGE / "sql"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "sql"


def read_folder(name: str) -> Iterator[tuple[str, str]]:
    """(file name, text) of each .sql file in a folder below `sql`, in order of name."""
    for path in sorted((folder() / name).glob("*.sql")):
        yield path.name, path.read_text(encoding="utf-8")


@cache
def _statements() -> dict[str, str]:
    parts = _NAME.split((folder() / "queries.sql").read_text(encoding="utf-8"))
    texts = (_COMMENT.sub("", text).strip() for text in parts[2::2])
    return dict(zip(parts[1::2], texts, strict=True))


def statement(name: str) -> bytes:
    """One named statement of queries.sql, ready to execute. KeyError where there is none."""
    return _statements()[name].encode()


def template(name: str, **parts: sql.Composable) -> sql.Composed:
    """A named statement whose {braces} are filled in with identifiers or literals.

    Only for what Postgres takes no parameters for: table names, and the numbers that must be
    constants for a partial index to be chosen.
    """
    return sql.SQL(_statements()[name]).format(**parts)
