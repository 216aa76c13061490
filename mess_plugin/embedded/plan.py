"""What one supervised process is: everything in which Postgres, Valkey and a program differ."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mess_plugin.embedded.binaries import OTHER_POSTGRES
from mess_plugin.embedded.launch import SystemAccount
from mess_plugin.embedded.logs import Log


class Plan(Protocol):
    """How to start, recognise as ready and stop one process."""

    @property
    def name(self) -> str:
        """The name in states, logs and errors."""

    @property
    def title(self) -> str:
        """The name for people."""

    @property
    def directory(self) -> Path:
        """The working directory."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment."""

    @property
    def stop_signals(self) -> Sequence[tuple[signal.Signals, float]]:
        """What to send, each with the seconds granted for it; SIGKILL to the group comes after."""

    @property
    def first_backoff_s(self) -> float:
        """The wait before the first restart; it doubles with every failure in a row."""

    @property
    def is_ready_when_started(self) -> bool:
        """Whether nobody waits for more than its start: a program that does not say when it works."""

    def prepare(self, log: Log) -> tuple[Sequence[str], SystemAccount]:
        """Make everything ready on disk, printing to `log`; ServiceError if it cannot start."""

    def is_ready(self, pid: int) -> bool:
        """Whether the process serves now; called every few milliseconds while it starts."""

    def detail(self, pid: int) -> str:
        """What to show of it while it runs, such as its address; "" for nothing."""

    def explain(self, last_words: str) -> str:
        """Say what to do about a process that ended while starting and said `last_words`."""


def plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a server needs: it gets nobody's secrets."""
    kept = ("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH", "PYTHONHOME",
            OTHER_POSTGRES)  # fmt: skip
    return {name: environment[name] for name in kept if name in environment} | {"LC_ALL": "C"}
