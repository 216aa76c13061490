"""Clients that are slow, silent, many, in a hurry, or gone: none of them keeps others from answers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec
import psycopg
import pytest

from mess_integrations.http.app import ENDPOINTS
from mess_integrations.http.connections import WaitingConnections
from mess_integrations.http.probes import PATIENCE_S
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.config import Settings
from mess_plugin.embedded import down, lease
from tests.event_tools import settings_for
from tests.http_client import TOKEN, Client, Eventually, serving


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    changes = {"watch": (str(tmp_path / "music"),), "http_rate_hz": 10_000.0}
    return settings_for(tmp_path / "home", database_url, valkey_url, **changes)


@pytest.fixture
def call(settings: Settings, eventually: Eventually) -> Iterator[Client]:
    yield from serving(settings, eventually)


served = contextmanager(serving)


def connect(client: Client) -> socket.socket:
    host, _, port = client.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def is_closed(link: socket.socket) -> bool:
    try:
        return link.recv(1) == b""
    except ConnectionError:
        return True


HEADERS = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_connections_that_never_ask_shut_nobody_out(call: Client, sent: bytes) -> None:
    with ExitStack() as opened:
        for _ in range(300):
            link = opened.enter_context(connect(call))
            link.sendall(sent)
        assert call("/healthz")[0] == 200
        assert call("/v1/status")[0] == 200


def test_silent_clients_are_let_go(settings: Settings, eventually: Eventually) -> None:
    short = WaitingConnections(header_s=0.3, body_s=0.3)
    unfinished = (
        b"",
        b"GET /healthz HTTP/1.1\r\nHo",
        f"POST /v1/similar HTTP/1.1\r\n{HEADERS}Content-Length: 9\r\n\r\n{{".encode(),
        f"GET /healthz HTTP/1.1\r\n{HEADERS}\r\nGET /hea".encode(),
    )
    with served(settings, eventually, waiting=short) as client:
        for sent in unfinished:
            with connect(client) as link:
                link.sendall(sent)
                while link.recv(4096):
                    pass  # closed by the service; a timeout of the socket would raise


def test_the_oldest_silent_connection_makes_room(
    settings: Settings, eventually: Eventually
) -> None:
    few = WaitingConnections(most_each=3)
    with served(settings, eventually, waiting=few) as client, ExitStack() as opened:
        links = []
        for _ in range(5):
            links.append(opened.enter_context(connect(client)))
            time.sleep(0.05)
        assert is_closed(links[0])
        assert is_closed(links[1])
        for link in links[2:]:
            link.sendall(f"GET /healthz HTTP/1.1\r\n{HEADERS}\r\n".encode())
            assert link.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_slow_but_steady_body_is_read(settings: Settings, eventually: Eventually) -> None:
    body = b'{"NotificationType": "Generic"}' + b" " * 40_000
    request = f"POST /webhooks/jellyfin HTTP/1.1\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n"
    short = WaitingConnections(body_s=0.2)
    with served(settings, eventually, waiting=short) as client, connect(client) as link:
        link.sendall(request.encode())
        for at in range(0, len(body), 8000):
            link.sendall(body[at : at + 8000])
            time.sleep(0.15)
        assert link.recv(4096).startswith(b"HTTP/1.1 202")


def test_small_answers_are_not_held_back(call: Client) -> None:
    """Nagle's algorithm and delayed acknowledgements would add 40 ms to every answer but the first."""
    with connect(call) as link:
        link.sendall(f"GET /healthz HTTP/1.1\r\n{HEADERS}\r\n".encode())
        assert link.recv(4096)
        assert call.server is not None
        for protocol in call.server.server_state.connections:
            its = protocol.transport.get_extra_info("socket")
            assert its.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_that_leaves_ends_its_question(
    settings: Settings, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    begun, noticed = threading.Event(), threading.Event()

    def slow(_service: HttpService, call: Call) -> Reply:
        begun.set()
        while not call.budget.is_over:
            time.sleep(0.01)
        noticed.set()
        return Reply({})

    endpoints = (*ENDPOINTS, Endpoint("GET", "/v1/slow", "Takes long", slow))
    with caplog.at_level(logging.WARNING), served(settings, eventually, endpoints) as client:
        with connect(client) as link:
            link.sendall(f"GET /v1/slow HTTP/1.1\r\n{HEADERS}\r\n".encode())
            assert begun.wait(30)
        assert noticed.wait(30)
        with connect(client) as link:  # and one that leaves in the middle of its body
            link.sendall(
                f"POST /v1/similar HTTP/1.1\r\n{HEADERS}Content-Length: 9\r\n\r\n{{".encode()
            )
        eventually(lambda: _counted(client, "499") >= 2, 30)
    assert not [record for record in caplog.records if record.exc_info], caplog.text


def _counted(client: Client, status: str) -> float:
    lines = client("/metrics")[1].splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("mess_requests_total") and f'status="{status}"' in line
    )


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    def tell(number: signal.Signals) -> None:
        for pid in pids:
            with suppress(
                ProcessLookupError
            ):  # a session that ended meanwhile took its process along
                os.kill(pid, number)

    tell(signal.SIGSTOP)
    try:
        yield
    finally:
        tell(signal.SIGCONT)


def test_a_frozen_database_is_told_in_time_and_holds_up_nobody(
    settings: Settings, embedded_home: Path, eventually: Eventually
) -> None:
    with lease(embedded_home, timeout_s=120) as held:
        own = msgspec.structs.replace(settings, database_url=held.endpoints.database_url)
        with served(own, eventually) as client:
            assert client("/readyz")[0] == 200
            with psycopg.connect(own.database_url or "", autocommit=True) as admin:
                rows = admin.execute("SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL")
                pids = [int(row[0]) for row in rows]
            with frozen([*pids, _parent(pids[0])]):
                began = time.monotonic()
                answers: list[tuple[int, object]] = []
                asking = [
                    threading.Thread(target=lambda: answers.append(client("/readyz")))
                    for _ in range(20)
                ]
                for one in asking:
                    one.start()
                for _ in range(5):
                    assert client("/healthz")[0] == 200
                assert time.monotonic() - began < PATIENCE_S
                for one in asking:
                    one.join()
                assert time.monotonic() - began < 4 * PATIENCE_S
                assert {answer[0] for answer in answers} == {503}
                checks = {"database": "does not answer", "broker": "ok"}
                assert answers[0][1] == {"ok": False, "checks": checks}
            eventually(lambda: client("/readyz")[0] == 200, 30)
    down(embedded_home)


def _parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def test_pages_of_chosen_origins_may_call(settings: Settings, eventually: Eventually) -> None:
    chosen = msgspec.structs.replace(settings, http_cors="https://my.page https://other.page")
    with served(chosen, eventually) as client:
        assert _preflight(client, "https://my.page") == "https://my.page"
        assert _preflight(client, "https://foreign.page") is None
    with served(settings, eventually) as client:
        assert _preflight(client, "https://my.page") is None


def _preflight(client: Client, origin: str) -> str | None:
    with connect(client) as link:
        link.sendall(
            f"OPTIONS /v1/status HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nConnection: close\r\n"
            "Access-Control-Request-Method: GET\r\n"
            "Access-Control-Request-Headers: authorization\r\n\r\n".encode()
        )
        received = b""
        while part := link.recv(4096):
            received += part
    for line in received.decode().splitlines():
        name, _, value = line.partition(": ")
        if name.lower() == "access-control-allow-origin":
            return value
    return None
