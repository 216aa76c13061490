"""What beets does to files, noted in memory while it does it and coalesced."""

from __future__ import annotations

import os


class Collector:
    """Paths by what became of them, in order; the last word on a path counts.

    Ids are not kept: beets gives them out again. Paths are beets' absolute bytes.
    """

    def __init__(self) -> None:
        self._touched: dict[str, None] = {}
        self._moved: dict[str, str] = {}  # new → old: chains become one move
        self._removed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._touched) + len(self._moved) + len(self._removed)

    def touch(self, path: bytes) -> None:
        """A file is new or was written."""
        name = os.fsdecode(path)
        self._touched[name] = None
        self._removed.pop(name, None)

    def move(self, source: bytes, destination: bytes) -> None:
        """A file went elsewhere. beets also says so of files that stay."""
        old, new = os.fsdecode(source), os.fsdecode(destination)
        if old == new:
            return
        self._moved[new] = self._moved.pop(old, old)
        if old in self._touched:
            del self._touched[old]
            self._touched[new] = None
        if self._moved[new] == new:  # there and back again
            del self._moved[new]
            self._touched[new] = None

    def remove(self, path: bytes) -> None:
        """A file is perhaps gone: beets says so of files that it only reads again, too."""
        self._removed[os.fsdecode(path)] = None

    def take(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], tuple[str, ...]]:
        """(touched, moved, removed), and start afresh."""
        moved = tuple((old, new) for new, old in self._moved.items())
        taken = tuple(self._touched), moved, tuple(self._removed)
        self.__init__()  # type: ignore[misc]
        return taken
