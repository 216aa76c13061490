"""Where the answers of the OSC server go: ports, connections, subscribers."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

import pytest
from pythonosc import slip
from pythonosc.osc_message import OscMessage

from mess_plugin.store import open_store
from tests.osc_library import ASYLUM, NOIZ
from tests.osc_peer import Client, index_files, packet, server, settings_for


def test_answers_go_where_they_are_wanted(osc_client: Client, osc_address: tuple[str, int]) -> None:
    other = Client(osc_address)
    osc_client.send("/mess/lookup/file", "p", str(ASYLUM[0]), 0.0, 10.0, "k", 1, "port", other.port)
    assert other.until("/mess/lookup/done")
    assert osc_client.is_silent()
    osc_client.send("/mess/client/port", other.port)
    assert other.receive().address == "/mess/client/ok"
    osc_client.send("/mess/ping")
    assert other.receive().address == "/mess/pong"
    osc_client.send("/mess/client/port", 0)
    assert osc_client.receive().params == [0]
    other.send("/mess/client/port", 0)
    assert other.receive().params == [0]
    other.close()


@pytest.mark.parametrize("framing", ["size", "slip"])
def test_tcp_in_both_framings(osc_address: tuple[str, int], framing: str) -> None:
    def framed(data: bytes) -> bytes:
        return slip.encode(data) if framing == "slip" else struct.pack(">I", len(data)) + data

    request = packet("/mess/lookup/file", "t", str(ASYLUM[0]), 0.0, 10.0, "k", 3)
    with socket.create_connection(osc_address, timeout=20) as link:
        data = framed(packet("/mess/ping")) + framed(request)
        for at in range(0, len(data), 7):  # in small pieces
            link.sendall(data[at : at + 7])
        received = b""
        while b"/mess/lookup/done" not in received:
            received += link.recv(4096)
    addresses = [OscMessage(one).address for one in _unframed(received, framing)]
    assert addresses[:2] == ["/mess/pong", "/mess/lookup/ack"]
    assert addresses[2:5] == ["/mess/lookup/match"] * 3


def _unframed(data: bytes, framing: str) -> list[bytes]:
    if framing == "slip":
        return [slip.decode(part) for part in data.split(slip.END_END)]
    found = []
    while len(data) >= 4:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def test_news_of_new_tracks(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url)
    with open_store(database_url) as store, server(settings) as address:
        index_files(store, settings, ASYLUM[:1])
        client = Client(address)
        client.send("/mess/subscribe", 1)
        assert client.receive().params == [1]
        time.sleep(2.5)
        index_files(store, settings, NOIZ[:1])
        event = client.receive(20)
        assert event.address == "/mess/event/indexed"
        assert event.params[3] == str(NOIZ[0])
        assert client.is_silent(2.5)
        client.send("/mess/subscribe", 0)
        assert client.receive().params == [0]
        index_files(store, settings, NOIZ[1:2])
        assert client.is_silent(2.5)
        client.close()
