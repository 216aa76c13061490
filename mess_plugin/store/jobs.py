"""The ledger's jobs: which files are to be indexed by which recipe, and how it went.

A job is locked by an advisory lock of the session that runs it. When its process dies, so does the
lock: no lease to wait for, and nothing ever runs twice at the same time. `dispatch.py` has the part
that decides what is sent to the workers.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from mess_plugin.store.files import SeenFile
from mess_plugin.store.paths import LONGEST_PATH, storable, stored, to_bytes, to_text
from mess_plugin.store.session import DbSession

LOCKS_OF_JOBS = 0x4D455353  # "MESS": the first key of the advisory locks of jobs
LOCKS_OF_WORKERS = 0x4D455357  # "MESW": … of workers


class Enqueued(msgspec.Struct, frozen=True):
    """The result of `Jobs.enqueue`."""

    job_ids: tuple[int, ...]
    """Jobs to be done."""
    unchanged: int
    """Files that are done and have not changed."""
    failed_before: int
    """Files that failed before and have not changed."""


class Job(msgspec.Struct, frozen=True):
    """A job that is locked and running in this session."""

    id: int
    recipe: str
    attempts: int
    """Times it was begun, this one included."""
    interruptions: int
    """Times that do not count as attempts, because the whole worker or the database went away."""
    file_id: int
    path: str
    size_bytes: int
    mtime_ns: int


class Failure(msgspec.Struct, frozen=True):
    """A failed job and its file."""

    path: str
    recipe: str
    kind: str
    reason: str
    attempts: int
    failed_at: datetime


class Jobs:
    """Jobs: one file by one recipe each."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def enqueue(
        self,
        files: Sequence[SeenFile],
        recipe: str,
        batch: UUID | None = None,
        *,
        retry_failed: bool = False,
        force: bool = False,
    ) -> Enqueued:
        """Note files and want work for each that is new, changed or unfinished.

        retry_failed: also for those that failed and have not changed; force: for all.
        """
        with self._session.connection.transaction():
            row = self._session.row(
                "enqueue_files",
                paths=[to_bytes(file.path) for file in files],
                sizes=[file.size_bytes for file in files],
                mtimes=[file.mtime_ns for file in files],
                ctimes=[file.ctime_ns for file in files],
                inodes=[file.inode for file in files],
                written=[file.was_written for file in files],
                noticed=[file.noticed_at for file in files],
                recipe=recipe,
                batch=batch,
                retry=retry_failed,
                force=force,
            )
            for file in files:
                if stored(file.path) != file.path:
                    self._refuse(file.path)
        if row[0]:
            self._session.rows("announce_work")
        return Enqueued(tuple(row[0]), row[1], row[2])

    def retry(self, paths: Sequence[str] | None = None) -> int:
        """Want failed files again, as if they were new. Returns how many. paths: None for all."""
        asked = None if paths is None else [to_bytes(path) for path in paths]
        found = self._session.rows("retry_failed_jobs", paths=asked)
        if found:
            self._session.rows("announce_work")
        return len(found)

    def _refuse(self, path: str) -> None:
        """A file that no worker can be told of: its jobs fail at once."""
        reason = (
            f"its path has {len(os.fsencode(path))} bytes, and at most {LONGEST_PATH} can be kept: "
            "shorten the names of its folders"
        )
        self._session.execute(
            "refuse_file", path=to_bytes(path), kind="name-too-long", reason=reason
        )

    def lock(self, job_id: int) -> bool:
        """Take a job for this session; False where another session has it."""
        return bool(self._session.row("lock_job", space=LOCKS_OF_JOBS, job_id=job_id)[0])

    def unlock(self, job_id: int) -> None:
        """Give the lock back."""
        self._session.row("unlock_job", space=LOCKS_OF_JOBS, job_id=job_id)

    def start(self, job_id: int, worker_id: int | None = None) -> Job | None:
        """Begin a locked job and count the attempt; None where there is nothing left to do.

        worker_id: the worker that this process belongs to, see `Workers.enter`.
        """
        rows = self._session.rows("start_job", job_id=job_id, worker_id=worker_id)
        if not rows:
            return None
        found, recipe, attempts, interruptions, file_id, path, *seen = rows[0]
        return Job(found, recipe, attempts, interruptions, file_id, to_text(path), *seen)

    def finish(self, job_id: int, outcome: str) -> None:
        """The job is done; outcome says how ("encoded", "known", "gone")."""
        self._session.execute("finish_job", job_id=job_id, outcome=outcome)

    def fail(self, job_id: int, kind: str, reason: str) -> None:
        """The job cannot be done; the reason is for people."""
        self._session.execute("fail_job", job_id=job_id, kind=kind, reason=storable(reason))

    def give_back(
        self, job_id: int, kind: str, reason: str, wait_s: float, *, excused: bool = False
    ) -> None:
        """The job could not be done now; it stays wanted and waits.

        excused: the attempt does not count, because the file had no part in its failure.
        """
        self._session.execute(
            "give_back_job",
            job_id=job_id,
            kind=kind,
            reason=storable(reason),
            wait_s=wait_s,
            excused=int(excused),
        )

    def postpone(self, job_id: int, wait_s: float) -> None:
        """Somebody else still works at this job from before it was wanted again: come back later."""
        self._session.execute("postpone_job", job_id=job_id, wait_s=wait_s)

    def recover(self, job_ids: Sequence[int] | None = None) -> list[int]:
        """Want again what died while running (None: look at all jobs). Returns the job ids."""
        rows = self._session.rows(
            "recover_jobs",
            space=LOCKS_OF_JOBS,
            workers=LOCKS_OF_WORKERS,
            ids=None if job_ids is None else list(job_ids),
        )
        return [row[0] for row in rows]

    def count_batch(self, batch: UUID) -> dict[str, int]:
        """Jobs of a batch by state; done ones by outcome ("done:encoded", …) as well."""
        return _counts(self._session.rows("count_batch", batch=batch))

    def count_some(self, job_ids: Sequence[int]) -> dict[str, int]:
        """The same of some jobs, also where another batch has taken them over."""
        return _counts(self._session.rows("count_some_jobs", ids=list(job_ids)))

    def count_jobs(self) -> dict[str, dict[str, int]]:
        """All jobs: recipe → state → number."""
        counts: dict[str, dict[str, int]] = {}
        for recipe, state, count in self._session.rows("count_jobs"):
            counts.setdefault(recipe, {})[state] = count
        return counts

    def failures(self, limit: int = 1000, among: Collection[str] | None = None) -> list[Failure]:
        """What failed, newest first. among: files at these paths only."""
        return [
            Failure(to_text(path), recipe, kind or "unknown", reason or "", attempts, finished_at)
            for path, recipe, kind, reason, attempts, finished_at in self._session.rows(
                "list_failures",
                limit=limit,
                paths=None if among is None else [to_bytes(path) for path in among],
            )
        ]


def _counts(rows: Sequence[tuple[str, str, int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state, outcome, count in rows:
        counts[state] = counts.get(state, 0) + count
        if outcome:
            counts[f"{state}:{outcome}"] = count
    return counts
