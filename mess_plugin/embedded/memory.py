"""How much memory the machine, or the container around us, has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_LIMITS = (  # of a container, by version of control groups
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_bytes(limits: tuple[Path, ...] = _LIMITS) -> int:
    """The machine's memory, or the limit of the container where that is less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in limits:
        with suppress(OSError, ValueError):  # not there, or "max"
            found.append(int(path.read_text("ascii")))
    return min(found)
