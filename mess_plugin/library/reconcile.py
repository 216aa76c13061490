"""Bringing the ledger in line with what a host says it did to its files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from mess_plugin.library import spool
from mess_plugin.library.spool import Changes
from mess_plugin.library.walk import Walk
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile

_WANT_AT_ONCE = 500


def drain(home: Path, store: Store, recipe: str) -> list[int]:
    """Take all waiting changes into the ledger. Returns the ids of the wanted jobs.

    The changes leave the spool only after that: a process that ends in between leaves work that is
    wanted twice, not never. Raises StoreError or OSError; what was not taken then stays.
    """
    jobs: list[int] = []
    for path, changes in spool.read(home):
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
    store.files.move_files(moves)
    arrived = [new for _, new in changes.moved]
    wanted = _seen(dict.fromkeys([*changes.touched, *arrived]))
    jobs: list[int] = []
    for start in range(0, len(wanted), _WANT_AT_ONCE):
        group = wanted[start : start + _WANT_AT_ONCE]
        jobs += store.jobs.enqueue(group, recipe, uuid4()).job_ids
    if _holds_something(changes.root):
        left = [*changes.removed, *changes.touched, *(old for old, _ in changes.moved)]
        store.files.forget_paths([path for path in left if not os.path.lexists(path)])
    return jobs


def _seen(paths: Iterable[str]) -> list[SeenFile]:
    return list(Walk(list(paths)))


def _holds_something(root: str) -> bool:
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
