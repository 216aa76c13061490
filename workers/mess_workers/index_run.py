"""Feeding a walk into the ledger and the ledger into the broker, with the end in sight.

The broker never holds more than a bounded part of what is wanted. All the rest waits in Postgres,
where neither an interrupted command nor a lost broker can lose it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID, uuid4

import msgspec
from msgspec.structs import replace

from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile
from mess_workers.broker import Queue
from mess_workers.delivery import send_due

NOTE_FILES = 500  # noted in one statement
POLL_S = 0.2


class Progress(msgspec.Struct, frozen=True):
    """How far a feeding has come. failed counts this run; failed_before, unchanged earlier ones."""

    seen: int = 0
    wanted: int = 0
    unchanged: int = 0
    failed_before: int = 0
    indexed: int = 0
    known: int = 0
    gone: int = 0
    failed: int = 0
    walked: bool = False

    @property
    def finished(self) -> int:
        """Jobs of this run that are over."""
        return self.indexed + self.known + self.gone + self.failed


@dataclass(slots=True)
class Feeding:
    """One run of `mess index`: call `run` once."""

    store: Store
    queue: Queue
    need_worker: Callable[[], None]
    recipe: str
    retry_failed: bool = False
    force: bool = False
    batch: UUID = field(default_factory=uuid4)
    paths: set[str] = field(default_factory=set)
    progress: Progress = field(default_factory=Progress)
    _jobs: list[int] = field(default_factory=list)

    def run(
        self, files: Iterable[SeenFile], show: Callable[[Progress], None], check: Callable[[], None]
    ) -> Progress:
        """Want, send and wait until every job of this run is over.

        show is called with each new state; check is called while waiting and may raise, for example
        because the worker died.
        """
        for group in _groups(self._once(files)):
            self._note(group)
            self._advance(show)
        self.progress = replace(self.progress, walked=True)
        while self.progress.finished < self.progress.wanted:
            self._advance(show)
            check()
            time.sleep(POLL_S)
        show(self.progress)
        return self.progress

    def _once(self, files: Iterable[SeenFile]) -> Iterator[SeenFile]:
        """Each file once: the folders of a command may lie inside each other."""
        for file in files:
            if file.path not in self.paths:
                self.paths.add(file.path)
                yield file

    def _note(self, group: list[SeenFile]) -> None:
        result = self.store.jobs.enqueue(
            group, self.recipe, self.batch, retry_failed=self.retry_failed, force=self.force
        )
        self._jobs.extend(result.job_ids)
        now = self.progress
        self.progress = replace(
            now,
            seen=now.seen + len(group),
            wanted=now.wanted + len(result.job_ids),
            unchanged=now.unchanged + result.unchanged,
            failed_before=now.failed_before + result.failed_before,
        )

    def _advance(self, show: Callable[[Progress], None]) -> None:
        self.progress = self._counted()
        if self.progress.finished < self.progress.wanted:
            self.need_worker()
            send_due(self.store, self.queue)
        show(self.progress)

    def _counted(self) -> Progress:
        wanted = self.progress.wanted
        counts = self.store.jobs.count_batch(self.batch) if wanted else {}
        if sum(_states(counts)) < wanted:  # some vanished, or another run has taken them over
            counts = self.store.jobs.count_some(self._jobs)
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


def _groups(files: Iterable[SeenFile]) -> Iterator[list[SeenFile]]:
    walk = iter(files)
    while group := list(islice(walk, NOTE_FILES)):
        yield group
