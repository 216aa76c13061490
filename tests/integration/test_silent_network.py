"""Connections that go silent: nobody waits for long, and the locks of who vanished go."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mess_plugin import keepalive
from mess_plugin.store import open_store
from tests.networks import SERVER, Network, network, tcp_postgres

Eventually = Callable[..., None]
# Sooner than the defaults, so that the tests are; what the defaults are is tested by themselves.
_SOON = (
    "?keepalives_idle=1&keepalives_interval=1&keepalives_count=3&tcp_user_timeout=7000"
    "&options=-c%20tcp_keepalives_idle%3D1%20-c%20tcp_keepalives_interval%3D1"
    "%20-c%20tcp_keepalives_count%3D3%20-c%20tcp_user_timeout%3D3000"
)
_ASK = """
import sys
from mess_plugin.errors import MessError
from mess_plugin.store import open_store
from mess_plugin.waiting import tell_what_is_waited_for
tell_what_is_waited_for(lambda text: print(text, flush=True))
try:
    with open_store(sys.argv[1]) as store:
        print("locked" if store.jobs.lock(7) else "taken", flush=True)
        sys.stdin.readline()
        store.library.count()
        print("answered", flush=True)
except MessError as error:
    print(error, flush=True)
"""
_SEND = """
import sys
from mess_plugin.config import load_settings
from mess_plugin.errors import MessError
from mess_plugin.store.dispatch import Due
from mess_workers import broker
broker._ANSWER_S = 2.0
queue = broker.JobQueue(load_settings({"MESS_HOME": "/nowhere", "MESS_BROKER_URL": sys.argv[1]}))
queue.send([Due(1, 3)])
print("sent", flush=True)
sys.stdin.readline()
try:
    queue.send([Due(2, 3)])
    print("sent", flush=True)
except MessError as error:
    print(error, flush=True)
"""


@pytest.fixture
def machines() -> Iterator[Network]:
    with network() as found:
        yield found


@pytest.fixture
def server_home(tmp_path: Path) -> Path:
    return tmp_path / "server"


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_database_that_goes_silent_is_named_and_given_up(
    machines: Network, server_home: Path
) -> None:
    with tcp_postgres(machines, server_home) as url:
        asking = machines.start(machines.client, sys.executable, "-c", _ASK, url + _SOON)
        assert said(asking) == "locked"
        machines.cut()
        go_on(asking)
        assert said(asking) == f"waiting for the database at {SERVER}:5432 …"
        assert said(asking).startswith(f"the database at {SERVER}:5432 does not answer")
        assert asking.wait(timeout=30) == 0


def test_the_locks_of_a_machine_that_vanished_go(
    machines: Network, server_home: Path, eventually: Eventually
) -> None:
    with tcp_postgres(machines, server_home) as url:
        vanished = machines.start(machines.client, sys.executable, "-c", _ASK, url + _SOON)
        assert said(vanished) == "locked"
        nearby = f"postgresql://mess@/mess?host={server_home}/run/pg"
        with open_store(nearby) as store:
            assert not store.jobs.lock(7)
            machines.cut()
            vanished.kill()  # behind the cut: the server hears nothing of it
            eventually(lambda: store.jobs.lock(7), timeout_s=60)
        vanished.wait()


def test_a_silent_network_that_comes_back_costs_nothing(
    machines: Network, server_home: Path
) -> None:
    with tcp_postgres(machines, server_home) as url:
        asking = machines.start(machines.client, sys.executable, "-c", _ASK, url)
        assert said(asking) == "locked"
        machines.cut()
        go_on(asking)
        assert said(asking) == f"waiting for the database at {SERVER}:5432 …"
        machines.mend()
        assert said(asking) == "answered"
        assert asking.wait(timeout=30) == 0


def test_a_broker_that_goes_silent_is_given_up(machines: Network, tmp_path: Path) -> None:
    from mess_plugin.embedded.binaries import valkey_server

    server = machines.start(
        machines.server, valkey_server(), "--bind", SERVER, "--protected-mode", "no",
        "--dir", tmp_path, "--port", "6379", "--save", "",
    )  # fmt: skip
    try:
        while "Ready to accept" not in (line := said(server)):
            assert line or server.poll() is None
        url = f"redis://{SERVER}:6379/0"
        sending = machines.start(machines.client, sys.executable, "-c", _SEND, url)
        assert said(sending) == "sent"
        machines.cut()
        go_on(sending)
        assert said(sending).startswith(f"broker: {SERVER}:6379 does not answer")
        assert sending.wait(timeout=60) == 0
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_both_ends_of_every_session_notice_silence(machines: Network, server_home: Path) -> None:
    """Without a word about it in the URL: what the kernel and the server were told."""
    code = (
        "import socket, sys; from mess_plugin.store import open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    c = store._session.connection\n"
        "    s = socket.socket(fileno=c.pgconn.socket)\n"
        "    t, n = socket.IPPROTO_TCP, ('TCP_KEEPIDLE', 'TCP_KEEPINTVL', 'TCP_KEEPCNT')\n"
        "    print(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),\n"
        "          *(s.getsockopt(t, getattr(socket, x)) for x in (*n, 'TCP_USER_TIMEOUT')))\n"
        "    print(*(c.execute('SHOW ' + x).fetchone()[0] for x in ('tcp_keepalives_idle',\n"
        "          'tcp_keepalives_interval', 'tcp_keepalives_count', 'tcp_user_timeout')))\n"
        "    s.detach()\n"
    )
    with tcp_postgres(machines, server_home) as url:
        asking = machines.start(machines.client, sys.executable, "-c", code, url)
        ours, theirs = said(asking).split(), said(asking).split()
        assert asking.wait(timeout=30) == 0
    assert ours == ["1", "30", "10", "3", "60000"]
    assert theirs == ["30", "10", "3", "60000"]


def test_the_brokers_connections_notice_silence() -> None:
    from mess_plugin.config import load_settings
    from mess_workers.app import make_app

    app = make_app(load_settings({"MESS_HOME": "/nowhere", "MESS_BROKER_URL": "redis://h/0"}))
    options = app.conf.broker_transport_options
    assert options["socket_keepalive"] is True
    assert options["socket_keepalive_options"][socket.TCP_USER_TIMEOUT] == 60_000
    assert keepalive.SILENT_S == 60
