"""Which files may be opened for a client: those in the library's folders, wherever links lead."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mess_integrations.osc.requests import BadRequest
from mess_plugin.store import Store

_REREAD_AFTER_S = 10.0


class Roots:
    """The setting `roots`, or else the folders that hold indexed files; and what is below them.

    May be used from several threads.
    """

    def __init__(self, setting: str | None) -> None:
        """setting: folders, separated as in PATH; None for the folders of the library."""
        fixed = [folder for folder in (setting or "").split(os.pathsep) if folder]
        self._is_fixed = bool(fixed)
        self._folders = frozenset(os.path.realpath(folder) for folder in fixed)
        self._read_at = -_REREAD_AFTER_S

    def confine(self, store: Store, path: str) -> Path:
        """The real path of a file that may be opened. Raises BadRequest 403 for any other.

        Whether a refused file exists is not told.
        """
        real = Path(os.path.realpath(path))
        if not self._holds(real):
            self._reread(store)
            if not self._holds(real):
                raise BadRequest(
                    403,
                    "this file is outside the folders that may be opened: see the setting roots",
                )
        return real

    def _holds(self, real: Path) -> bool:
        return any(str(parent) in self._folders for parent in real.parents)

    def _reread(self, store: Store) -> None:
        now = time.monotonic()
        if self._is_fixed or now - self._read_at < _REREAD_AFTER_S:
            return
        self._read_at = now
        folders = (os.path.realpath(folder or os.sep) for folder in store.library.folders())
        # One stray file at the very top must not open the whole disk.
        self._folders = frozenset(folder for folder in folders if folder != os.sep)
