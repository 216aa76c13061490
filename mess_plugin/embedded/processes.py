"""Which process a recorded pid belongs to now: pids are reused, a number alone proves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

POLL_S = 0.01


def born(pid: int) -> str | None:
    """Return a text that no other process with this pid ever had; None if it is not running."""
    if sys.platform != "linux":
        return _ps(pid, "lstart") or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}/{start_ticks}"


def command_line(pid: int) -> list[str]:
    """Return the arguments of a running process; [] when there is none or it is a zombie."""
    if sys.platform != "linux":
        return _ps(pid, "command").split()
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0") if word]


def wait_until_gone(pid: int, birth: str, timeout_s: float) -> bool:
    """Whether the process ended in time; it need not be a child."""
    deadline_s = time.monotonic() + timeout_s
    while born(pid) == birth:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def end(pid: int, birth: str, ask: signal.Signals, grace_s: float) -> None:
    """Ask a process that is not our child to end; kill it and its group after `grace_s`."""
    try:
        if born(pid) == birth:
            os.kill(pid, ask)
        if wait_until_gone(pid, birth, grace_s):
            return
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid, birth, grace_s)
    except ProcessLookupError:
        return


def _ps(pid: int, column: str) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
