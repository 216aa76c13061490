"""What the embedded server of a home costs, from /proc."""

from __future__ import annotations

import os
from pathlib import Path


def server_processes(home: Path) -> list[Path]:
    """The processes that belong to the embedded server of a home."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = (entry / "cmdline").read_text() + str((entry / "cwd").readlink())
            if str(home) in where:
                found.append(entry)
        except OSError:
            continue
    return found


def server_cpu_s(home: Path) -> float:
    """CPU seconds of the server's processes and of those that they have waited for."""
    ticks = 0
    for entry in server_processes(home):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def server_memory_mb(home: Path) -> float:
    """Proportional resident memory of the server's processes."""
    total_kb = 0
    for entry in server_processes(home):
        try:
            lines = (entry / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1000
