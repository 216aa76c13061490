"""What one question may use while it hears files: time, memory, and the patience of who asked.

`audio` looks at the budget whenever it reads, so that all files and all passes of a question share one
limit, and a question that nobody waits for ends within a read.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_MEASURE_EVERY_S = 0.1
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = resource.getpagesize()


class Budget:
    """The limits of one question. May be looked at and ended from several threads.

    limit_s: wall clock from now on, None for no limit. memory_mb: how much memory this process may
    hold altogether (resident, in 10^6 bytes) before the question ends, 0 for no limit; measured where
    the system tells it (Linux).
    """

    def __init__(self, limit_s: float | None = None, memory_mb: int = 0) -> None:
        self._limit_s = limit_s
        self._deadline_s = None if limit_s is None else time.monotonic() + limit_s
        self._memory_bytes = memory_mb * 1_000_000
        self._measured_at_s = 0.0
        self._is_over = threading.Event()

    def end(self) -> None:
        """Nobody waits for the answer any more."""
        self._is_over.set()

    @property
    def is_over(self) -> bool:
        """Whether somebody ended it."""
        return self._is_over.is_set()

    def problem(self) -> tuple[str, str] | None:
        """Why no more may be read, as kind and reason of an AudioError; None where more may be."""
        if self._is_over.is_set():
            return "too-slow", "Nobody waits for the answer any more."
        now_s = time.monotonic()
        if self._deadline_s is not None and now_s > self._deadline_s:
            return "too-slow", f"The whole question took longer than {self._limit_s:g} s."
        if self._memory_bytes and now_s - self._measured_at_s > _MEASURE_EVERY_S:
            self._measured_at_s = now_s
            if resident_bytes() > self._memory_bytes:
                limit_mb = self._memory_bytes // 1_000_000
                return "memory", f"Hearing this file needs more than {limit_mb} MB of memory."
        return None


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def within(budget: Budget) -> Iterator[None]:
    """Files that are opened inside, by this thread, are read within a budget."""
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Budget | None:
    """The budget of the question that is being answered, if it has one."""
    return _current.get()


def resident_bytes() -> int:
    """Memory that this process holds now; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
