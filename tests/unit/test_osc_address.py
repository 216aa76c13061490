"""Where `mess osc` listens: one port for UDP and TCP, or a clear error."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from mess_integrations.osc import server
from mess_plugin.config import load_settings
from mess_plugin.errors import UsageError


def _bound(port: int) -> tuple[socket.socket, socket.socket]:
    return asyncio.run(server._bind(load_settings({}, osc_port=port)))


def test_any_port_is_the_same_for_both() -> None:
    udp, tcp = _bound(0)
    with udp, tcp:
        assert udp.getsockname() == tcp.getsockname()
        assert (udp.type, tcp.type) == (socket.SOCK_DGRAM, socket.SOCK_STREAM)


def test_any_port_is_chosen_again_where_one_protocol_has_it_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []
    pair = server._pair

    def unlucky(family: int, address: Any) -> tuple[socket.socket, socket.socket]:
        tries.append(address[1])
        if len(tries) < 4:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return pair(family, address)

    monkeypatch.setattr(server, "_pair", unlucky)
    for one in _bound(0):
        one.close()
    assert tries == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_chosen_port_in_use_is_an_error(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port} .*--port"):
            _bound(port)
