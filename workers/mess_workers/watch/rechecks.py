"""What has to be checked again: deletions that were held back, and paths that just changed.

Events tell of the past. Between an event and its answer the folder goes on changing, and other
processes write to the ledger; so what moved or vanished is looked at once more when it is quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from mess_plugin.library.pruning import Pruned

_ASK_AGAIN_S = 5.0  # between two checks of held deletions
_COST_FACTOR = 20  # … and at least so many times what the last check took
_QUIET_S = 3.0  # nothing more changed for so long
_AT_MOST_S = 20.0  # … but one that never ends is not waited for


@dataclass(slots=True)
class HeldDeletions:
    """Deletions that were not believed. reason: why; "" where there are none."""

    reason: str = ""
    paths: Set[str] = frozenset()
    _next_s: float = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether it is time to check them again."""
        return bool(self.paths) and now_s >= self._next_s

    def update(self, pruned: Pruned, now_s: float, took_s: float = 0.0) -> bool:
        """Take the result of a check. Returns whether the reason changed."""
        before, self.reason = self.reason, pruned.refused or ""
        self.paths = pruned.held
        self._next_s = now_s + max(_ASK_AGAIN_S, _COST_FACTOR * took_s)
        return before != self.reason


@dataclass(slots=True)
class DirtyPaths:
    """Folders that were made, moved or removed, and files that vanished. Times are monotonic."""

    folders: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    _first_s: float = 0.0
    _last_s: float = 0.0

    def note(self, now_s: float, folders: Iterable[str] = (), vanished: Iterable[str] = ()) -> None:
        """These changed now."""
        if not self.folders and not self.vanished:
            self._first_s = now_s
        self._last_s = now_s
        self.folders.update(folders)
        self.vanished.update(vanished)

    def is_quiet(self, now_s: float) -> bool:
        """Whether there is anything, and it has been quiet for _QUIET_S, or _AT_MOST_S has passed."""
        if not self.folders and not self.vanished:
            return False
        return now_s - self._last_s >= _QUIET_S or now_s - self._first_s >= _AT_MOST_S

    def take(self) -> tuple[list[str], list[str]]:
        """Return and clear the top-level dirty folders and the vanished files."""
        tops: list[str] = []
        for folder in sorted(self.folders, key=lambda path: (*path.split("/"),)):
            if not tops or not folder.startswith(tops[-1].rstrip("/") + "/"):
                tops.append(folder)
        vanished = sorted(self.vanished)
        self.folders, self.vanished = set(), set()
        return tops, vanished
