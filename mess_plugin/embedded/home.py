"""The layout of one MESS home on disk, and the single lock that makes one supervisor of many.

    HOME/postgres/        the database cluster
    HOME/valkey/          the append-only file of the broker
    HOME/log/             *.log and their rotated predecessors
    HOME/run/             0700: supervisor.lock, state.json, pinned.json and the sockets

A Unix socket's path has room for about a hundred bytes, and the URLs of the clients want plain
characters in it. When HOME/run offers neither, the sockets live in a private short directory whose
path is written to HOME/run/sockets.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from mess_plugin.atomic_file import write_text
from mess_plugin.errors import ServiceError
from mess_plugin.private_folder import is_open_to_all, make_private

SERVICE = "embedded services"
SOCKET_PATH_BYTES = 103  # sun_path is 104 bytes on macOS, 108 on Linux, with the final NUL
LONGEST_SOCKET_NAME = "pg/.s.PGSQL.5432"
_MARK = "home"  # in a short directory for sockets: whose it is
PLAIN_PATH = re.compile(r"[A-Za-z0-9_/.+@=-]+")


@dataclass(frozen=True, slots=True)
class Home:
    """One MESS home; `path` is absolute and without symbolic links."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Home:
        """Return the home at `path`, existing or not; ServiceError if no server can take it."""
        real = Path(os.path.realpath(path.expanduser()))
        if not str(real).isprintable():
            raise ServiceError(
                SERVICE, f"home {str(real)!r}: choose a path of printable characters"
            )
        return cls(real)

    @property
    def run(self) -> Path:
        """Lock, state, pin and usually the sockets."""
        return self.path / "run"

    @property
    def state(self) -> Path:
        """What the supervisor last knew, as JSON."""
        return self.run / "state.json"

    @property
    def pin(self) -> Path:
        """Present while `up` holds; lists the programs to run."""
        return self.run / "pinned.json"

    def log(self, name: str) -> Path:
        """Return the current log of one service."""
        return self.path / "log" / f"{name}.log"

    def prepare(self) -> None:
        """Create what is missing, private to this user; ServiceError when that is impossible."""
        for folder in (self.path, self.run):
            if is_open_to_all(folder):
                raise ServiceError(
                    SERVICE,
                    f"{folder} is writable by everybody: chmod o-w it, or choose another MESS_HOME",
                )
        try:
            for folder in (self.path, self.run, self.path / "log"):
                make_private(folder)
        except OSError as error:
            raise unwritable(self.path, error) from error
        if not os.access(self.run, os.W_OK | os.X_OK):
            raise ServiceError(
                SERVICE,
                f"cannot write in {self.run}: fix its permissions or choose another MESS_HOME",
            )

    def try_lock(self) -> int | None:
        """Return the supervisor's lock, an open descriptor, or None while somebody has it."""
        try:
            descriptor = os.open(self.run / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unwritable(self.run, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise unwritable(self.run, error) from error
        return descriptor

    def sockets(self) -> Path | None:
        """Where the sockets are; None while nobody has chosen a place yet."""
        if _has_room_for_sockets(self.run):
            return self.run
        try:
            recorded = Path((self.run / "sockets").read_text("utf-8"))
            found = recorded.lstat()
            owner = (recorded / _MARK).read_text("utf-8")
        except OSError:
            return None
        if owner != str(self.path):  # this home is a copy of the one that they belong to
            return None
        # A directory of shared temporary space is trusted only when nobody else can have made it.
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return recorded if private and stat.S_IMODE(found.st_mode) & 0o022 == 0 else None

    def choose_sockets(self) -> Path:
        """Like `sockets`, creating a short private directory if needed; call with the lock held."""
        existing = self.sockets()
        if existing is not None:
            return existing
        import tempfile  # noqa: PLC0415 - costs more than all the rest and is rarely needed

        # Not under XDG_RUNTIME_DIR: that goes when its user logs out, and a pinned home stays.
        try:
            chosen = Path(tempfile.mkdtemp(prefix="mess-"))
            if not _has_room_for_sockets(chosen):
                chosen.rmdir()
                chosen = Path(tempfile.mkdtemp(prefix="mess-", dir="/tmp"))
            write_text(chosen / _MARK, str(self.path), mode=0o600)
            write_text(self.run / "sockets", str(chosen), mode=0o600)
        except OSError as error:
            raise unwritable(self.run, error) from error
        return chosen

    def forget_sockets(self) -> None:
        """Remove a short socket directory again; call with the lock held and the servers down."""
        directory = self.sockets()
        if directory is not None and directory != self.run:
            shutil.rmtree(directory, ignore_errors=True)
            (self.run / "sockets").unlink(missing_ok=True)

    def listen(self) -> socket.socket:
        """Return the supervisor's control socket, listening; call with the lock held."""
        path = self.choose_sockets() / "control"
        try:
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(128)
        except OSError as error:
            raise unwritable(path.parent, error) from error
        return listener


def unwritable(path: Path, error: OSError) -> ServiceError:
    """Return the one-line error of a place that cannot be written."""
    reason = error.strerror or str(error)
    return ServiceError(
        SERVICE,
        f"cannot write in {path} ({reason}): free space, fix its permissions or choose another "
        "MESS_HOME",
    )


def _has_room_for_sockets(directory: Path) -> bool:
    length = len(os.fsencode(directory / LONGEST_SOCKET_NAME))
    return length <= SOCKET_PATH_BYTES and PLAIN_PATH.fullmatch(str(directory)) is not None
