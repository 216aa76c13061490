"""The ledger: which files are known, which work on them is wanted, and how it went.

A job is locked by an advisory lock of the session that runs it. When its process dies, so does the
lock: no lease to wait for, and nothing ever runs twice at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from mess_plugin.model import Tags
from mess_plugin.store.paths import searchable, to_bytes, to_text
from mess_plugin.store.session import Session

_LOCK_SPACE = 0x4D455353  # "MESS": the first key of the advisory locks of jobs


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as the walk found it."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What became of a group of seen files. job_ids: the work to send."""

    job_ids: tuple[int, ...]
    unchanged: int
    failed_before: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is locked and running in this session."""

    id: int
    recipe: str
    attempts: int
    file_id: int
    path: str
    size_bytes: int
    mtime_ns: int
    track_id: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not become music."""

    path: str
    recipe: str
    kind: str
    reason: str
    attempts: int
    failed_at: datetime


class Ledger:
    """Files and jobs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def want(
        self,
        files: Sequence[SeenFile],
        recipe: str,
        batch: UUID,
        *,
        retry_failed: bool = False,
        force: bool = False,
    ) -> Wanted:
        """Note files and want work for each that is new, changed or unfinished.

        retry_failed: also for those that failed and have not changed; force: for all.
        """
        row = self._session.row(
            "want_files",
            paths=[to_bytes(file.path) for file in files],
            sizes=[file.size_bytes for file in files],
            mtimes=[file.mtime_ns for file in files],
            recipe=recipe,
            batch=batch,
            retry=retry_failed,
            force=force,
        )
        return Wanted(tuple(row[0]), row[1], row[2])

    def lock(self, job_id: int) -> bool:
        """Take a job for this session; False where another session has it."""
        return bool(self._session.row("lock_job", space=_LOCK_SPACE, job_id=job_id)[0])

    def unlock(self, job_id: int) -> None:
        """Give the lock back."""
        self._session.row("unlock_job", space=_LOCK_SPACE, job_id=job_id)

    def start(self, job_id: int, forgiven: int = 0) -> Job | None:
        """Begin a locked job and count the attempt; None where there is nothing left to do.

        forgiven: earlier attempts that do not count, because not the file but the database failed.
        """
        rows = self._session.rows("start_job", job_id=job_id, forgiven=forgiven)
        if not rows:
            return None
        found, recipe, attempts, file_id, path, size_bytes, mtime_ns, track_id = rows[0]
        return Job(found, recipe, attempts, file_id, to_text(path), size_bytes, mtime_ns, track_id)

    def finish(self, job_id: int, outcome: str) -> None:
        """The job is done; outcome says how ("encoded", "known", "gone")."""
        self._session.execute("finish_job", job_id=job_id, outcome=outcome)

    def fail(self, job_id: int, kind: str, reason: str) -> None:
        """The job cannot be done; the reason is for people."""
        self._session.execute("fail_job", job_id=job_id, kind=kind, reason=reason.replace("\0", ""))

    def give_back(self, job_id: int, kind: str, reason: str) -> None:
        """The job could not be done now; it stays wanted."""
        self._session.execute(
            "give_back_job", job_id=job_id, kind=kind, reason=reason.replace("\0", "")
        )

    def recover(self) -> list[int]:
        """Want again what died while running. Returns the job ids."""
        return [row[0] for row in self._session.rows("recover_jobs", space=_LOCK_SPACE)]

    def count_batch(self, batch: UUID) -> dict[str, int]:
        """Jobs of a batch by state; done ones by outcome ("done:encoded", …) as well."""
        counts: dict[str, int] = {}
        for state, outcome, count in self._session.rows("count_batch", batch=batch):
            counts[state] = counts.get(state, 0) + count
            if outcome:
                counts[f"{state}:{outcome}"] = count
        return counts

    def count_jobs(self) -> dict[str, dict[str, int]]:
        """All jobs: recipe → state → number."""
        counts: dict[str, dict[str, int]] = {}
        for recipe, state, count in self._session.rows("count_jobs"):
            counts.setdefault(recipe, {})[state] = count
        return counts

    def failures(self, limit: int = 1000) -> list[Failure]:
        """What failed, newest first."""
        return [
            Failure(to_text(path), recipe, kind or "unknown", reason or "", attempts, finished_at)
            for path, recipe, kind, reason, attempts, finished_at in self._session.rows(
                "list_failures", limit=limit
            )
        ]

    def locate(self, file_id: int, path: str, track_id: int, tags: Tags) -> None:
        """The file holds this recording and says this about itself."""
        self._session.execute(
            "locate_file",
            file_id=file_id,
            track_id=track_id,
            words=searchable(path, tags),
            **{name: _clean(value) for name, value in asdict(tags).items()},
        )

    def unlocate(self, file_id: int) -> None:
        """The file holds no recording any more."""
        self._session.execute("unlocate_file", file_id=file_id)

    def known_paths(self, roots: Sequence[str]) -> dict[str, int]:
        """Known files that are, or are below, the given absolute paths: path → file id."""
        rows = self._session.rows(
            "list_paths",
            exact=[to_bytes(root) for root in roots],
            prefixes=[to_bytes(root.rstrip("/") + "/") for root in roots],
        )
        return {to_text(path): file_id for file_id, path in rows}

    def forget_files(self, file_ids: Sequence[int]) -> None:
        """Remove locations, and recordings that lie nowhere any more."""
        with self._session.connection.transaction():
            self._session.execute("delete_files", ids=list(file_ids))
            self.forget_orphans()

    def forget_orphans(self) -> None:
        """Remove recordings that lie nowhere."""
        self._session.execute("delete_orphans")


def _clean(value: object) -> object:
    """Postgres text takes neither NUL nor lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return value
