"""Connections of the HTTP service: how long a client may be silent, and how many it may hold.

A connection that waits for its client (for a header, for the rest of a body, for the next request)
costs nothing to open and needs no token, so it must not be able to shut others out. Such connections
have a time limit, and where there are too many the oldest is closed in favour of the new one. Those
whose request is being answered are counted elsewhere (`app.py`).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mess_integrations.rate_limit import client_of

MOST_WAITING = 256
MOST_WAITING_EACH = 64  # of one client; a reverse proxy is one client too
HEADER_S = 10.0
BODY_S = 20.0  # and a second more for each _SLOWEST_BYTES_HZ bytes that came
_SLOWEST_BYTES_HZ = 8192
_LINGER_S = 60.0  # for the rest of an answer, once the connection is being closed


@dataclass(slots=True)
class WaitingConnections:
    """Those that wait for their clients, oldest first, and for how long they may."""

    header_s: float = HEADER_S
    body_s: float = BODY_S
    most: int = MOST_WAITING
    most_each: int = MOST_WAITING_EACH
    _waiting: OrderedDict[LimitedProtocol, str] = field(default_factory=OrderedDict)
    _per_client: Counter[str] = field(default_factory=Counter)

    def add(self, connection: LimitedProtocol, client: str) -> None:
        """One more waits; the oldest of the client, or of all, makes room for it."""
        if connection in self._waiting:
            return
        self._waiting[connection] = client
        self._per_client[client] += 1
        if self._per_client[client] > self.most_each:
            self._close(next(one for one, its in self._waiting.items() if its == client))
        elif len(self._waiting) > self.most:
            self._close(next(iter(self._waiting)))

    def remove(self, connection: LimitedProtocol) -> None:
        """One does not wait any more."""
        client = self._waiting.pop(connection, None)
        if client is None:
            return
        self._per_client[client] -= 1
        if not self._per_client[client]:
            del self._per_client[client]

    def _close(self, connection: LimitedProtocol) -> None:
        self.remove(connection)
        connection.transport.abort()


class LimitedProtocol(H11Protocol):
    """uvicorn's own protocol with limits for clients that are slow or silent."""

    def __init__(self, *arguments: Any, waiting: WaitingConnections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting = waiting
        self._client_key = ""
        self._since_s = 0.0
        self._received_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send small answers at once, and begin to wait for a request."""
        super().connection_made(transport)
        own = transport.get_extra_info("socket")
        if own is not None and own.family in (socket.AF_INET, socket.AF_INET6):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client_key = client_of(self.client[0]) if self.client else ""
        self._wait(self._waiting.header_s)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; go on waiting until its request is complete."""
        self._received_bytes += len(data)
        before = self.conn.their_state
        super().data_received(data)
        if self.transport.is_closing():
            return
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            if before is not h11.SEND_BODY:
                self._wait(self._waiting.body_s)
        elif state is h11.IDLE and self.conn.our_state is h11.IDLE:
            if self._timer is None:  # a further request begins
                self._wait(self._waiting.header_s)
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """After an answer the connection waits for the next request, for uvicorn's own time."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self._waiting.add(self, self._client_key)

    def timeout_keep_alive_handler(self) -> None:
        """Close, but do not wait for ever for a client that reads nothing."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(_LINGER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, limit_s: float) -> None:
        self._since_s, self._received_bytes = time.monotonic(), 0
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(limit_s, self._give_up, limit_s)
        self._waiting.add(self, self._client_key)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.remove(self)

    def _give_up(self, limit_s: float) -> None:
        left_s = self._since_s + limit_s - time.monotonic()
        if self.conn.their_state is h11.SEND_BODY:
            left_s += self._received_bytes / _SLOWEST_BYTES_HZ
        if left_s > 0:
            self._timer = self.loop.call_later(left_s, self._give_up, limit_s)
            return
        self._timer = None
        self._waiting.remove(self)
        if not self.transport.is_closing():
            self.transport.abort()
