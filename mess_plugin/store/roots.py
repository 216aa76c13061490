"""Watched folders, and what the last scan of each found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg.types.json import Jsonb

from mess_plugin.store.paths import storable, to_bytes, to_text
from mess_plugin.store.session import DbSession

LOCKS_OF_ROOTS = 0x4D455352  # "MESR": the first key of the advisory locks of watched folders


class Root(msgspec.Struct, frozen=True):
    """A watched folder."""

    path: str
    state: str
    """"watched"; "absent" where it is missing (then nothing below it is forgotten); "refused" where so
    many files vanished that a person must confirm it; "failing" where watching it ends in an error."""
    detail: str = ""
    """The reason of a state other than "watched"."""
    observer: str = ""
    """"inotify" or "polling"; "" where nothing observes it."""
    walked_at: datetime | None = None
    """End of the last complete scan."""
    passed_over: dict[str, int] = {}
    """Files without an audio suffix at the last scan: suffix → number."""
    left_out: dict[str, int] = {}
    """Ignored folders at the last scan: reason → number."""
    is_watched: bool = False
    """Whether a watcher is running now; the state is from this one or from the last."""


class Roots:
    """Watched folders."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save(self, root: Root) -> None:
        """Note the state of a folder; `walked_at` is left as it is."""
        self._session.execute(
            "save_root",
            path=to_bytes(root.path),
            state=root.state,
            detail=root.detail.encode("utf-8", "backslashreplace").decode(),
            observer=root.observer,
        )

    def hold(self, path: str) -> None:
        """This session watches a folder, for as long as it lasts."""
        self._session.row("hold_root", space=LOCKS_OF_ROOTS, path=to_bytes(path))

    def remember_mounts(self, path: str, mounts: Sequence[str]) -> None:
        """Something is mounted at these places below a watched folder."""
        self._session.execute(
            "remember_mounts", path=to_bytes(path), mounts=[to_bytes(one) for one in mounts]
        )

    def mounts(self) -> list[str]:
        """All places below watched folders where something was mounted once."""
        return [to_text(row[0]) for row in self._session.rows("list_mounts")]

    def forget_mounts(self, mounts: Sequence[str]) -> None:
        """Nothing will be mounted at these places again."""
        self._session.execute("forget_mounts", mounts=[to_bytes(one) for one in mounts])

    def begin_walk(self, path: str) -> None:
        """The folder is walked from now on: this meets whatever asked for a walk before."""
        self._session.execute("begin_walk", path=to_bytes(path))

    def walked(
        self, path: str, passed_over: Mapping[str, int], left_out: Mapping[str, int]
    ) -> None:
        """The folder was walked from end to end just now, and this was not looked at."""
        self._session.execute(
            "mark_walked",
            path=to_bytes(path),
            passed_over=Jsonb(_storable(passed_over)),
            left_out=Jsonb(_storable(left_out)),
        )

    def request_walks(self) -> None:
        """Ask whoever watches to walk all folders soon."""
        self._session.execute("request_walks")

    def wanted_walks(self, settle_s: float) -> list[str]:
        """Folders whose walk was asked for at least settle_s seconds ago."""
        return [
            to_text(row[0]) for row in self._session.rows("list_wanted_walks", settle_s=settle_s)
        ]

    def keep(self, paths: Sequence[str]) -> None:
        """Only these folders are watched from now on."""
        self._session.execute("keep_roots", paths=[to_bytes(path) for path in paths])

    def all(self) -> list[Root]:
        """All watched folders, in order of path."""
        return [
            Root(to_text(path), *rest)
            for path, *rest in self._session.rows("list_roots", space=LOCKS_OF_ROOTS)
        ]


def _storable(counts: Mapping[str, int]) -> dict[str, int]:
    return {str(storable(name)): count for name, count in counts.items()}
