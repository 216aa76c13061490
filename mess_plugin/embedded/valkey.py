"""The broker of a home: Valkey on a Unix socket, with an append-only file flushed every second."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mess_plugin.embedded import binaries, launch
from mess_plugin.embedded.home import Home, unwritable
from mess_plugin.embedded.launch import SystemAccount
from mess_plugin.embedded.logs import Log
from mess_plugin.embedded.plan import plain_environment

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",  # a queue must refuse rather than forget
    "daemonize": "no",
    "set-proc-title": "no",
}


@dataclass(frozen=True, slots=True)
class Valkey:
    """The plan of the broker; its socket is in `sockets`."""

    home: Home
    sockets: Path
    base_environment: Mapping[str, str]

    name = "valkey"
    title = "Valkey"
    first_backoff_s = 0.1
    is_ready_when_started = False
    stop_signals = ((signal.SIGTERM, 15.0),)  # it writes its file to the end

    @property
    def directory(self) -> Path:
        """The data directory."""
        return self.home.path / "valkey"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.sockets / "valkey.sock"

    @property
    def environment(self) -> Mapping[str, str]:
        """Nothing but what the server needs."""
        return plain_environment(self.base_environment)

    def prepare(self, log: Log) -> tuple[Sequence[str], SystemAccount]:  # noqa: ARG002
        """Make the data directory and clear the socket of a server that was killed."""
        server = binaries.valkey_server()
        try:
            self.directory.mkdir(mode=0o700, exist_ok=True)
            self.socket.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.directory, error) from error
        places = {"dir": str(self.directory), "unixsocket": str(self.socket)}
        options = (
            word for name, value in (SETTINGS | places).items() for word in (f"--{name}", value)
        )
        return [str(server), *options], launch.own_account()

    def is_ready(self, pid: int) -> bool:  # noqa: ARG002 - the socket was unlinked before the start
        """Whether it answers; while it loads its file it answers with an error instead."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(0.2)
            try:
                link.connect(str(self.socket))
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def detail(self, pid: int) -> str:  # noqa: ARG002
        """Nothing: only programs of this home know its address."""
        return ""

    def explain(self, last_words: str) -> str:
        """Name the failures that a user can mend, else quote."""
        if "No space left" in last_words:
            return f"the disk of {self.directory} is full: free some space and try again"
        if "append only file" in last_words or "AOF" in last_words:
            return (
                f"cannot read its file: mend or move {self.directory} away (queued work is in it)"
            )
        return "did not start"
