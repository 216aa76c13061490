"""A worker as a child process, for as long as a command needs one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError
from mess_plugin.private_folder import make_private
from mess_plugin.services import environment

_GRACE_S = 60.0


class Worker:
    """A worker process of a command's own: a context manager that starts it when it is needed."""

    def __init__(self, settings: Settings, *, is_elsewhere: Callable[[], bool]) -> None:
        """is_elsewhere: whether some other worker is there already, so that none is needed."""
        self._settings = settings
        self._is_elsewhere = is_elsewhere
        self._asked = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def need(self) -> None:
        """See to it that there is a worker: the first call starts one if there is none.

        In its own process group, so that Ctrl-C reaches only the command. It logs to
        MESS_HOME/log/worker.log, and ends by itself if this process is killed.
        """
        if self._asked:
            return
        self._asked = True
        if self._is_elsewhere():
            return
        make_private(self._log.parent)
        variables = {**environment(self._settings), "MESS_PARENT_PID": str(os.getpid())}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mess_workers"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **variables},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ServiceError if it has died."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            raise ServiceError(
                "worker", f"it ended unexpectedly (exit code {code}): see {self._log}"
            )

    def stop(self, grace_s: float = _GRACE_S) -> None:
        """Let it finish the files at hand; after the grace time, stop it the hard way.

        What was unfinished then, the ledger knows.
        """
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def _log(self) -> Path:
        return self._settings.home / "log" / "worker.log"
