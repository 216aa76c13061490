"""The state machine of one watched root: events, debounce, scans and rechecks.

Events only say where to look; `reconcile` decides by what is on disk once a file is quiet. So lost,
repeated and late events do no harm, and a full scan comes to the same result.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from mess_plugin.audio import is_audio
from mess_plugin.config import Settings
from mess_plugin.library.ignoring import MARKS, Ignoring
from mess_plugin.library.lyrics_beside import is_lyrics
from mess_plugin.library.mounts import mounted_below
from mess_plugin.library.nightly import next_night
from mess_plugin.library.pruning import Pruned, is_there
from mess_plugin.library.reconcile import Notice, Reconciled, Request, reconcile
from mess_plugin.store import Store
from mess_plugin.store.roots import Root
from mess_workers.watch.debounce import Debounce
from mess_workers.watch.observer import FolderEvent, RunningObserver, observe
from mess_workers.watch.rechecks import DirtyPaths, HeldDeletions

log = logging.getLogger(__name__)

_LOOK_AT_ROOT_S = 1.0
_MOST_PENDING = 100_000  # files in the debounce; beyond this a scan is cheaper


class _Identity(NamedTuple):
    """Device and inode of a root, and the mount points below it.

    They change when another disk takes its place; no event reports a mount.
    """

    device: int
    number: int
    mounts: tuple[str, ...]


class WatchedFolder:
    """One root. Call `tick` a few times a second; every part of it can be interrupted and repeated."""

    def __init__(self, store: Store, settings: Settings, root: str) -> None:
        self.root = root
        self._store = store
        self._settings = settings
        self._debounce = Debounce(settings.settle_s)
        self._observer: RunningObserver | None = None
        self._identity: _Identity | None = None
        self._looked_s = float("-inf")
        self._walk_due = False
        self._night = next_night(datetime.now().astimezone())
        self._held = HeldDeletions()
        self._dirty = DirtyPaths()

    def tick(self, now_s: float) -> None:
        """Check the root, take events, and reconcile files that are quiet."""
        if now_s - self._looked_s >= _LOOK_AT_ROOT_S:
            self._looked_s = now_s
            self._look_at_root()
        if self._observer is None:
            return
        if not self._observer.is_alive:
            log.warning("%s: its observer ended", self.root)
            self.close()
            self._look_at_root()
            return
        if self._observer.changes.lost.is_set():
            self._observer.changes.lost.clear()
            log.warning("%s: events were lost; walking it", self.root)
            self._walk_due = True
        self._pulse(now_s)
        if self._walk_due or self._is_night():
            self._walk_due = False
            self.walk()
        if self._dirty.is_quiet(now_s):
            self._look_again()
        if self._held.is_due(now_s):
            self._look_at()

    def walk(self) -> None:
        """Compare the whole folder with the ledger."""
        self._save()  # replaces an older state, such as that it does not answer
        self._store.roots.begin_walk(self.root)
        found = self._reconcile([self.root], self._while_walking)
        if self._walk_due:
            return
        for line in found.unreadable:
            log.warning("cannot read %s", line)
        self._judge(found.pruned)
        self._save()
        self._store.roots.walked(self.root, found.passed_over, found.left_out)

    def _while_walking(self, _found: Reconciled) -> None:
        self._pulse(time.monotonic())
        if not is_there(self.root):
            self._walk_due = True  # it vanished during the scan

    def want_walk(self) -> None:
        """Walk at the next tick."""
        self._walk_due = True

    def close(self) -> None:
        """Stop observing."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def _look_at_root(self) -> None:
        """Notice when the root vanishes, returns, or is replaced by another disk."""
        identity = _identity(self.root)
        if identity == self._identity and (identity is None) == (self._observer is None):
            return
        self.close()
        self._debounce.forget()
        self._identity = identity
        if identity is None:
            log.warning("%s is not there; nothing in it is forgotten meanwhile", self.root)
        else:
            self._start()
        self._save()
        if identity is not None:
            self._store.roots.remember_mounts(self.root, identity.mounts)

    def _start(self) -> None:
        try:
            self._observer = observe(self.root, self._settings.watch_by, self._settings.poll_s)
        except OSError as error:
            log.warning("%s cannot be watched: %s", self.root, error.strerror)
            self._identity = None
            return
        if self._observer.problem:
            log.warning("%s: %s", self.root, self._observer.problem)
        log.info("watching %s by %s", self.root, self._observer.how)
        self._walk_due = True

    def _reconcile(
        self,
        paths: Iterable[str] | Mapping[str, Notice],
        on_batch: Callable[[Reconciled], object] | None = None,
    ) -> Reconciled:
        """Reconcile paths of this root; files that are still changing go back to the debounce."""
        request = replace(Request.of(self._store, self._settings), settle_s=self._settings.settle_s)
        found = reconcile(self._store, paths, self.root, request, on_batch=on_batch)
        for file in found.unsettled:
            self._debounce.touch(file.path, time.monotonic(), was_written=file.was_written)
        return found

    def _pulse(self, now_s: float) -> None:
        assert self._observer is not None
        ignoring = Ignoring(self.root, self._settings.ignore)
        for event in self._observer.changes.drain():
            self._take(event, now_s, ignoring)
        if len(self._debounce) > _MOST_PENDING:
            self._debounce.forget()
            self._walk_due = True
        still, gone = self._debounce.settled(now_s)
        if gone:
            self._dirty.note(now_s, vanished=gone)
        if still or gone:
            self._look_at({**still, **dict.fromkeys(gone, Notice())})

    def _take(self, event: FolderEvent, now_s: float, ignoring: Ignoring) -> None:
        paths = [path for path in (event.path, event.to) if path]
        marks = [path for path in paths if _is_mark(path) and not event.is_folder]
        if marks:
            self._dirty.note(now_s, [path.rpartition("/")[0] for path in marks])
        ours = [path for path in paths if _is_ours(path, event, ignoring)]
        if event.kind == "moved" and len(ours) == 2:
            # A rename is one update where both names are part of the library.
            self._store.files.rename(event.path, event.to)
        if event.is_folder and ours:
            self._dirty.note(now_s, ours)
            self._look_at(ours)
        elif ours:
            # Renamed files are read again, since two may have swapped names.
            was_written = event.is_write or event.kind == "moved"
            for path in ours:
                self._debounce.touch(path, now_s, was_written=was_written)

    def _look_again(self) -> None:
        """Recheck dirty folders now that they are quiet, and watch them under their current names."""
        assert self._observer is not None
        folders, vanished = self._dirty.take()
        if folders:
            self._observer.watch_again(folders)
        self._look_at([*folders, *vanished])

    def _look_at(self, paths: Iterable[str] | Mapping[str, Notice] = ()) -> None:
        """Reconcile these paths and all held deletions."""
        began_s = time.monotonic()
        heard = paths if isinstance(paths, Mapping) else dict.fromkeys(paths, Notice())
        found = self._reconcile({**dict.fromkeys(self._held.paths, Notice()), **heard})
        self._judge(found.pruned, time.monotonic() - began_s)

    def _judge(self, pruned: Pruned, took_s: float = 0.0) -> None:
        was_refused = bool(self._held.reason)
        if not self._held.update(pruned, time.monotonic(), took_s):
            return
        if pruned.refused and not was_refused:
            log.warning(
                "%s: %s; confirm with `mess watch --confirm-prune %s` if they are really gone",
                self.root, pruned.refused, self.root,
            )  # fmt: skip
        self._save()

    def _save(self) -> None:
        """Save the state of this root."""
        if self._observer is None:
            state, detail, how = "absent", "the folder is not there", ""
        else:
            state = "refused" if self._held.reason else "watched"
            detail, how = self._held.reason or self._observer.problem, self._observer.how
        self._store.roots.save(Root(self.root, state, detail, how))

    def _is_night(self) -> bool:
        now = datetime.now().astimezone()
        if now < self._night and self._night - now <= timedelta(days=1, hours=1):
            return False
        due = now >= self._night
        self._night = next_night(now)
        return due


def _is_ours(path: str, event: FolderEvent, ignoring: Ignoring) -> bool:
    if ignoring.why(path, is_folder=event.is_folder):
        return False
    return event.is_folder or is_audio(Path(path)) or is_lyrics(path)


def _is_mark(path: str) -> bool:
    return path.rpartition("/")[2] in MARKS


def _identity(root: str) -> _Identity | None:
    if not is_there(root):
        return None
    try:
        found = os.stat(root)  # noqa: PTH116
    except OSError:
        return None
    return _Identity(found.st_dev, found.st_ino, tuple(mounted_below(root)))
