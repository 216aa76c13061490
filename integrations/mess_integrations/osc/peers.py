"""Who asks, and where the answers go: always to the address that asked, at a port of its choice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from mess_integrations.osc.framing import Framing
from mess_integrations.rate_limit import ExpiringTable

_MOST_UNREAD_BYTES = 1 << 20  # a TCP client that reads nothing is let go

Send = Callable[[bytes, str, int], None]


class Peer(Protocol):
    """Somebody to answer. Two requests with the same `key` and id are about the same lookup."""

    @property
    def key(self) -> Hashable:
        """Who it is."""
        ...

    def send(self, packet: bytes) -> None:
        """Answer, or drop the answer where nobody can take it."""
        ...


@dataclass(frozen=True, slots=True)
class UdpPeer:
    """An address and the port at which it listens."""

    host: str
    port: int
    _send: Send = field(repr=False, compare=False)

    @property
    def key(self) -> Hashable:
        """Address and port."""
        return self.host, self.port

    def send(self, packet: bytes) -> None:
        """One datagram."""
        self._send(packet, self.host, self.port)


@dataclass(frozen=True, slots=True, eq=False)
class TcpPeer:
    """A connection: answers go back through it, whatever ports are asked for."""

    writer: asyncio.StreamWriter
    framing: Framing

    @property
    def key(self) -> Hashable:
        """The connection itself."""
        return id(self.writer)

    def send(self, packet: bytes) -> None:
        """One frame."""
        transport = self.writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            transport.abort()
            return
        self.writer.write(self.framing.frame(packet))


class Sender(msgspec.Struct, frozen=True):
    """Where a packet came from. connection: None for UDP."""

    host: str
    port: int
    connection: TcpPeer | None = None

    @property
    def key(self) -> Hashable:
        """What an authorisation holds for: the connection, or address and port."""
        return self.connection.key if self.connection else (self.host, self.port)


class Ports:
    """Where UDP clients listen.

    In order: the request's own key `port`, what /mess/client/port said for this very address and
    port, what it said last for the address (tools like oscsend come from another port each time),
    the configured port, and the port that the request came from.
    """

    def __init__(self, fixed: int) -> None:
        self._fixed = fixed
        self._by_sender: ExpiringTable[tuple[str, int], int] = ExpiringTable(1024)
        self._by_host: ExpiringTable[str, int] = ExpiringTable(1024)

    def note(self, sender: Sender, port: int) -> None:
        """Remember what /mess/client/port said."""
        self._by_sender.put((sender.host, sender.port), port)
        self._by_host.put(sender.host, port)

    def of(self, sender: Sender, asked: int) -> int:
        """The port to answer at."""
        if asked:
            return asked
        noted = self._by_sender.get((sender.host, sender.port))
        if noted is None:
            noted = self._by_host.get(sender.host)
        if noted is None:
            noted = self._fixed
        return noted or sender.port
