"""Reads the user's own judgements of what belongs together.

Three forms, one a line, columns separated by tabs; empty lines and lines that begin with # do not
count:

    groups     path<TAB>group
    pairs      path<TAB>path                  two that are alike
    triplets   anchor<TAB>nearer<TAB>farther  the first is more like the second than the third
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from mess_plugin.errors import UsageError


class LabelForm(StrEnum):
    """The form of a label file; it has to be named, because groups and pairs look alike."""

    GROUPS = "groups"
    PAIRS = "pairs"
    TRIPLETS = "triplets"


class Triplet(msgspec.Struct, frozen=True):
    """The anchor is more like `nearer` than like `farther`."""

    anchor: str
    nearer: str
    farther: str


COLUMNS = {
    LabelForm.GROUPS: ("path", "group"),
    LabelForm.PAIRS: ("path", "path"),
    LabelForm.TRIPLETS: ("anchor", "nearer", "farther"),
}


def read_groups(file: Path) -> Mapping[str, str]:
    """Path → group. Raises UsageError for a malformed line or a path with two groups."""
    groups: dict[str, str] = {}
    for line, (path, group) in _rows(file, LabelForm.GROUPS):
        if groups.setdefault(path, group) != group:
            raise UsageError(f"{file}:{line}: {path!r} is in {groups[path]!r} and in {group!r}")
    return groups


def read_pairs(file: Path) -> tuple[tuple[str, str], ...]:
    """Pairs of paths, each once. Raises UsageError for a malformed line or a path with itself."""
    pairs: dict[tuple[str, str], None] = {}
    for line, (one, other) in _rows(file, LabelForm.PAIRS):
        if one == other:
            raise UsageError(f"{file}:{line}: {one!r} is paired with itself")
        if (other, one) not in pairs:
            pairs[one, other] = None
    return tuple(pairs)


def read_triplets(file: Path) -> tuple[Triplet, ...]:
    """Triplets. Raises UsageError for a malformed line or a path that occurs twice in one."""
    triplets = []
    for line, cells in _rows(file, LabelForm.TRIPLETS):
        if len(set(cells)) < 3:
            raise UsageError(f"{file}:{line}: a triplet needs three different paths")
        triplets.append(Triplet(*cells))
    return tuple(triplets)


def _rows(file: Path, form: LabelForm) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and stripped cells. Raises UsageError, also where there are no labels."""
    columns = COLUMNS[form]
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the label file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the label file {file} is not UTF-8 text") from error
    empty = True
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(columns) or not all(cells):
            wanted = "<TAB>".join(columns)
            raise UsageError(f"{file}:{number}: {line!r} is not {wanted}")
        empty = False
        yield number, cells
    if empty:
        raise UsageError(f"the label file {file} holds no labels")
