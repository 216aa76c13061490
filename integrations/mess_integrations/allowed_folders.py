"""Which files servers may open for a client: those in the library's folders, wherever links lead."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mess_plugin.config import Settings
from mess_plugin.library.walk import watched_roots
from mess_plugin.store import Store

_REREAD_AFTER_S = 10.0


class AllowedFolders:
    """The setting `roots`, or else watched folders and those with indexed files; and all below them.

    May be used from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        fixed = [folder for folder in (settings.roots or "").split(os.pathsep) if folder]
        self._is_fixed = bool(fixed)
        self._given = frozenset(map(os.path.realpath, fixed or watched_roots(settings.watch)))
        self._folders = self._given
        self._read_at = -_REREAD_AFTER_S

    def find(self, store: Store, path: str) -> Path | None:
        """The real path of a file that may be opened, there or not; None for any other."""
        real = Path(os.path.realpath(path))
        if not self._holds(real):
            self._reread(store)
        return real if self._holds(real) else None

    def _holds(self, real: Path) -> bool:
        return any(str(parent) in self._folders for parent in real.parents)

    def _reread(self, store: Store) -> None:
        now = time.monotonic()
        if self._is_fixed or now - self._read_at < _REREAD_AFTER_S:
            return
        self._read_at = now
        folders = (os.path.realpath(folder or os.sep) for folder in store.library.folders())
        # One stray file at the very top must not open the whole disk.
        self._folders = self._given | {folder for folder in folders if folder != os.sep}
