"""A program that `mess up` runs says when it works, and where.

The supervisor names a file in the environment; what is written there ends the wait of `mess up`, and is
shown by it and by `mess status`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mess_plugin.atomic_file import write_text

VARIABLE = "MESS_READY_FILE"


_said: list[tuple[int, str]] = []


def announce_ready(detail: str = "") -> None:
    """Say that this process works now. detail: where, or with what, for people, in one line.

    Saying it again costs nothing.
    """
    place = os.environ.get(VARIABLE)
    if place and _said != [(os.getpid(), detail)]:
        _said[:] = [(os.getpid(), detail)]
        write_text(Path(place), f"{os.getpid()}\n{detail}\n", mode=0o600)


def read_ready(place: Path, pid: int) -> str | None:
    """What a process has said of itself; None where it has not said that it works."""
    try:
        said, _, detail = place.read_text("utf-8").partition("\n")
    except OSError:
        return None
    return detail.strip() if said == str(pid) else None
