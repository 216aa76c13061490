"""OSC packets from strangers → messages, and messages → packets that every peer can read.

python-osc reads and writes the messages. Bundles are taken apart here: its own reader never comes
to an end where a bundle states a negative size, and its dispatcher waits for time tags that lie in
the future. Time tags are not looked at: every message is for now.
"""

from __future__ import annotations

import msgspec
from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder

MAX_PACKET_BYTES = 16_384
MAX_REPLY_BYTES = 1_024
_MAX_MESSAGES = 64  # in one bundle, nested ones included
_MAX_ARGUMENTS = 64
_BUNDLE = b"#bundle\0"
_BUNDLE_HEADER_BYTES = 16  # its name and its time tag
_TYPES = frozenset("ifsb")

Argument = int | float | str | bytes


class Message(msgspec.Struct, frozen=True):
    """One message. problem: why its arguments cannot be taken; None where they can."""

    address: str
    arguments: tuple[Argument, ...] = ()
    problem: str | None = None


def read_packet(packet: bytes) -> list[Message]:
    """The messages of a packet, in order. Raises ValueError for whatever is not OSC."""
    if len(packet) > MAX_PACKET_BYTES:
        raise ValueError(f"{len(packet)} bytes: wanted at most {MAX_PACKET_BYTES}")
    found: list[Message] = []
    waiting = [packet]
    while waiting:
        if len(found) + len(waiting) > _MAX_MESSAGES:
            raise ValueError(f"more than {_MAX_MESSAGES} messages in one bundle")
        part = waiting.pop()
        if part.startswith(_BUNDLE):
            waiting.extend(reversed(_elements(part)))
        else:
            found.append(_read_message(part))
    return found


def _elements(bundle: bytes) -> list[bytes]:
    found = []
    at = _BUNDLE_HEADER_BYTES
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + 4], "big", signed=True)
        at += 4
        if size <= 0 or size % 4 or at + size > len(bundle):
            raise ValueError(f"an element of a bundle states {size} bytes")
        found.append(bundle[at : at + size])
        at += size
        if len(found) > _MAX_MESSAGES:
            raise ValueError(f"more than {_MAX_MESSAGES} messages in one bundle")
    return found


def _read_message(part: bytes) -> Message:
    if not part.startswith(b"/"):
        raise ValueError("neither a message nor a bundle")
    end = part.index(b"\0")
    address = part[:end].decode("ascii")
    tags_at = (end // 4 + 1) * 4
    if tags_at >= len(part):
        return Message(address)  # very old senders leave the type tags out
    tags = part[tags_at : part.index(b"\0", tags_at)].decode("ascii")
    if not tags.startswith(","):
        raise ValueError("the type tags do not start with a comma")
    if len(tags) > _MAX_ARGUMENTS + 1:
        return Message(address, problem=f"more than {_MAX_ARGUMENTS} arguments")
    if unknown := sorted(set(tags[1:]) - _TYPES):
        return Message(address, problem=f"type tag {''.join(unknown)!r}: wanted only i, f, s and b")
    try:
        return Message(address, tuple(OscMessage(part).params))
    except (ParseError, IndexError, OverflowError) as error:
        raise ValueError("the arguments are cut off") from error


def write_message(address: str, *arguments: int | float | str) -> bytes:
    """A packet with arguments of the types i, f and s only: some peers drop a message over others."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        if isinstance(argument, str):
            builder.add_arg(_sendable(argument), "s")
        elif isinstance(argument, int):
            builder.add_arg(max(-(2**31), min(argument, 2**31 - 1)), "i")
        else:
            builder.add_arg(argument, "f")
    return builder.build().dgram


def shorten(text: str, most_bytes: int, *, keep_end: bool = False) -> str:
    """Text of at most so many bytes (3 or more) in UTF-8; what was cut is shown as "…"."""
    encoded = _sendable(text).encode()
    if len(encoded) <= most_bytes:
        return _sendable(text)
    room = most_bytes - len("…".encode())
    kept = encoded[len(encoded) - room :] if keep_end else encoded[:room]
    shown = kept.decode("utf-8", "ignore")
    return f"…{shown}" if keep_end else f"{shown}…"


def _sendable(text: str) -> str:
    """UTF-8 without zeros: bytes that are no text become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", " ")
