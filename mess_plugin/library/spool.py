"""Changes that a host noted while MESS was away, kept as small files until the ledger has them.

A host such as beets must never wait for MESS: writing one file here takes a millisecond, starting a
database takes hundreds. Each writer makes a file of its own, complete from the moment it has its
name, and a file goes only after the ledger has taken it (`mess_plugin.library.reconcile`). So no
lock is needed, a process may die anywhere, and what is taken twice does no harm.

Nothing heavy is imported here: this runs inside the host.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mess_plugin.atomic_file import write_text
from mess_plugin.private_folder import make_private

_FOLDER = "spool"


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of files, as absolute paths (text with surrogate escapes for odd bytes)."""

    touched: tuple[str, ...]
    """New or changed files."""
    moved: tuple[tuple[str, str], ...]
    """(from, to)."""
    removed: tuple[str, ...]
    """Perhaps deleted: the disk is checked when the changes are reconciled."""
    root: str
    """The host's music folder, for the guards against mass deletion."""

    def __len__(self) -> int:
        return len(self.touched) + len(self.moved) + len(self.removed)


def keep(home: Path, changes: Changes) -> Path:
    """Write changes to the spool of a MESS home. Raises OSError."""
    folder = home / _FOLDER
    make_private(folder)
    name = f"{time.time_ns():020d}-{uuid4().hex}.json"
    write_text(folder / name, json.dumps(asdict(changes)))
    return folder / name


def waiting(home: Path) -> list[Path]:
    """The files in the spool, oldest first; empty where there is none. Raises OSError."""
    try:
        return sorted(path for path in (home / _FOLDER).iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []


def count(home: Path) -> int:
    """How many changes wait. Raises OSError."""
    return sum(len(changes) for _, changes in read(home))


def read(home: Path) -> Iterator[tuple[Path, Changes]]:
    """The waiting changes with their files, oldest first. Raises OSError.

    A file that holds no changes (a damaged disk, another version) is set aside as `….damaged`.
    """
    for path in waiting(home):
        try:
            yield path, _decode(json.loads(path.read_text(encoding="ascii")))
        except FileNotFoundError:
            continue  # another process has just taken it
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(".damaged"))


def _decode(raw: dict[str, Any]) -> Changes:
    """Raises ValueError, KeyError or TypeError where something is no path that a disk could have."""
    return Changes(
        tuple(map(_path, raw["touched"])),
        tuple((_path(old), _path(new)) for old, new in raw["moved"]),
        tuple(map(_path, raw["removed"])),
        _path(raw["root"]),
    )


def _path(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a path is {text!r}")
    if "\0" in text:
        raise ValueError("a path contains NUL")
    os.fsencode(text)
    return text
