"""Threads with a database connection each: lookups run in process, beside indexing, never behind it.

A lane is a few threads and one queue. What the library can answer at once has a lane of its own, so
that it never waits for a file that has to be heard.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg

from mess_plugin.errors import MessError, StoreError
from mess_plugin.store import Store, open_store

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Task:
    work: Callable[[Store], Any]
    future: Future[Any] = field(default_factory=Future)
    was_retried: bool = False


class Lane:
    """Threads that do work with a store, in the order in which it comes."""

    def __init__(self, name: str, database_url: str, n_threads: int) -> None:
        self._database_url = database_url
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"osc-{name}-{number}", daemon=True)
            for number in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[Store], T]) -> T:
        """The result of some work. If the caller is cancelled, work that has not begun is left."""
        task = _Task(work)
        self._tasks.put(task)
        result: T = await asyncio.wrap_future(task.future)
        return result

    def close(self) -> None:
        """Let the threads end after what they are doing; they do not outlive the process."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        """Serve with one connection after another: a database may restart."""
        task: _Task | None = self._next()
        while task is not None:
            try:
                with open_store(self._database_url) as store:
                    while task is not None:
                        _do(task, store)
                        task = self._next()
            except StoreError as error:
                assert task is not None
                if task.was_retried:
                    task.future.set_exception(error)
                    task = self._next()
                else:
                    task.was_retried = True

    def _next(self) -> _Task | None:
        """The next task that is still wanted; None at the end."""
        while (task := self._tasks.get()) is not None:
            if task.future.set_running_or_notify_cancel():
                return task
        return None


def _do(task: _Task, store: Store) -> None:
    """Do a task. What the database raises passes, so that the connection is made anew."""
    try:
        result = task.work(store)
    except StoreError:
        raise
    except MessError as error:
        task.future.set_exception(error)
    except psycopg.Error:
        raise
    except Exception as error:  # noqa: BLE001  the boundary of a task: one lookup fails, not the server
        _log.exception("a lookup failed")
        task.future.set_exception(error)
    else:
        task.future.set_result(result)
