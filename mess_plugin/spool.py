"""Changes that a host noted while MESS was away, kept as small files until the ledger has them.

A host such as beets must never wait for MESS: writing one file here takes a millisecond, starting a
database takes hundreds. Each writer makes a file of its own, complete from the moment it has its
name, and a file goes only after the ledger has taken it. So no lock is needed, a process may die
anywhere, and what is taken twice does no harm.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mess_plugin.store import Store
from mess_plugin.store.ledger import SeenFile
from mess_plugin.walk import see

_FOLDER = "spool"
_WANT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to files, as absolute paths (text with surrogate escapes for odd bytes).

    touched: new or changed. moved: (from, to). removed: perhaps gone; whether they are is looked up
    when the ledger takes the changes. root: the host's music folder; while it is missing or empty,
    a disk may be, and nothing is forgotten.
    """

    touched: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    root: str

    def __len__(self) -> int:
        return len(self.touched) + len(self.moved) + len(self.removed)


def keep(home: Path, changes: Changes) -> Path:
    """Write changes to the spool of a MESS home. Raises OSError."""
    folder = home / _FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{time.time_ns():020d}-{uuid4().hex}.json"
    temporary = folder / f".{name}.part"
    temporary.write_text(json.dumps(asdict(changes)), encoding="ascii")
    return temporary.rename(folder / name)


def waiting(home: Path) -> list[Path]:
    """The files in the spool, oldest first; empty where there is none. Raises OSError."""
    try:
        return sorted(path for path in (home / _FOLDER).iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []


def count(home: Path) -> int:
    """How many changes wait. Raises OSError."""
    return sum(len(changes) for _, changes in _read(waiting(home)))


def drain(home: Path, store: Store, recipe: str) -> list[int]:
    """Take all waiting changes into the ledger. Returns the ids of the wanted jobs.

    Raises StoreError or OSError; what was not taken then stays.
    """
    jobs: list[int] = []
    for path, changes in _read(waiting(home)):
        with store.transaction():
            jobs += take(store, recipe, changes)
        path.unlink(missing_ok=True)
    return jobs


def take(store: Store, recipe: str, changes: Changes) -> list[int]:
    """Bring the ledger in line with some changes. Returns the ids of the wanted jobs.

    A moved file keeps its recording, so that it need not be heard again. Files are only forgotten
    that are not on disk any more.
    """
    moves = [(old, new) for old, new in changes.moved if not os.path.lexists(old)]
    store.ledger.move_files(moves)
    arrived = [new for _, new in changes.moved]
    wanted = _seen(dict.fromkeys([*changes.touched, *arrived]))
    jobs: list[int] = []
    for start in range(0, len(wanted), _WANT_AT_ONCE):
        group = wanted[start : start + _WANT_AT_ONCE]
        jobs += store.ledger.want(group, recipe, uuid4()).job_ids
    if _holds_something(changes.root):
        left = [*changes.removed, *changes.touched, *(old for old, _ in changes.moved)]
        store.ledger.forget_paths([path for path in left if not os.path.lexists(path)])
    return jobs


def _seen(paths: Iterable[str]) -> list[SeenFile]:
    return [found for path in paths if (found := see(path)) is not None]


def _holds_something(root: str) -> bool:
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _read(paths: Sequence[Path]) -> Iterable[tuple[Path, Changes]]:
    for path in paths:
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            continue  # another process has just taken it
        yield (
            path,
            Changes(
                tuple(raw["touched"]),
                tuple((old, new) for old, new in raw["moved"]),
                tuple(raw["removed"]),
                raw["root"],
            ),
        )
