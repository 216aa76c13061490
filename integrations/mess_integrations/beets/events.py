"""Listeners for beets' events: changes are passed to MESS, and no error of MESS reaches beets."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from logging import Logger
from typing import TYPE_CHECKING, Any

from beets.library import Album, Item, Library

if TYPE_CHECKING:
    from mess_plugin.config import Settings
    from mess_plugin.library.spool import Changes


class PathChanges:
    """Files touched, moved and removed by this process, coalesced; the last event of a path counts.

    Paths (beets' absolute bytes) identify files: beets reuses ids.
    """

    def __init__(self) -> None:
        self._touched: dict[str, None] = {}
        self._moved: dict[str, str] = {}  # new → old, so that chains become one move
        self._removed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._touched) + len(self._moved) + len(self._removed)

    def touch(self, path: bytes) -> None:
        """A file was imported or written."""
        name = os.fsdecode(path)
        self._touched[name] = None
        self._removed.pop(name, None)

    def move(self, source: bytes, destination: bytes) -> None:
        """A file moved. beets also reports moves to the same place."""
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
        """A file may be gone: beets also reports removals of files that it only imports again."""
        self._removed[os.fsdecode(path)] = None

    def take(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Return (touched, moved, removed) and clear them."""
        moved = tuple((old, new) for new, old in self._moved.items())
        taken = tuple(self._touched), moved, tuple(self._removed)
        self._touched, self._moved, self._removed = {}, {}, {}
        return taken


class ChangeListener:
    """Collects changes of files, and passes them to MESS at the end of the command.

    beets reports re-imports as removal and import with the same ids, and changes of tags as moves to
    the same place; so only paths are collected, and MESS looks at the disk.
    """

    def __init__(self, settings: Callable[[], Settings], log: Logger, limit_s: float) -> None:
        self._settings = settings
        self._log = log
        self._limit_s = limit_s
        self._changes = PathChanges()
        self._root = ""
        self._has_imported = False

    def listeners(self) -> dict[str, Callable[..., None]]:
        """Listeners by event. They never raise: an exception would abort the import."""
        listeners: dict[str, Callable[..., None]] = {
            "library_opened": self._opened,
            "album_imported": self._album_imported,
            "item_imported": self._item_imported,
            "item_moved": self._moved,
            "after_write": self._written,
            "item_removed": self._removed,
            "cli_exit": self._flush,
        }
        return {event: self._harmless(listener) for event, listener in listeners.items()}

    def _harmless(self, listener: Callable[..., None]) -> Callable[..., None]:
        def safely(**arguments: Any) -> None:
            try:
                listener(**arguments)
            except Exception as error:  # noqa: BLE001  beets must not fail
                self._log.warning(
                    "MESS was not told what changed; run `beet mess index` when it is well: {}",
                    error,
                )

        return safely

    def _opened(self, lib: Library) -> None:
        self._root = os.fsdecode(lib.directory)
        atexit.register(self._keep_rest)

    def _album_imported(self, lib: Library, album: Album) -> None:  # noqa: ARG002  beets' names
        self._has_imported = True
        for item in album.items():
            self._changes.touch(item.path)

    def _item_imported(self, lib: Library, item: Item) -> None:  # noqa: ARG002
        self._has_imported = True
        self._changes.touch(item.path)

    def _moved(self, item: Item, source: bytes, destination: bytes) -> None:  # noqa: ARG002
        self._changes.move(source, destination)

    def _written(self, item: Item, path: bytes) -> None:  # noqa: ARG002
        self._changes.touch(path)

    def _removed(self, item: Item) -> None:
        self._changes.remove(item.path)

    def _flush(self, lib: Library) -> None:
        self._root = os.fsdecode(lib.directory)
        if not len(self._changes):
            return
        from mess_integrations.beets.delivery import deliver, is_up  # noqa: PLC0415

        changes = self._take()
        trouble = deliver(self._settings(), changes, self._limit_s)
        if trouble is None and self._has_imported and not is_up(self._settings()):
            self._log.info(
                "new music is kept for MESS, which is not up: `beet mess index` hears it"
            )
        if trouble:
            text = f"{len(changes)} change{'s' * (len(changes) != 1)}"
            self._log.warning("{} kept until MESS can be told: {}", text, trouble)

    def _take(self) -> Changes:
        from mess_plugin.library.spool import Changes  # noqa: PLC0415

        return Changes(*self._changes.take(), self._root)

    def _keep_rest(self) -> None:
        """An interrupted command sends no cli_exit; its changes are kept nevertheless."""
        if len(self._changes):
            self._harmless(self._keep)()

    def _keep(self) -> None:
        from mess_plugin.library import spool  # noqa: PLC0415

        settings = self._settings()
        spool.keep(settings.home, self._take())
