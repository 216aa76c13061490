"""What beets does reaches MESS, and nothing that MESS does reaches beets."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from logging import Logger
from typing import TYPE_CHECKING, Any

from beets.library import Album, Item, Library

from mess_integrations.beets.collecting import Collector

if TYPE_CHECKING:
    from mess_plugin.config import Settings
    from mess_plugin.library.spool import Changes


class News:
    """Listeners that note what happens to files, and pass it on when the command is over.

    Re-imports come as removed and imported with the same ids, changes of tags as moves to the same
    place: what is noted is paths, and the disk has the last word.
    """

    def __init__(self, settings: Callable[[], Settings], log: Logger, limit_s: float) -> None:
        self._settings = settings
        self._log = log
        self._limit_s = limit_s
        self._collector = Collector()
        self._root = ""

    def listeners(self) -> dict[str, Callable[..., None]]:
        """Event → listener. None of them raises: an exception here would end an import."""
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
            except Exception as error:  # noqa: BLE001  the border to the host
                self._log.warning(
                    "MESS was not told what changed; run `beet mess index` when it is well: {}",
                    error,
                )

        return safely

    def _opened(self, lib: Library) -> None:
        self._root = os.fsdecode(lib.directory)
        atexit.register(self._keep_rest)

    def _album_imported(self, lib: Library, album: Album) -> None:  # noqa: ARG002  beets' names
        for item in album.items():
            self._collector.touch(item.path)

    def _item_imported(self, lib: Library, item: Item) -> None:  # noqa: ARG002
        self._collector.touch(item.path)

    def _moved(self, item: Item, source: bytes, destination: bytes) -> None:  # noqa: ARG002
        self._collector.move(source, destination)

    def _written(self, item: Item, path: bytes) -> None:  # noqa: ARG002
        self._collector.touch(path)

    def _removed(self, item: Item) -> None:
        self._collector.remove(item.path)

    def _flush(self, lib: Library) -> None:
        self._root = os.fsdecode(lib.directory)
        if not len(self._collector):
            return
        from mess_integrations.beets.delivery import deliver  # noqa: PLC0415

        changes = self._take()
        trouble = deliver(self._settings(), changes, self._limit_s)
        if trouble:
            text = f"{len(changes)} change{'s' * (len(changes) != 1)}"
            self._log.warning("{} kept until MESS can be told: {}", text, trouble)

    def _take(self) -> Changes:
        from mess_plugin.library.spool import Changes  # noqa: PLC0415

        return Changes(*self._collector.take(), self._root)

    def _keep_rest(self) -> None:
        """A command that was interrupted sends no cli_exit; what it did is kept all the same."""
        if len(self._collector):
            self._harmless(self._keep)()

    def _keep(self) -> None:
        from mess_plugin.library import spool  # noqa: PLC0415

        settings = self._settings()
        spool.keep(settings.home, self._take())
