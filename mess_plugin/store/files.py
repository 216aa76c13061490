"""The ledger's files: what lies where, what is missing, and which recording each file holds."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Self

import msgspec

from mess_plugin.model import Tags
from mess_plugin.store.paths import folded_tags, searchable, storable, to_bytes, to_text
from mess_plugin.store.session import DbSession


class SeenFile(msgspec.Struct, frozen=True):
    """A file as it was seen. Make one with `SeenFile.of`, which stores whatever a file system says."""

    path: str
    size_bytes: int
    mtime_ns: int
    """Of the last change of its content, as somebody may have set it; nanoseconds since 1970."""
    noticed_at: datetime | None = None
    """When it was first known to be new or changed, None for now."""
    ctime_ns: int | None = None
    """Of the last change of content, name or rights, which nobody can set; None where unknown."""
    inode: int | None = None
    """The file's number; None where unknown or where the file system does not keep it."""
    was_written: bool = False
    """Somebody was seen writing to it: it is read again even if all else is as before."""

    @classmethod
    def of(cls, path: str, found: os.stat_result, *, keeps_inodes: bool = True) -> Self:
        """A file by what the system says of it.

        Times before 1677 and after 2262 count as these, since nanoseconds take 64 bits; inodes keep
        all their bits.
        """
        return cls(
            path,
            _clamped(found.st_size),
            _clamped(found.st_mtime_ns),
            ctime_ns=_clamped(found.st_ctime_ns),
            inode=_signed(found.st_ino) if keeps_inodes else None,
        )


class Files:
    """Known files. None of the methods looks at the disk."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

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
            **{name: storable(value) for name, value in msgspec.structs.asdict(tags).items()},
        )
        self.forget_orphans(_held(rows) - {track_id})
        return bool(rows)

    def detach(self, file_id: int) -> None:
        """The file holds no recording any more; what it held may go."""
        self.forget_orphans(_held(self._session.rows("detach_file", file_id=file_id)))

    def known_paths(self, roots: Sequence[str], *, with_missing: bool = True) -> dict[str, int]:
        """Known files that are, or are below, the given absolute paths: path → file id.

        with_missing: also those that are marked missing and not forgotten yet.
        """
        rows = self._session.rows("list_paths", **_at_or_below(roots))
        return {
            to_text(path): file_id
            for file_id, path, is_missing in rows
            if with_missing or not is_missing
        }

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

    def count_some_there(self, root: str, gone: Sequence[str], limit: int) -> int:
        """How many recordings below a folder are there, `gone` left out, in at most `limit` files."""
        row = self._session.row(
            "count_some_there",
            prefix=to_bytes(root.rstrip("/") + "/"),
            gone=[to_bytes(path) for path in gone],
            limit=limit,
        )
        return int(row[0])

    def mark_missing(self, paths: Sequence[str]) -> int:
        """Files that are not there now: hidden at once, forgotten later. Returns how many are new."""
        return len(self._session.rows("mark_missing", paths=[to_bytes(path) for path in paths]))

    def count_missing(self) -> int:
        """Files that are missed and not forgotten yet."""
        return int(self._session.row("count_missing_files")[0])

    def forget_missing(self, grace_s: float) -> int:
        """Forget what has been missed for longer than a grace time. Returns how many files."""
        with self._session.connection.transaction():
            gone = self._session.rows("delete_missing_files", grace_s=grace_s)
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

    def forget_files(self, file_ids: Sequence[int]) -> None:
        """Remove locations, and recordings that lie nowhere any more."""
        with self._session.connection.transaction():
            rows = self._session.rows("delete_files", ids=list(file_ids))
            self.forget_orphans(_held(rows))

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


_MOST = 2**63 - 1


def _clamped(number: int) -> int:
    return max(-_MOST - 1, min(number, _MOST))


def _signed(number: int) -> int:
    """64 bits as Postgres has them: with a sign."""
    bits = number % 2**64
    return bits - 2**64 if bits > _MOST else bits
