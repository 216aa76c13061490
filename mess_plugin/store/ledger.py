"""The ledger: which files are known, which work on them is wanted, and how it went.

A job is locked by an advisory lock of the session that runs it. When its process dies, so does the
lock: no lease to wait for, and nothing ever runs twice at the same time. `dispatch.py` has the part
of the ledger that decides what is sent to the workers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from mess_plugin.model import Tags
from mess_plugin.store.paths import folded_tags, searchable, to_bytes, to_text
from mess_plugin.store.session import Session

LOCKS_OF_JOBS = 0x4D455353  # "MESS": the first key of the advisory locks of jobs
LOCKS_OF_WORKERS = 0x4D455357  # "MESW": … of workers


class SeenFile(msgspec.Struct, frozen=True):
    """A file as the walk found it. noticed_at: when it was first known to be new, None for now."""

    path: str
    size_bytes: int
    mtime_ns: int
    noticed_at: datetime | None = None


class Wanted(msgspec.Struct, frozen=True):
    """What became of a group of seen files: the jobs that want doing, and how many files do not."""

    job_ids: tuple[int, ...]
    unchanged: int
    failed_before: int


class Job(msgspec.Struct, frozen=True):
    """A job that is locked and running in this session.

    attempts: times it was begun, this one included; interruptions: times that do not count among
    them, because its whole worker or the database went away.
    """

    id: int
    recipe: str
    attempts: int
    interruptions: int
    file_id: int
    path: str
    size_bytes: int
    mtime_ns: int


class Failure(msgspec.Struct, frozen=True):
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
        batch: UUID | None = None,
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
            noticed=[file.noticed_at for file in files],
            recipe=recipe,
            batch=batch,
            retry=retry_failed,
            force=force,
        )
        if row[0]:
            self._session.rows("announce_work")
        return Wanted(tuple(row[0]), row[1], row[2])

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
        self._session.execute("fail_job", job_id=job_id, kind=kind, reason=_clean(reason))

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
            reason=_clean(reason),
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

    def failures(self, limit: int = 1000) -> list[Failure]:
        """What failed, newest first."""
        return [
            Failure(to_text(path), recipe, kind or "unknown", reason or "", attempts, finished_at)
            for path, recipe, kind, reason, attempts, finished_at in self._session.rows(
                "list_failures", limit=limit
            )
        ]

    def locate(self, file_id: int, path: str, track_id: int, tags: Tags) -> bool:
        """The file holds this recording and says this about itself; what it held before may go.

        False, and nothing is noted, where the file has been renamed or forgotten meanwhile.
        """
        rows = self._session.rows(
            "locate_file",
            file_id=file_id,
            path=to_bytes(path),
            track_id=track_id,
            **folded_tags(path, tags),
            **{name: _clean(value) for name, value in msgspec.structs.asdict(tags).items()},
        )
        self.forget_orphans(_held(rows) - {track_id})
        return bool(rows)

    def unlocate(self, file_id: int) -> None:
        """The file holds no recording any more; what it held may go."""
        self.forget_orphans(_held(self._session.rows("unlocate_file", file_id=file_id)))

    def known_paths(self, roots: Sequence[str], *, with_missed: bool = True) -> dict[str, int]:
        """Known files that are, or are below, the given absolute paths: path → file id.

        with_missed: also those that were not there at the last look and are not forgotten yet.
        """
        rows = self._session.rows("list_paths", **_at_or_below(roots))
        return {
            to_text(path): file_id
            for file_id, path, missed, *_ in rows
            if with_missed or not missed
        }

    def known_files(self, roots: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Known files at or below absolute paths, unless missed: path → (size, mtime_ns)."""
        rows = self._session.rows("list_paths", **_at_or_below(roots))
        return {to_text(path): (size, mtime) for _, path, missed, size, mtime in rows if not missed}

    def known_among(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that are known and not missed yet."""
        rows = self._session.rows("find_known", paths=[to_bytes(path) for path in paths])
        return [to_text(row[0]) for row in rows]

    def sample_files(self, limit: int) -> list[tuple[str, int]]:
        """(path, size in bytes) of some files that should be there, spread over the library."""
        return [
            (to_text(path), size) for path, size in self._session.rows("sample_files", limit=limit)
        ]

    def count_below(self, root: str, gone: Sequence[str]) -> tuple[int, int]:
        """Known recordings at or below an absolute path: how many are there, and how many are lost.

        Lost are those that lay in files now missed, or in `gone`, and lie nowhere else. A file that
        was not heard yet counts as a recording.
        """
        n_there, n_lost = self._session.row(
            "count_below",
            path=to_bytes(root),
            prefix=to_bytes(root.rstrip("/") + "/"),
            gone=[to_bytes(path) for path in gone],
        )
        return n_there, n_lost

    def some_there(self, root: str, gone: Sequence[str], limit: int) -> int:
        """How many recordings below a folder are there, `gone` left out, in at most `limit` files."""
        row = self._session.row(
            "count_some_there",
            prefix=to_bytes(root.rstrip("/") + "/"),
            gone=[to_bytes(path) for path in gone],
            limit=limit,
        )
        return int(row[0])

    def miss(self, paths: Sequence[str]) -> int:
        """Files that are not there now: hidden at once, forgotten later. Returns how many are new."""
        return len(self._session.rows("miss_files", paths=[to_bytes(path) for path in paths]))

    def count_missed(self) -> int:
        """Files that are missed and not forgotten yet."""
        return int(self._session.row("count_missed_files")[0])

    def forget_missed(self, grace_s: float) -> int:
        """Forget what has been missed for longer than a grace time. Returns how many files."""
        with self._session.connection.transaction():
            gone = self._session.rows("delete_missed_files", grace_s=grace_s)
            if gone:
                self.forget_orphans()
        return len(gone)

    def rename(self, old: str, new: str) -> list[str]:
        """A file, or a folder with everything below it, has a new name. Returns the new paths."""
        with self._session.connection.transaction():
            rows = self._session.rows("rename_files", old=to_bytes(old), new=to_bytes(new))
            for file_id, path, title, artist, album in rows:
                tags = Tags(title=title, artist=artist, album=album)
                words = searchable(to_text(path), tags)
                self._session.execute("save_words", file_id=file_id, words=words)
        return [to_text(row[1]) for row in rows]

    def forget_files(self, file_ids: Sequence[int]) -> None:
        """Remove locations, and recordings that lie nowhere any more."""
        with self._session.connection.transaction():
            rows = self._session.rows("delete_files", ids=list(file_ids))
            self.forget_orphans(_held(rows))

    def move_files(self, moves: Sequence[tuple[str, str]]) -> None:
        """Note that files now lie elsewhere, with their recordings; unknown ones are passed over.

        Where the new location is known already, the old one is left as it is.
        """
        if moves:
            self._session.execute(
                "move_files",
                old=[to_bytes(old) for old, _ in moves],
                new=[to_bytes(new) for _, new in moves],
            )

    def forget_paths(self, paths: Sequence[str]) -> None:
        """Remove the locations at some paths; unknown ones are passed over."""
        if paths:
            rows = self._session.rows("find_files", paths=[to_bytes(path) for path in paths])
            if rows:
                self.forget_files([row[0] for row in rows])

    def count_paths(self, paths: Sequence[str]) -> tuple[int, int, int]:
        """How many of some paths hold a recording, how many failed, and how many are unknown."""
        row = self._session.row("count_paths", paths=[to_bytes(path) for path in paths])
        return row[0], row[1], row[2]

    def forget_orphans(self, among: Collection[int] | None = None) -> None:
        """Remove recordings that lie nowhere. among: look at these only, None for all."""
        if among is None:
            self._session.execute("delete_orphans")
        elif among:
            self._session.execute("delete_orphans_among", ids=sorted(among))


def _at_or_below(roots: Sequence[str]) -> dict[str, list[bytes]]:
    return {
        "exact": [to_bytes(root) for root in roots],
        "prefixes": [to_bytes(root.rstrip("/") + "/") for root in roots],
    }


def _held(rows: Sequence[tuple[int | None]]) -> set[int]:
    """The recordings that files held, by their column track_id."""
    return {track_id for (track_id,) in rows if track_id is not None}


def _counts(rows: Sequence[tuple[str, str, int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state, outcome, count in rows:
        counts[state] = counts.get(state, 0) + count
        if outcome:
            counts[f"{state}:{outcome}"] = count
    return counts


def _clean(value: object) -> object:
    """Postgres text takes neither NUL nor lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return value
