"""Which files are open for writing, as far as /proc tells: our own and, for root, all processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path


def being_written(paths: Set[str]) -> set[str]:
    """Those of the absolute paths that some process on this machine has open for writing.

    Empty where there is no /proc; processes of other users and other machines stay unseen.
    """
    if not paths:
        return set()
    real = {os.path.realpath(path): path for path in paths}
    return {
        real[target]
        for link, target in _open_files()
        if target in real and real[target] in paths and _writes(link)
    }


def _open_files() -> Iterator[tuple[str, str]]:
    """(/proc/PID/fd/N, path) of every open file that may be looked at."""
    with suppress(OSError), os.scandir("/proc") as processes:
        for process in processes:
            if not process.name.isdigit():
                continue
            with suppress(OSError), os.scandir(f"{process.path}/fd") as files:
                for file in files:
                    with suppress(OSError):
                        yield file.path, os.readlink(file.path)  # noqa: PTH115  text keeps odd bytes


def _writes(link: str) -> bool:
    with suppress(OSError, ValueError, IndexError):
        text = Path(link.replace("/fd/", "/fdinfo/")).read_text(encoding="ascii")
        flags = next(line.split()[1] for line in text.splitlines() if line.startswith("flags:"))
        return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
    return False
