"""Saying what a command waits for, once it has waited for long.

    with waiting_for("the database at db.example:5432"):
        …

Costs two assignments where nobody listens. Waits may lie inside each other; the inner one is named.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

PATIENCE_S = 5.0
_LOOK_S = 0.5


class _Wait(msgspec.Struct):
    what: str
    since_s: float
    is_told: bool = False


class _Watch:
    """What the main thread waits for, and a thread of its own that says so."""

    def __init__(self) -> None:
        self.tell: Callable[[str], None] | None = None
        self.current: _Wait | None = None
        self._thread: threading.Thread | None = None

    def begin(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, daemon=True, name="waiting")
            self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            wait, tell = self.current, self.tell
            if wait is None or tell is None or wait.is_told:
                continue
            if time.monotonic() - wait.since_s >= PATIENCE_S:
                wait.is_told = True
                tell(f"waiting for {wait.what} …")


_watch = _Watch()


def tell_what_is_waited_for(tell: Callable[[str], None]) -> None:
    """From now on call `tell` with one line for each wait of more than PATIENCE_S seconds."""
    _watch.begin(tell)


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Until the end of the block the program waits for this."""
    if _watch.tell is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    outer = _watch.current
    _watch.current = _Wait(what, time.monotonic())
    try:
        yield
    finally:
        _watch.current = outer
