"""A worker as a child process, for as long as a command needs one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError
from mess_plugin.services import environment

_GRACE_S = 60.0


class Worker:
    """A running worker process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raise ServiceError if it has died."""
        code = self._process.poll()
        if code is not None:
            raise ServiceError(
                "worker", f"it ended unexpectedly (exit code {code}): see {self._log}"
            )

    def stop(self, grace_s: float = _GRACE_S) -> None:
        """Let it finish the files at hand; after the grace time, stop it the hard way."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Stop it and its children at once; the ledger knows what was unfinished."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running_worker(settings: Settings) -> Iterator[Worker]:
    """Start a worker, in its own process group so that Ctrl-C reaches only the command.

    It logs to MESS_HOME/log/worker.log, and ends by itself if this process is killed.
    """
    log = settings.home / "log" / "worker.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, **environment(settings), "MESS_PARENT_PID": str(os.getpid())}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mess_workers"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=variables,
            start_new_session=True,
        )
    worker = Worker(process, log)
    try:
        yield worker
    except BaseException:
        worker.stop()
        raise
    worker.stop()
