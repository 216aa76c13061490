"""Threads that work with the database: lookups run in process, beside indexing, never behind it.

What the library can answer at once has threads of its own, so that it never waits for a file that has
to be heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mess_plugin.errors import MessError
from mess_plugin.store import Store
from mess_plugin.store.pool import StorePool

T = TypeVar("T")
_log = logging.getLogger(__name__)


class StoreThreads:
    """A few threads that do work with a store, in the order in which it comes."""

    def __init__(self, name: str, stores: StorePool, n_threads: int) -> None:
        self._stores = stores
        self._executor = ThreadPoolExecutor(n_threads, thread_name_prefix=f"osc-{name}")

    async def run(self, work: Callable[[Store], T]) -> T:
        """The result of some work. If the caller is cancelled, work that has not begun is left."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._do, work)

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _do(self, work: Callable[[Store], T]) -> T:
        try:
            with self._stores.use() as store:
                return work(store)
        except MessError:
            raise
        except Exception:
            _log.exception("a lookup failed")
            raise
