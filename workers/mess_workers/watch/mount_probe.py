"""Whether a folder answers at all: where the server of a share hangs, every call to it just waits."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from mess_plugin.library.pruning import is_there

_LOOK_S = 1.0  # between two looks
_SILENT_S = 10.0  # a look that takes longer is not only slow


class Silence(threading.Thread):
    """Looks at a folder again and again until `ended`, in a thread that a share may keep for ever."""

    def __init__(self, root: str, ended: threading.Event) -> None:
        super().__init__(name=f"looking at {root}", daemon=True)
        self._root = root
        self._ended = ended
        self._asked_s: float | None = None

    def run(self) -> None:
        """Look."""
        while not self._ended.wait(_LOOK_S):
            self._asked_s = time.monotonic()
            is_there(self._root)
            self._asked_s = None

    @property
    def since(self) -> datetime | None:
        """When the folder was asked what it has not answered yet; None where it answers."""
        asked_s = self._asked_s
        silent_s = 0.0 if asked_s is None else time.monotonic() - asked_s
        if silent_s < _SILENT_S:
            return None
        return datetime.now().astimezone() - timedelta(seconds=silent_s)
