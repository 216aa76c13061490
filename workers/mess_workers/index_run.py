"""Enqueue what is below some paths and wait for its jobs.

The broker never holds more than a bounded part of what is wanted. All the rest waits in Postgres,
where neither an interrupted command nor a lost broker can lose it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mess_plugin.errors import StoreUnreachable
from mess_plugin.library.pruning import Pruned
from mess_plugin.library.reconcile import Reconciled, Request, reconcile
from mess_plugin.store import Store, open_store
from mess_plugin.store.jobs import Failure
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import send_due

T = TypeVar("T")
POLL_S = 0.2
_AWAY_S = 1800.0  # a database that is away for longer ends the run
_RETRY_S = 2.0


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come, in files."""

    seen: int = 0
    """On disk."""
    wanted: int = 0
    """Jobs of this run."""
    unchanged: int = 0
    """Done earlier."""
    failed_before: int = 0
    """Failed earlier and not tried again."""
    indexed: int = 0
    """Encoded in this run."""
    known: int = 0
    """With audio that the library had already."""
    gone: int = 0
    """Vanished before their job began."""
    failed: int = 0
    """Failed in this run."""
    given_up: int = 0
    """Known files that vanished."""
    walked: bool = False
    """All folders have been scanned."""

    @property
    def finished(self) -> int:
        """Jobs of this run that are over."""
        return self.indexed + self.known + self.gone + self.failed


@dataclass(slots=True)
class IndexRun:
    """One run of `mess index`: enqueue what is below some paths, and wait until it is done."""

    queue: JobQueue
    need_worker: Callable[[], None]
    request: Request
    show: Callable[[Progress], None] = lambda _progress: None
    """Called with each new state."""
    check: Callable[[], None] = lambda: None
    """Called while waiting; may raise, for example because the worker died."""
    store: Store = field(init=False)
    """Of the connection at hand."""
    progress: Progress = field(default_factory=Progress)
    unreadable: list[str] = field(default_factory=list)
    """Lines about what could not be looked at."""
    passed_over: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    """What was not looked at, see `Walk`."""
    _jobs: set[int] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    """Paths: the folders of a command may lie inside each other, and each file counts once."""
    _held: dict[str, Pruned] = field(default_factory=dict)
    """By root: vanished files that could not be believed to be gone when the run began."""

    def run(self, store: Store, roots: Sequence[str], listed: Sequence[str] = ()) -> Progress:
        """Reconcile all roots and listed files, then wait until every job of this run is over.

        May be called again with a new connection after one was lost: it goes on where it was, and a
        walk that was cut short begins anew, as a part of the same run.
        """
        self.store = store
        if not self.progress.walked:
            self._walk(roots, listed)
        while self.progress.finished < self.progress.wanted:
            self._advance()
            self.check()
            time.sleep(POLL_S)
        self.show(self.progress)
        return self.progress

    def _walk(self, roots: Sequence[str], listed: Sequence[str]) -> None:
        self.progress = replace(Progress(), wanted=len(self._jobs))
        self._seen.clear()
        self._held.clear()
        self.unreadable.clear()
        self.passed_over.clear()
        self.left_out.clear()
        for root in roots:
            self._reconcile([root], root)
        if listed:
            self._reconcile(listed, None)
        self.progress = replace(self.progress, walked=True)

    def failures(self, limit: int) -> list[Failure]:
        """Some files of this run that failed, now or before, the newest first."""
        return self.store.jobs.failures(limit, among=self._seen)

    def look_again(self) -> dict[str, str]:
        """Ask again about vanished files, now that whatever was moved is known by its new name.

        Returns why some are still not believed to be gone, by root.
        """
        held = {root: pruned.held for root, pruned in self._held.items()}
        self._held.clear()
        for root, paths in held.items():
            self._reconcile(paths, root)
        return {root: pruned.refused or "" for root, pruned in self._held.items()}

    def _reconcile(self, paths: Iterable[str], root: str | None) -> None:
        before = self.progress

        def note(found: Reconciled) -> None:
            self._jobs.update(found.job_ids)
            self.progress = replace(
                self.progress,
                seen=before.seen + found.n_seen,
                wanted=len(self._jobs),
                unchanged=before.unchanged + found.n_unchanged,
                failed_before=before.failed_before + found.n_failed_before,
                given_up=before.given_up + found.pruned.gone,
            )
            self._advance()

        found = reconcile(self.store, paths, root, self.request, seen=self._seen, on_batch=note)
        note(found)
        self.unreadable += found.unreadable
        self.passed_over += found.passed_over
        self.left_out += found.left_out
        if root is not None and found.pruned.refused:
            self._held[root] = found.pruned

    def _advance(self) -> None:
        self.progress = self._counted()
        if self.progress.finished < self.progress.wanted:
            self.need_worker()
            send_due(self.store, self.queue)
        self.show(self.progress)

    def _counted(self) -> Progress:
        wanted = self.progress.wanted
        counts = (
            self.store.jobs.count_batch(self.request.batch) if wanted and self.request.batch else {}
        )
        if sum(_states(counts)) < wanted:  # some vanished, or another run has taken them over
            counts = self.store.jobs.count_some(sorted(self._jobs))
        return replace(
            self.progress,
            indexed=counts.get("done:encoded", 0),
            known=counts.get("done:known", 0),
            # A file that was forgotten meanwhile took its job with it.
            gone=counts.get("done:gone", 0) + max(0, wanted - sum(_states(counts))),
            failed=counts.get("failed", 0),
        )


def _states(counts: dict[str, int]) -> Iterator[int]:
    return (count for name, count in counts.items() if ":" not in name)


def with_patience(database_url: str, work: Callable[[Store], T], tell: Callable[[str], None]) -> T:
    """What `work` returns; where the database goes away, again with a new connection when it is back.

    The first connection must succeed. Raises StoreError, also where it stays away for half an hour.
    """
    away_since_s: float | None = None
    has_begun = False
    while True:
        try:
            with open_store(database_url) as store:
                if away_since_s is not None:
                    tell("the database is back")
                away_since_s, has_begun = None, True
                return work(store)
        except StoreUnreachable as error:
            now_s = time.monotonic()
            if not has_begun or (away_since_s is not None and now_s - away_since_s > _AWAY_S):
                raise
            if away_since_s is None:
                away_since_s = now_s
                tell(f"{error}; going on when it is back")
            time.sleep(_RETRY_S)
