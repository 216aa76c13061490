"""The database cluster of a home: made once, started on a Unix socket, recognised, explained."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mess_plugin.atomic_file import write_text
from mess_plugin.embedded import binaries, launch, processes
from mess_plugin.embedded.home import Home, unwritable
from mess_plugin.embedded.launch import Guise, SystemAccount
from mess_plugin.embedded.logs import Log, most_telling
from mess_plugin.embedded.memory import memory_bytes
from mess_plugin.embedded.plan import plain_environment
from mess_plugin.errors import ServiceError

DATABASE = "mess"
USER = "mess"
FOREIGN_SERVER_GRACE_S = 10.0
STATUS_LINE = 7  # of postmaster.pid, from 0: "starting", "ready", "stopping"

# Written to postgresql.conf when the cluster is made, for its owner to tune; shared_buffers too.
INITIAL_SETTINGS = {
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "jit": "off",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# What a server says that cannot read its own files.
DAMAGE = re.compile(
    r"invalid (page|checkpoint|data in file|primary checkpoint)|could not (locate a valid checkpoint"
    r"|read (block|file)|open file \"(base|global|pg_)|access status of transaction)"
    r"|control file|database files are incompatible|incorrect checksum|database system identifier"
)
LEAST_BUFFERS_MB, MOST_BUFFERS_MB = 128, 2048
BUFFERS_SHARE = 8  # of the memory; the rest is for the encoder, for music, and for the page cache

# Given at every start: MESS relies on these.
FIXED_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # containers give /dev/shm 64 MB: index builds failed
    "fsync": "on",
    "full_page_writes": "on",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "cluster_name": "mess",
}
# The builtin provider orders text by code point on every system, so that a home may move between
# machines, and glibc may change, without any index becoming wrong.
INITDB_OPTIONS = (
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *(f"--username={USER}", "--auth=trust", "--no-instructions"),
    # One call to the kernel in place of a thousand: half the time of a first start on a busy disk.
    *(("--sync-method=syncfs",) if sys.platform == "linux" else ()),
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """The plan of the database server; `sockets` holds its private socket directory."""

    home: Home
    sockets: Path
    base_environment: Mapping[str, str]

    name = "postgres"
    title = "Postgres"
    first_backoff_s = 0.1
    is_ready_when_started = False
    stop_signals = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))  # fast, then immediate

    @property
    def directory(self) -> Path:
        """The data directory."""
        return self.home.path / "postgres"

    @property
    def socket_directory(self) -> Path:
        """What clients give as `host`."""
        return self.sockets / "pg"

    @property
    def environment(self) -> Mapping[str, str]:
        """Nothing but what the server needs."""
        return plain_environment(self.base_environment)

    def prepare(self, log: Log) -> tuple[Sequence[str], SystemAccount]:
        """Make the cluster if there is none and clear what a crash left behind."""
        server = binaries.postgres_program("postgres")
        account = launch.postgres_account()
        try:
            self._make_places(account)
            if not (self.directory / "PG_VERSION").exists():
                self._make_cluster(account, log)
            self._clear_stale_locks()
        except OSError as error:
            raise unwritable(self.directory, error) from error
        settings = FIXED_SETTINGS | {"unix_socket_directories": f'"{self.socket_directory}"'}
        if account.guise is Guise.OTHER:
            settings |= self._only_for_us(account)
        options = (f"--{name}={value}" for name, value in settings.items())
        return [str(server), "-D", str(self.directory), *options], account

    def is_ready(self, pid: int) -> bool:
        """Whether the postmaster itself says so."""
        try:
            lines = (self.directory / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except OSError:
            return False
        return len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[7].strip() == "ready"

    def detail(self, pid: int) -> str:  # noqa: ARG002
        """Nothing: only programs of this home know its address."""
        return ""

    def explain(self, last_words: str) -> str:
        """Name the two failures that a user can mend, else quote."""
        theirs, ours = self.data_version(), _server_version()
        if theirs and ours and theirs != ours:
            return (
                f"{self.directory} was made by Postgres {theirs} and this one is {ours}: run "
                "`mess upgrade`"
            )
        if "No space left" in last_words:
            return f"the disk of {self.directory} is full: free some space and try again"
        if DAMAGE.search(last_words):
            return (
                f"the database in {self.directory} is damaged: check the disk, move that folder "
                "away, then `mess restore FILE` the last backup (docs/operations.md)"
            )
        return "did not start"

    def _make_places(self, account: SystemAccount) -> None:
        self.socket_directory.mkdir(mode=0o700, exist_ok=True)
        places = [self.socket_directory]
        if self.directory.exists():
            places.append(self.directory)
        for place in places:
            if os.geteuid() == 0 and place.stat().st_uid != account.owner_uid:
                _give(place, account)
        if account.guise is Guise.OTHER:
            self._open_the_way(account)

    def _open_the_way(self, account: SystemAccount) -> None:
        """Let the other account pass through our own directories; refuse to touch any other."""
        for ours in {self.home.path, self.home.run, self.sockets}:
            ours.chmod(ours.stat().st_mode | 0o001)
        server = binaries.postgres_program("postgres")
        for place in (*self.directory.parents, *self.sockets.parents, *server.parents):
            if not place.stat().st_mode & 0o001:
                raise ServiceError(
                    self.title,
                    f"runs as uid {account.uid} here (as root, without user namespaces) and cannot "
                    f"pass {place}: chmod o+x it, or run MESS as an ordinary user",
                )

    def _only_for_us(self, account: SystemAccount) -> dict[str, str]:
        """Settings that let in nobody but the user that runs MESS.

        Where the server is an account that others are, too, a private directory keeps nobody out.
        """
        us = pwd.getpwuid(os.geteuid()).pw_name
        rules = {
            "hba_file": "local all all peer map=mess\n",
            "ident_file": f'mess "{us}" {USER}\n',
        }
        for name, text in rules.items():
            place = self.directory / f"mess_{name}.conf"
            write_text(place, text, mode=0o600)
            os.chown(place, account.owner_uid, account.owner_gid)
        return {name: str(self.directory / f"mess_{name}.conf") for name in rules}

    def _make_cluster(self, account: SystemAccount, log: Log) -> None:
        """Make the cluster beside its place and move it there, so that it is whole or absent."""
        draft = self.directory.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _give(draft, account)
        buffers = {"shared_buffers": f"{buffers_mb(memory_bytes())}MB"}
        initial = INITIAL_SETTINGS | buffers
        settings = (f"--set={name}={value}" for name, value in initial.items())
        initdb = str(binaries.postgres_program("initdb"))
        self._run([initdb, "-D", str(draft), *INITDB_OPTIONS, *settings], account, draft, log)
        server = str(binaries.postgres_program("postgres"))
        statement = f"CREATE DATABASE {DATABASE};\n"
        single = [server, "--single", "-D", str(draft), "postgres"]
        self._run(single, account, draft, log, statement)
        if self.directory.exists():
            self.directory.rmdir()  # without PG_VERSION: an empty one may go, any other may not
        draft.rename(self.directory)

    def _run(
        self, argv: list[str], account: SystemAccount, where: Path, log: Log, statement: str = ""
    ) -> None:
        reader, writer = os.pipe()
        child = launch.start(
            argv,
            account,
            directory=where,
            environment=self.environment,
            output=writer,
            death_signal=signal.SIGKILL,
            stdin=subprocess.PIPE,
        )
        os.close(writer)
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(statement.encode())
        with os.fdopen(reader, "rb") as pipe:
            output = pipe.read()
        log.write(output)
        if child.wait() != 0:
            lines = output.decode("utf-8", "replace").splitlines()
            shutil.rmtree(where, ignore_errors=True)
            words = most_telling(lines)
            full = "No space left" in " ".join(lines)
            advice = "the disk is full: free some space" if full else "could not make the database"
            raise ServiceError(self.title, f"{advice} ({words}); log: {log.path}")

    def _clear_stale_locks(self) -> None:
        """Remove lock files of a server that is gone, though another process may have its pid."""
        lock = self.directory / "postmaster.pid"
        if not lock.exists():
            return
        first = lock.read_text("utf-8", "replace").partition("\n")[0].strip()
        pid = int(first) if first.isdigit() else 0
        deadline_s = time.monotonic() + FOREIGN_SERVER_GRACE_S
        while self._is_our_server(pid):  # perhaps shutting down since its supervisor died
            if time.monotonic() > deadline_s:
                raise ServiceError(
                    self.title, f"another server (pid {pid}) uses {self.directory}: stop it first"
                )
            time.sleep(processes.POLL_S)
        lock.unlink(missing_ok=True)
        for leftover in self.socket_directory.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        words = processes.command_line(pid) if pid > 1 else []
        return bool(words) and "postgres" in Path(words[0]).name and str(self.directory) in words

    def data_version(self) -> str:
        """The major version that made the cluster; "" for none."""
        try:
            return (self.directory / "PG_VERSION").read_text("ascii").strip()
        except OSError:
            return ""


def buffers_mb(memory: int) -> int:
    """What a new cluster takes for its own cache, of so many bytes of memory.

    An index that is larger grows slowly, for each new vector visits pages all over it.
    """
    return max(LEAST_BUFFERS_MB, min(memory // BUFFERS_SHARE // 2**20, MOST_BUFFERS_MB))


def versions(home: Home) -> tuple[str, str]:
    """Major versions of Postgres: of the one that made the home's cluster ("" for none), and ours."""
    return Postgres(home, home.run, {}).data_version(), _server_version()


def _server_version() -> str:
    command = [str(binaries.postgres_program("postgres")), "--version"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", text)
    return found[1] if found else ""


def _give(place: Path, account: SystemAccount) -> None:
    for folder, _, files in os.walk(place):
        os.chown(folder, account.owner_uid, account.owner_gid)
        for name in files:
            os.chown(
                Path(folder, name), account.owner_uid, account.owner_gid, follow_symlinks=False
            )
