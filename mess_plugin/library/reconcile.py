"""Brings the ledger in line with what is at some paths now.

The watcher and its nightly scan, webhooks, beets' spool and `mess index` all hand paths to
`reconcile`. It looks at the disk and not at what an event said, so lost, repeated and late events do
no harm.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Self
from uuid import UUID

import msgspec
from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.library import spool
from mess_plugin.library.ignoring import Ignoring
from mess_plugin.library.lyrics_beside import music_beside, refresh_lyrics
from mess_plugin.library.pathmap import linked_paths
from mess_plugin.library.pruning import NOTHING, Pruned, give_up, is_gone
from mess_plugin.library.spool import Changes
from mess_plugin.library.walk import Walk, is_below
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.paths import stored

BATCH_FILES = 500
"""Files per statement."""


class Notice(msgspec.Struct, frozen=True):
    """What an event said about a file."""

    noticed_at: datetime | None = None
    """When it was first known to be new or changed; None for now."""
    was_written: bool = False
    """A process wrote to it."""


class Request(msgspec.Struct, frozen=True):
    """Options of `reconcile`."""

    recipe: str
    settle_s: float = 0.0
    """Files written within so many seconds are returned as unsettled and not enqueued."""
    batch: UUID | None = None
    """The jobs of one run of `mess index`."""
    retry_failed: bool = False
    """Also enqueue files that failed before and have not changed."""
    force: bool = False
    """Enqueue all files."""
    ignore: tuple[str, ...] = ()
    """The setting `ignore`."""

    @classmethod
    def of(cls, store: Store, settings: Settings) -> Self:
        """Defaults: the recipe in use, and the patterns of the setting `ignore`."""
        return cls(active_recipe(store, settings), ignore=settings.ignore)


@dataclass(slots=True)
class Reconciled:
    """The result of `reconcile`."""

    job_ids: list[int] = field(default_factory=list)
    n_seen: int = 0
    """Files that are there."""
    n_unchanged: int = 0
    n_failed_before: int = 0
    unsettled: list[SeenFile] = field(default_factory=list)
    """Files that were written too recently; look again later."""
    unreadable: list[str] = field(default_factory=list)
    """Lines "PATH: REASON" about folders and files that could not be looked at."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """Files without an audio suffix, counted by suffix."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Ignored folders, counted by reason."""
    pruned: Pruned = NOTHING
    """Vanished files that were marked missing, or why they were not."""


def reconcile(
    store: Store,
    paths: Iterable[str] | Mapping[str, Notice],
    root: str | None,
    request: Request,
    *,
    seen: set[str] | None = None,
    on_batch: Callable[[Reconciled], object] | None = None,
) -> Reconciled:
    """Bring the ledger in line with what is at or below some absolute paths now.

    Files on disk are noted, and enqueued if they are new, changed or unfinished. Known files that
    vanished are marked missing unless `pruning.give_up` holds them; known files that are ignored by
    now are marked missing at once. Nothing is written about files that cannot be accessed.

    paths: files or folders; a mapping adds what events said about each. root: the folder that
    contains all of them, for the ignore rules and the guards against mass deletion. None: a person
    named each path, so it is its own root, and nothing is marked missing. seen: files to skip
    because this run has seen them; the files found are added. on_batch: called with the result so
    far after every `BATCH_FILES` files.
    """
    found = Reconciled()
    present = set() if seen is None else seen
    heard = paths if isinstance(paths, Mapping) else dict.fromkeys(paths, Notice())
    heard = {**dict.fromkeys(music_beside(heard), Notice()), **heard}
    ignoring = None if root is None else Ignoring(root, request.ignore)
    walk = Walk(list(heard), ignoring, request.ignore)
    for batch in _batches(file for file in walk if stored(file.path) not in present):
        present.update(stored(file.path) for file in batch)
        _enqueue(store, [_noticed(file, heard) for file in batch], request, found)
        if on_batch is not None:
            on_batch(found)
    found.unreadable = walk.unreadable
    found.passed_over, found.left_out = walk.passed_over, walk.left_out
    if ignoring is not None:
        found.unreadable += ignoring.broken
        found.pruned = _prune(store, ignoring, heard, present)
    return found


def _noticed(file: SeenFile, heard: Mapping[str, Notice]) -> SeenFile:
    notice = heard.get(file.path)
    if notice is None:
        return file
    return replace(file, noticed_at=notice.noticed_at, was_written=notice.was_written)


def _enqueue(store: Store, files: list[SeenFile], request: Request, found: Reconciled) -> None:
    now_ns = time.time_ns()
    still: list[SeenFile] = []
    for file in files:
        is_young = 0 <= now_ns - file.mtime_ns < request.settle_s * 1e9
        (found.unsettled if is_young else still).append(file)
    found.n_seen += len(files)
    if not still:
        return
    enqueued = store.jobs.enqueue(
        still,
        request.recipe,
        request.batch,
        retry_failed=request.retry_failed,
        force=request.force,
    )
    refresh_lyrics(store, [file.path for file in still])
    found.job_ids += enqueued.job_ids
    found.n_unchanged += enqueued.unchanged
    found.n_failed_before += enqueued.failed_before


def _prune(store: Store, ignoring: Ignoring, paths: Iterable[str], present: set[str]) -> Pruned:
    """Give up known files at or below some paths that are certainly not there, or left out now."""
    perhaps = [
        path
        for path in paths
        if os.path.isdir(path) or is_gone(path) or ignoring.why(path, is_folder=False)  # noqa: PTH112
    ]
    known = store.files.known_paths(perhaps, with_missing=False) if perhaps else {}
    absent = [path for path in known if path not in present]
    gone = [path for path in absent if is_gone(path)]
    pruned = give_up(store, ignoring.root, gone)
    left_out = [path for path in absent if ignoring.why(path, is_folder=False)]
    n_left_out = store.files.mark_missing(left_out) if left_out else 0
    return dataclasses.replace(pruned, gone=pruned.gone + n_left_out)


def _batches(files: Iterable[SeenFile]) -> Iterator[list[SeenFile]]:
    files = iter(files)
    while batch := list(islice(files, BATCH_FILES)):
        yield batch


def drain(home: Path, store: Store, request: Request) -> list[Reconciled]:
    """Reconcile all changes that wait in the spool of a home.

    They leave the spool only after that: a process that ends in between leaves work that is wanted
    twice, not never. Raises StoreError or OSError; what was not taken then stays.
    """
    done: list[Reconciled] = []
    for path, changes in spool.read(home):
        with store.transaction():
            done += take(store, changes, request)
        path.unlink(missing_ok=True)
    return done


def take(store: Store, changes: Changes, request: Request) -> list[Reconciled]:
    """Reconcile what a host says it did, for each folder that some of the files lie in.

    A moved file keeps its recording, so that it need not be heard again. A file outside the host's
    music folder is judged by the nearest folder that is there.
    """
    changes = _as_known(store, changes)
    moves = [(old, new) for old, new in changes.moved if not os.path.lexists(old)]
    store.files.move_files(moves)
    mentioned = [
        *changes.touched,
        *changes.removed,
        *(path for move in changes.moved for path in move),
    ]
    by_root: dict[str, list[str]] = {}
    for path in dict.fromkeys(mentioned):
        root = changes.root if is_below(path, changes.root) else _nearest_folder(path)
        by_root.setdefault(root, []).append(path)
    return [reconcile(store, paths, root, request) for root, paths in by_root.items()]


def _as_known(store: Store, changes: Changes) -> Changes:
    """The changes with the names that the library has for a music folder that a link leads to."""
    name = linked_paths(store, changes.root).library
    return Changes(
        tuple(map(name, changes.touched)),
        tuple((name(old), name(new)) for old, new in changes.moved),
        tuple(map(name, changes.removed)),
        name(changes.root),
    )


def _nearest_folder(path: str) -> str:
    folder = os.path.dirname(path)  # noqa: PTH120  text paths keep odd bytes
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):  # noqa: PTH112, PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    return folder
