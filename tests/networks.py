"""A network of three machines on this one, whose middle can swallow every packet without a word.

    client ── middle ── server

Namespaces of Linux need root, or sudo without a password. Where they are refused, tests that want them
are left out by name; with CI=true they fail instead.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CLIENT, SERVER = "10.77.1.2", "10.77.2.2"
_AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n", "-E")
_CHECKOUT = Path(__file__).resolve().parents[1]
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Network:
    """The three machines, by the names of their namespaces."""

    client: str
    middle: str
    server: str

    def command(self, machine: str, *argv: str | Path) -> list[str]:
        """A command as it runs on one of the machines."""
        return [*_AS_ROOT, "ip", "netns", "exec", machine, *map(str, argv)]

    def start(self, machine: str, *argv: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Run a command on one of the machines, with pipes to it."""
        return subprocess.Popen(
            self.command(machine, *argv),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=_CHECKOUT, **options,
        )  # fmt: skip

    def cut(self) -> None:
        """From now on no packet arrives on the other side, and nobody is told."""
        for address in (CLIENT, SERVER):
            _ip("-n", self.middle, "route", "add", "blackhole", f"{address}/32")

    def mend(self) -> None:
        """Packets arrive again."""
        for address in (CLIENT, SERVER):
            _ip("-n", self.middle, "route", "del", "blackhole", f"{address}/32")


@contextmanager
def network() -> Iterator[Network]:
    """Three machines in a row; pytest.skip where this system refuses them."""
    suffix = f"{os.getpid()}-{next(_numbers)}"
    found = Network(*(f"mess-{name}-{suffix}" for name in ("client", "middle", "server")))
    try:
        try:
            _build(found)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            reason = f"needs network namespaces (root and iproute2): {said.strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        yield found
    finally:
        for machine in (found.client, found.middle, found.server):
            subprocess.run(
                [*_AS_ROOT, "ip", "netns", "del", machine], capture_output=True, check=False
            )


@contextmanager
def tcp_postgres(where: Network, home: Path) -> Iterator[str]:
    """A Postgres of the server's, reachable over the network alone; its URL."""
    process = where.start(where.server, sys.executable, "-m", "tests.networks", home, SERVER)
    try:
        _wait_for_line(process, "ready")
        yield f"postgresql://mess@{SERVER}:5432/mess"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _build(found: Network) -> None:
    for machine in (found.client, found.middle, found.server):
        _ip("netns", "add", machine)
        _ip("-n", machine, "link", "set", "lo", "up")
    for number, machine in ((1, found.client), (2, found.server)):
        inside, outside = f"m{number}", f"e{number}"
        _ip("link", "add", inside, "netns", machine, "type", "veth",
            "peer", "name", outside, "netns", found.middle)  # fmt: skip
        _ip("-n", machine, "addr", "add", f"10.77.{number}.2/24", "dev", inside)
        _ip("-n", found.middle, "addr", "add", f"10.77.{number}.1/24", "dev", outside)
        _ip("-n", machine, "link", "set", inside, "up")
        _ip("-n", found.middle, "link", "set", outside, "up")
        _ip("-n", machine, "route", "add", "default", "via", f"10.77.{number}.1")
    forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    _ip("netns", "exec", found.middle, "sh", "-c", forward)


def _ip(*words: str) -> None:
    subprocess.run([*_AS_ROOT, "ip", *words], capture_output=True, text=True, check=True)


def _wait_for_line(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    for said in process.stdout:
        if said.strip() == line:
            return
    raise AssertionError(f"it ended without saying {line!r}: {process.stderr.read()}")


def _serve(home: Path, address: str) -> None:
    """Run Postgres in the foreground, for everybody in this network."""
    import signal

    from mess_plugin.embedded import launch
    from mess_plugin.embedded.home import Home
    from mess_plugin.embedded.logs import Log
    from mess_plugin.embedded.postgres import Postgres

    place = Home.at(home)
    place.prepare()
    plan = Postgres(place, place.run, dict(os.environ))
    argv, account = plan.prepare(Log(place.log("postgres")))
    hba = plan.directory / "pg_hba.conf"
    hba.write_text(hba.read_text() + "host all all 10.77.0.0/16 trust\n")
    with place.log("postgres").open("ab") as log:
        child = launch.start(
            [*argv, f"--listen_addresses={address}"],
            account, directory=plan.directory, environment=plan.environment,
            output=log.fileno(), death_signal=signal.SIGINT,
        )  # fmt: skip
    while not plan.is_ready(child.pid):
        assert child.poll() is None, place.log("postgres").read_text()
        time.sleep(0.02)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    child.wait()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2])
