"""Packets in a TCP stream: each behind its size (OSC 1.0), or between SLIP's END bytes (OSC 1.1).

The first byte tells which: END is 0xC0, and the size of any packet that is accepted starts with 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import Enum

from pythonosc import slip

from mess_integrations.osc.wire import MAX_PACKET_BYTES

STREAM_LIMIT_BYTES = 2 * MAX_PACKET_BYTES + 2  # a packet of nothing but escaped bytes


class Framing(Enum):
    """How packets are told apart."""

    SIZE = "size"
    SLIP = "slip"

    def frame(self, packet: bytes) -> bytes:
        """A packet as it goes into the stream."""
        if self is Framing.SLIP:
            framed: bytes = slip.encode(packet)
            return framed
        return len(packet).to_bytes(4, "big") + packet


async def detect(reader: asyncio.StreamReader) -> Framing:
    """Read the first byte of a stream. Raises ValueError, or EOFError where there is none."""
    first = await reader.readexactly(1)
    if first == slip.END:
        return Framing.SLIP
    if first == b"\0":
        return Framing.SIZE
    raise ValueError(f"a stream that starts with {first.hex()} is no OSC")


async def packets(reader: asyncio.StreamReader, framing: Framing) -> AsyncIterator[bytes]:
    """The packets of a stream whose first byte was read, up to its end.

    Raises ValueError where the framing is broken; EOFError where the stream ends inside a packet.
    """
    if framing is Framing.SLIP:
        while frame := await _slip_frame(reader):
            if frame != slip.END:
                yield slip.decode(frame)
        return
    head = b"\0" + await reader.readexactly(3)
    while head:
        size = int.from_bytes(head, "big")
        if not 0 < size <= MAX_PACKET_BYTES:
            raise ValueError(f"a packet of {size} bytes: wanted 1 to {MAX_PACKET_BYTES}")
        yield await reader.readexactly(size)
        head = await reader.read(1)
        if head:
            head += await reader.readexactly(3)


async def _slip_frame(reader: asyncio.StreamReader) -> bytes:
    """Up to and with the next END; empty at the end of the stream."""
    try:
        return await reader.readuntil(slip.END)
    except asyncio.LimitOverrunError as error:
        raise ValueError("a SLIP frame without an end") from error
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""
