"""Logs that never fill a disk, and the last words of a process that failed.

The supervisor reads what its processes print from pipes and writes it itself: only then is the
size bounded at every moment, whatever a process does.
"""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path

LOG_BYTES = 4 * 2**20
OLD_LOGS = 2
REMEMBERED_LINES = 60
COMPLAINT = re.compile(r"\b(PANIC|FATAL|fatal|error|Error|ERROR|Can't|No space)\b")


class Log:
    """One log file of at most LOG_BYTES and OLD_LOGS predecessors (name.log.1, name.log.2)."""

    def __init__(self, path: Path, *, also_as: int | None = None) -> None:
        """Open lazily; `also_as` is a descriptor (stderr) that follows the current file."""
        self.path = path
        self._also_as = also_as
        self._descriptor: int | None = None
        self._size_bytes = 0
        self._recent: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._unfinished = b""

    def write(self, data: bytes) -> None:
        """Append; what a full disk refuses is dropped, for a log must not stop a service."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        self._unfinished = self._unfinished[-4096:]
        self._recent.extend(line.decode("utf-8", "replace") for line in lines if line.strip())
        try:
            if self._descriptor is None or self._size_bytes + len(data) > LOG_BYTES:
                self._open()
            assert self._descriptor is not None
            self._size_bytes += os.write(self._descriptor, data)
        except OSError:
            return

    def forget(self) -> None:
        """Begin the memory of a new run."""
        self._recent.clear()
        self._unfinished = b""

    def last_words(self) -> str:
        """Return the line of this run that most likely says why it failed, "" if it was silent."""
        lines = [*self._recent, self._unfinished.decode("utf-8", "replace")]
        return most_telling(lines)

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        self.close()
        if self.path.exists() and self.path.stat().st_size >= LOG_BYTES // 2:
            for age in range(OLD_LOGS, 0, -1):
                younger = self.path if age == 1 else self._predecessor(age - 1)
                if younger.exists():
                    younger.replace(self._predecessor(age))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._descriptor = os.open(self.path, flags, 0o600)
        self._size_bytes = os.fstat(self._descriptor).st_size
        if self._also_as is not None:
            os.dup2(self._descriptor, self._also_as)

    def _predecessor(self, age: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{age}")


def most_telling(lines: list[str]) -> str:
    """Return the last complaint among `lines`, else the last line with text, else ""."""
    spoken = [line.strip() for line in lines if line.strip()]
    complaints = [line for line in spoken if COMPLAINT.search(line)]
    return (complaints or spoken or [""])[-1][:400]


def last_words_of(path: Path) -> str:
    """Like Log.last_words, from the end of a file; "" when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            return most_telling(file.read().decode("utf-8", "replace").splitlines())
    except OSError:
        return ""
