"""Debouncing file events: a file is looked at once it has been quiet for a while."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mess_plugin.library.reconcile import Notice
from mess_plugin.library.walk import see
from mess_plugin.store.files import SeenFile


def open_for_writing(paths: Set[str]) -> set[str]:
    """Those of the absolute paths that some process on this machine has open for writing.

    Empty where there is no /proc; processes of other users and other machines stay unseen.
    """
    if not paths:
        return set()
    real = {os.path.realpath(path): path for path in paths}
    return {
        real[target]
        for link, target in _open_files()
        if target in real and real[target] in paths and _writes(link)
    }


def _open_files() -> Iterator[tuple[str, str]]:
    """(/proc/PID/fd/N, path) of every open file that may be looked at."""
    with suppress(OSError), os.scandir("/proc") as processes:
        for process in processes:
            if not process.name.isdigit():
                continue
            with suppress(OSError), os.scandir(f"{process.path}/fd") as files:
                for file in files:
                    with suppress(OSError):
                        yield file.path, os.readlink(file.path)  # noqa: PTH115  text keeps odd bytes


def _writes(link: str) -> bool:
    with suppress(OSError, ValueError, IndexError):
        text = Path(link.replace("/fd/", "/fdinfo/")).read_text(encoding="ascii")
        flags = next(line.split()[1] for line in text.splitlines() if line.startswith("flags:"))
        return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
    return False


@dataclass(slots=True)
class _Pending:
    noticed_at: datetime
    """Of the last event."""
    still_since_s: float
    """Monotonic time of the last change."""
    was_written: bool
    """Somebody wrote to the file."""
    looks_like: SeenFile | None = None


@dataclass(slots=True)
class Debounce:
    """Paths with recent events. Times are monotonic seconds, given by the caller."""

    settle_s: float
    written: Callable[[Set[str]], set[str]] = open_for_writing
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._pending)

    def touch(self, path: str, now_s: float, *, was_written: bool = False) -> None:
        """Something happened to a file: it has to lie still from now on."""
        before = self._pending.get(path)
        was_written = was_written or (before is not None and before.was_written)
        self._pending[path] = _Pending(datetime.now(UTC), now_s, was_written)

    def forget(self) -> None:
        """Drop everything, because a walk will find it."""
        self._pending.clear()

    def settled(self, now_s: float) -> tuple[dict[str, Notice], list[str]]:
        """(regular files that lie still, paths where there is nothing); both are not pending now.

        A file lies still when nothing that the system says of it has changed for settle_s and, as
        far as can be known, nobody has it open for writing.
        """
        still: dict[str, Notice] = {}
        gone: list[str] = []
        for path, pending in list(self._pending.items()):
            if pending.looks_like is not None and now_s - pending.still_since_s < self.settle_s:
                continue
            found = _look(path)
            if found is None:
                gone.append(path)
                del self._pending[path]
            elif found != pending.looks_like:
                if pending.looks_like is not None:
                    pending.still_since_s, pending.noticed_at = now_s, datetime.now(UTC)
                pending.looks_like = found
            elif now_s - pending.still_since_s >= self.settle_s:
                still[path] = Notice(pending.noticed_at, pending.was_written)
        for path in self.written(still.keys()):
            self._pending[path].still_since_s = now_s
            del still[path]
        for path in still:
            del self._pending[path]
        return still, gone


def _look(path: str) -> SeenFile | None:
    """A regular file as it is; None for anything else, which no walk would see."""
    try:
        return see(path)
    except OSError:
        return None
