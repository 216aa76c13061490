"""The sockets: UDP and TCP at one address, and everything behind them wired together."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any, cast

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.osc.discovery import announced
from mess_integrations.osc.dispatcher import OscDispatcher
from mess_integrations.osc.framing import STREAM_LIMIT_BYTES, detect, packets
from mess_integrations.osc.jobs import LookupJobs
from mess_integrations.osc.lookups import hurried
from mess_integrations.osc.peers import Sender, TcpPeer
from mess_integrations.osc.subscriptions import Subscriptions
from mess_integrations.rate_limit import client_of
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, EncoderError, MessError, UsageError
from mess_plugin.search import seeds
from mess_plugin.spaces.active_encoder import resolve_settings

_RECEIVE_BUFFER_BYTES = 4 << 20  # uploads come in bursts
_MOST_CONNECTIONS = 64
_MOST_CONNECTIONS_EACH = 32  # of one client
_FIRST_PACKET_S = 10.0
_PAUSE_S = 0.05
_SHORTEST_SECRET = 12
_TRIES_FOR_A_PORT = 20  # of any: one that is free for TCP may be taken for UDP
_log = logging.getLogger(__name__)


async def serve(settings: Settings, started: Callable[[str, int], None]) -> None:
    """Answer until SIGINT or SIGTERM. started(host, port) is called once the sockets are open.

    settings: with a database_url. Raises UsageError where the address cannot be listened at.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening(settings) as (host, port), AsyncExitStack() as stack:
        if settings.osc_announce:
            await stack.enter_async_context(announced(host, port))
        started(host, port)
        await stop.wait()


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[tuple[str, int]]:
    """A running server; gives the address that it listens at (a port of 0 means any)."""
    _check_exposure(settings)
    sockets = await _bind(settings)
    settings = hurried(settings)
    lookups = LookupJobs(settings, AllowedFolders(settings))
    subscriptions = Subscriptions(lookups.library)
    udp = _Datagrams()
    dispatcher = OscDispatcher(settings, lookups, subscriptions, udp.send)
    udp.dispatcher = dispatcher
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: udp, sock=sockets[0])
    streams = _Streams(dispatcher)
    tcp = await asyncio.start_server(streams.serve, sock=sockets[1], limit=STREAM_LIMIT_BYTES)
    tasks = [
        asyncio.create_task(subscriptions.watch()),
        asyncio.create_task(_warm(lookups, settings)),
    ]
    try:
        yield sockets[0].getsockname()[:2]
    finally:
        for task in tasks:
            task.cancel()
        lookups.close()
        streams.close()
        tcp.close()
        transport.close()


async def _warm(lookups: LookupJobs, settings: Settings) -> None:
    """Load the encoder and connect before the first question."""
    try:
        await lookups.library.run(lambda store: store.library.newest())
        await lookups.hearing.run(lambda store: seeds.make_ready(resolve_settings(store, settings)))
    except EncoderError as error:
        _log.warning("only indexed files can be looked up: %s", error)
    except MessError as error:
        _log.warning("%s", error)


def _check_exposure(settings: Settings) -> None:
    """Other machines may ask only with the secret, which nobody should guess."""
    if settings.osc_secret and len(settings.osc_secret) < _SHORTEST_SECRET:
        raise ConfigError(
            "osc_secret", "(secret)", f"it must have {_SHORTEST_SECRET} characters or more"
        )
    try:
        is_loopback = ipaddress.ip_address(settings.osc_host).is_loopback
    except ValueError:
        is_loopback = settings.osc_host == "localhost"
    if not is_loopback and not settings.osc_secret:
        raise UsageError(
            f"other machines could reach {settings.osc_host}: set MESS_OSC_SECRET, "
            "which clients send as /mess/auth, or listen at 127.0.0.1"
        )


async def _bind(settings: Settings) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket at the same address."""
    host, port = settings.osc_host, settings.osc_port
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        for _ in range(_TRIES_FOR_A_PORT if port == 0 else 0):
            with contextlib.suppress(OSError):
                return _pair(family, address)
        return _pair(family, address)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port} ({(error.strerror or str(error)).lower()}): "
            "is `mess osc` running already? Choose another with --port"
        ) from error


def _pair(family: int, address: Any) -> tuple[socket.socket, socket.socket]:
    """Both bound. A port of 0 means any that TCP has free, which UDP may not have: OSError."""
    with ExitStack() as opened:
        tcp = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
        udp = opened.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        tcp.bind(address)
        udp.bind(tcp.getsockname())
        for one in (tcp, udp):
            one.setblocking(False)
        opened.pop_all()
    return udp, tcp


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP side."""

    dispatcher: OscDispatcher

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._own_port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._own_port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        host, port = addr[0], addr[1]
        sender = Sender(host, port)
        if self.dispatcher.admits(data, sender):
            self.dispatcher.receive(data, sender)

    def error_received(self, exc: Exception) -> None:
        _log.debug("a client is not listening: %s", exc)

    def send(self, packet: bytes, host: str, port: int) -> None:
        """Send, but never to where nothing can listen or where the server itself does."""
        if self._transport is None or self._transport.is_closing():
            return
        # Loopback alone is recognised for sure; the dispatcher ignores every echo of an answer anyway.
        is_own = port == self._own_port and host in {"127.0.0.1", "::1"}
        if port and not is_own:
            with contextlib.suppress(OSError):
                self._transport.sendto(packet, (host, port))


class _Streams:
    """The TCP side. Where there are too many connections, the one that was silent longest ends."""

    def __init__(self, dispatcher: OscDispatcher) -> None:
        self._dispatcher = dispatcher
        self._open: OrderedDict[asyncio.StreamWriter, str] = OrderedDict()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its end."""
        host, port = writer.get_extra_info("peername")[:2]
        self._add(writer, client_of(host))
        peer: TcpPeer | None = None
        try:
            async with asyncio.timeout(_FIRST_PACKET_S):
                peer = TcpPeer(writer, await detect(reader))
                stream = packets(reader, peer.framing)
                packet = await anext(stream, None)
            while packet is not None:
                if writer in self._open:
                    self._open.move_to_end(writer)
                sender = Sender(host, port, peer)
                while not self._dispatcher.admits(packet, sender):
                    await asyncio.sleep(_PAUSE_S)  # the sender waits: nothing is lost in a stream
                self._dispatcher.receive(packet, sender)
                packet = await anext(stream, None)
        except (ValueError, EOFError, OSError) as error:
            _log.debug("connection from %s: %s", host, error)
        finally:
            self._open.pop(writer, None)
            if peer is not None:
                self._dispatcher.closed(peer)
            writer.close()

    def close(self) -> None:
        """End all connections."""
        for writer in list(self._open):
            writer.transport.abort()

    def _add(self, writer: asyncio.StreamWriter, client: str) -> None:
        own = [one for one, its in self._open.items() if its == client]
        if len(own) >= _MOST_CONNECTIONS_EACH:
            self._end(own[0])
        elif len(self._open) >= _MOST_CONNECTIONS:
            self._end(next(iter(self._open)))
        self._open[writer] = client

    def _end(self, writer: asyncio.StreamWriter) -> None:
        del self._open[writer]
        writer.transport.abort()
