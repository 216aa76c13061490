"""The supervisor's side of the control socket: who is connected, and what they asked for."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mess_plugin.embedded import protocol


@dataclass(eq=False, slots=True)
class Client:
    """One connection; it is a lease from its first request until it closes."""

    link: socket.socket
    received: bytes = b""
    waits_for: frozenset[str] | None = None
    answered: bool = False


class Clients:
    """All connections; `on_request(client, message)` is called for every line that arrives."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        on_request: Callable[[Client, dict[str, Any]], None],
    ) -> None:
        """Take over a listening socket."""
        self._listener = listener
        self._selector = selector
        self._on_request = on_request
        self._all: set[Client] = set()
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, self._accept)

    @property
    def leases(self) -> int:
        """How many connections hold the home up."""
        return sum(client.waits_for is not None for client in self._all)

    def waiting(self) -> list[Client]:
        """Those who asked and have no answer yet."""
        return [each for each in self._all if each.waits_for is not None and not each.answered]

    def answer(self, client: Client, message: Mapping[str, Any]) -> None:
        """Send the one answer; a client that does not read loses its connection."""
        client.answered = True
        try:
            client.link.sendall(protocol.encode(message))
        except OSError:
            self.drop(client)

    def drop(self, client: Client) -> None:
        """End a connection."""
        if client in self._all:
            self._all.discard(client)
            self._selector.unregister(client.link)
            client.link.close()

    def close(self) -> None:
        """Refuse new connections and end all others."""
        with suppress(KeyError):
            self._selector.unregister(self._listener)
        self._listener.close()
        for client in list(self._all):
            self.drop(client)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            link, _ = self._listener.accept()
            link.setblocking(False)
            client = Client(link)
            self._all.add(client)
            self._selector.register(link, selectors.EVENT_READ, lambda: self._receive(client))

    def _receive(self, client: Client) -> None:
        try:
            data = client.link.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        line, end, rest = client.received.partition(b"\n")
        if not data or len(client.received) > protocol.LONGEST_LINE_BYTES:
            self.drop(client)
        elif end:
            client.received = rest
            try:
                self._on_request(client, protocol.decode(line))
            except (ValueError, KeyError, TypeError) as error:
                self.answer(client, {"error": ["supervisor", f"bad request: {error}"]})
