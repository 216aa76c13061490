"""What a watched folder has to be asked about again: deletions in doubt, and what was stirred up.

Events tell of the past. Between an event and its answer the folder goes on changing, and other
processes write to the ledger; so what moved or vanished is looked at once more when it is quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from mess_plugin.library.pruning import Pruned

_ASK_S = 5.0  # between two questions about files in doubt
_COST = 20  # … and at least so many times what the question took
_QUIET_S = 3.0  # nothing more was stirred up for so long
_LONGEST_S = 20.0  # … but one that never ends is not waited for


@dataclass(slots=True)
class Doubts:
    """Vanished files that were too many to be believed. reason: why; "" where there are none."""

    reason: str = ""
    paths: Set[str] = frozenset()
    _next_s: float = 0.0

    def are_due(self, now_s: float) -> bool:
        """Whether it is time to ask about them again."""
        return bool(self.paths) and now_s >= self._next_s

    def settle(self, pruned: Pruned, now_s: float, took_s: float = 0.0) -> bool:
        """They were asked about, with this answer. Whether the reason is another one now."""
        before, self.reason = self.reason, pruned.refused or ""
        self.paths = pruned.held
        self._next_s = now_s + max(_ASK_S, _COST * took_s)
        return before != self.reason


@dataclass(slots=True)
class Stirred:
    """Folders that were made, moved or removed, and files that vanished. Times are monotonic."""

    folders: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    _first_s: float = 0.0
    _last_s: float = 0.0

    def note(self, now_s: float, folders: Iterable[str] = (), vanished: Iterable[str] = ()) -> None:
        """These were stirred up now."""
        if not self.folders and not self.vanished:
            self._first_s = now_s
        self._last_s = now_s
        self.folders.update(folders)
        self.vanished.update(vanished)

    def is_over(self, now_s: float) -> bool:
        """Whether there is something to look at, and it is quiet, or was not for too long."""
        if not self.folders and not self.vanished:
            return False
        return now_s - self._last_s >= _QUIET_S or now_s - self._first_s >= _LONGEST_S

    def take(self) -> tuple[list[str], list[str]]:
        """(folders, none inside another; vanished files), which are forgotten here."""
        tops: list[str] = []
        for folder in sorted(self.folders, key=lambda path: (*path.split("/"),)):
            if not tops or not folder.startswith(tops[-1].rstrip("/") + "/"):
                tops.append(folder)
        vanished = sorted(self.vanished)
        self.folders, self.vanished = set(), set()
        return tops, vanished
