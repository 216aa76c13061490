"""Which jobs are sent to the workers, and which workers are alive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec

from mess_plugin.store.jobs import LOCKS_OF_WORKERS
from mess_plugin.store.paths import to_text
from mess_plugin.store.session import DbSession


class Due(msgspec.Struct, frozen=True):
    """A job that was claimed for sending."""

    job_id: int
    priority: int
    """From 0, the most urgent, to 9."""


class Pace(msgspec.Struct, frozen=True):
    """Throughput and latency of indexing."""

    jobs_per_s: float
    """Finished within the last minute."""
    median_s: float | None
    """Seconds from noticing a file until it is searchable, within the last hour; None without any."""
    late_s: float | None
    """The 95th percentile of the same."""


class Ended(msgspec.Struct, frozen=True):
    """A job that is over."""

    path: str
    state: str
    outcome: str
    at: datetime
    took_s: float
    """From noticing the file to the end of its job."""


class Dispatch:
    """Due jobs, sent jobs and throughput."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    @contextmanager
    def exclusive_lock(self) -> Iterator[bool]:
        """A transaction in which no other session dispatches; False where one does already."""
        with self._session.connection.transaction():
            yield bool(self._session.row("try_dispatch_lock")[0])

    def claim(self, limit: int) -> list[Due]:
        """Take up to `limit` due jobs for sending, the most urgent first."""
        found = [Due(*row) for row in self._session.rows("claim_due_jobs", limit=limit)]
        return sorted(found, key=lambda due: (due.priority, due.job_id))

    def sent(self) -> dict[int, float]:
        """Jobs whose message nobody has taken up yet, and how many seconds ago it was sent."""
        return dict(self._session.rows("list_sent_jobs"))

    def unsend(self, job_ids: Sequence[int]) -> None:
        """The messages of these jobs were lost: they are due again."""
        self._session.execute("unsend_jobs", ids=list(job_ids))

    def wait(self, timeout_s: float) -> None:
        """Return when somebody wants work, or after the time is up."""
        connection = self._session.connection
        connection.execute("LISTEN mess_work")
        for _ in connection.notifies(timeout=timeout_s, stop_after=1):
            pass

    def pace(self) -> Pace:
        """How it goes."""
        finished, median_s, late_s = self._session.row("measure_progress")
        return Pace(finished / 60.0, _number(median_s), _number(late_s))

    def failures(self) -> dict[str, int]:
        """Failed jobs by kind."""
        return dict(self._session.rows("count_failures"))

    def last(self, limit: int) -> list[Ended]:
        """What ended last, newest first."""
        rows = self._session.rows("list_last_jobs", limit=limit)
        return [Ended(to_text(path), *rest) for path, *rest in rows]


class Workers:
    """The workers that live. Each holds an advisory lock, which goes when its session ends."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def enter(self, host: str, pid: int, worker_id: int | None = None) -> int:
        """Introduce this worker, or hold an id again after the connection was lost; its id."""
        if worker_id is None:
            self._session.rows("delete_dead_workers", workers=LOCKS_OF_WORKERS)
            worker_id = int(self._session.row("add_worker", host=host, pid=pid)[0])
        else:
            self._session.execute("reenter_worker", worker_id=worker_id)
        self._session.row("lock_job", space=LOCKS_OF_WORKERS, job_id=worker_id)
        return worker_id

    def all(self) -> list[tuple[int, str, int, datetime]]:
        """(id, host, pid, since when) of each living worker."""
        return [tuple(row) for row in self._session.rows("list_workers", workers=LOCKS_OF_WORKERS)]


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
