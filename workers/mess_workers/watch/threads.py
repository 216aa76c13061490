"""Work that looks at folders is done aside: the server of a share may hang, and every call with it."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mess_plugin.store import Store, open_store

_END_S = 5.0


class Aside(threading.Thread, ABC):
    """A thread with a database session of its own. One that hangs ends with the process."""

    def __init__(self, name: str, database_url: str | None) -> None:
        super().__init__(name=name, daemon=True)
        self.ended = threading.Event()
        self._database_url = database_url or ""
        self._error: Exception | None = None

    @abstractmethod
    def work(self, store: Store) -> None:
        """Do it again and again until `ended`."""

    def run(self) -> None:
        """Work; what ends it early is kept for `check`."""
        try:
            with open_store(self._database_url) as store:
                self.work(store)
        except Exception as error:  # noqa: BLE001  the boundary of the thread; `check` raises it
            self._error = error

    def check(self) -> None:
        """Raise what ended the work early."""
        if self._error is not None:
            raise self._error


@contextmanager
def working(threads: Sequence[Aside]) -> Iterator[None]:
    """Let them work meanwhile; those that hang are not waited for in the end."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.ended.set()
        until_s = time.monotonic() + _END_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
