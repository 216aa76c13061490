"""Reads a list of evaluation recordings: which belong together, and which are only distractors."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path

import msgspec

from mess_plugin.errors import UsageError

_COLUMNS = ("album", "track", "package", "artist_id", "mixed", "eval_role", "robustness")


class Role(StrEnum):
    """A recording's part in album retrieval."""

    QUERY = "q"  # asks, and is in the database
    DATABASE = "d"  # is only in the database
    OUT = "-"


class ListedRecording(msgspec.Struct, frozen=True):
    """One recording of a list."""

    track: str
    """Path below the audio folder."""
    album: str
    artist: str
    collection: str
    """What it was published in; mixed albums of one collection may share composers."""
    mixed: bool
    """Whether its album gathers several or unknown composers."""
    role: Role
    robustness: bool
    """Whether it is used in the robustness and section tasks."""


def read_listing(file: Path) -> tuple[ListedRecording, ...]:
    """Read a tab-separated list with a header line, with at least the columns named above.

    Raises UsageError for a list that cannot be read, lacks a column or has an unknown role.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = set(_COLUMNS) - set(reader.fieldnames or ())
            if missing:
                raise UsageError(f"the list {file} lacks the columns {', '.join(sorted(missing))}")
            return tuple(_recording(file, reader.line_num, row) for row in reader)
    except OSError as error:
        raise UsageError(f"cannot read the list {file}: {error.strerror}") from error


def _recording(file: Path, line: int, row: dict[str, str]) -> ListedRecording:
    try:
        role = Role(row["eval_role"])
    except ValueError as error:
        wanted = ", ".join(Role)
        raise UsageError(
            f"{file}:{line}: eval_role {row['eval_role']!r} is none of {wanted}"
        ) from error
    return ListedRecording(
        track=row["track"],
        album=row["album"],
        artist=row["artist_id"],
        collection=row["package"],
        mixed=row["mixed"] == "1",
        role=role,
        robustness=row["robustness"] == "1",
    )
