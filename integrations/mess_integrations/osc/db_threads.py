"""Threads that work with the database: lookups run in process, beside indexing, never behind it.

What the library can answer at once has threads of its own, so that it never waits for a file that has
to be heard.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from mess_plugin.errors import MessError
from mess_plugin.store import Store
from mess_plugin.store.pool import StorePool

T = TypeVar("T")
_log = logging.getLogger(__name__)


class StoreThreads:
    """A few threads that do work with a store, in the order in which it comes."""

    def __init__(self, name: str, stores: StorePool, n_threads: int) -> None:
        self._stores = stores
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[Store], Any]] | None]
        self._tasks = queue.SimpleQueue()
        # Daemons: what is still being heard does not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._serve, name=f"osc-{name}-{number}", daemon=True)
            for number in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[Store], T]) -> T:
        """The result of some work. If the caller is cancelled, work that has not begun is left."""
        future: Future[T] = Future()
        self._tasks.put((future, work))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        for _ in self._threads:
            self._tasks.put(None)

    def _serve(self) -> None:
        while task := self._tasks.get():
            future, work = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                with self._stores.use() as store:
                    result = work(store)
            except MessError as error:
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001  the boundary of a task: one lookup fails, not the server
                _log.exception("a lookup failed")
                future.set_exception(error)
            else:
                future.set_result(result)
