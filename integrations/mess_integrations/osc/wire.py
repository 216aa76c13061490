"""OSC packets from strangers → messages, and messages → packets that every peer can read.

Read here rather than by python-osc: its reader drops a message with a string that is not UTF-8, and
Linux programs (Pure Data, liblo, SuperCollider) send the bytes of a path as they are; it never comes to
an end where a bundle states a negative size; and its dispatcher waits for time tags that lie in the
future. Time tags are not looked at: every message is for now.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

MAX_PACKET_BYTES = 16_384
MAX_REPLY_BYTES = 1_024
_MAX_MESSAGES = 64  # in one bundle, nested ones included
_MAX_ARGUMENTS = 64
_BUNDLE = b"#bundle\0"
_CUT = "…".encode()
_BUNDLE_HEADER_BYTES = 16  # its name and its time tag
_TYPES = frozenset("ifsb")
_INT, _FLOAT = struct.Struct(">i"), struct.Struct(">f")

Argument = int | float | str | bytes


class Message(msgspec.Struct, frozen=True):
    """One message."""

    address: str
    arguments: tuple[Argument, ...] = ()
    """Strings hold bytes that are not UTF-8 as Python's surrogateescape does."""
    problem: str | None = None
    """Why the arguments cannot be taken; None where they can."""


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
    return Message(address, tuple(_arguments(part, tags_at + _padded_bytes(len(tags)), tags[1:])))


def _arguments(part: bytes, at: int, tags: str) -> Iterator[Argument]:
    """The arguments behind the type tags. Raises ValueError where they are cut off."""
    for tag in tags:
        if tag == "s":
            end = part.index(b"\0", at)
            yield part[at:end].decode("utf-8", "surrogateescape")
            at += _padded_bytes(end - at)
            continue
        if at + 4 > len(part):
            raise ValueError("the arguments are cut off")
        if tag == "f":
            yield _FLOAT.unpack_from(part, at)[0]
        else:
            (number,) = _INT.unpack_from(part, at)
            if tag == "i":
                yield number
            else:
                if not 0 <= number <= len(part) - at - 4:
                    raise ValueError(f"a blob states {number} bytes")
                yield part[at + 4 : at + 4 + number]
                at += (number + 3) // 4 * 4
        at += 4


def _padded_bytes(n_bytes: int) -> int:
    """A string with the zeros behind it: at least one, up to a multiple of four."""
    return (n_bytes // 4 + 1) * 4


def write_message(address: str, *arguments: int | float | str | bytes) -> bytes:
    """A packet with arguments of the types i, f and s only: some peers drop a message over others.

    bytes: a string as it is, without zeros, such as the name of a file.
    """
    tags, body = ",", b""
    for argument in arguments:
        if isinstance(argument, str | bytes):
            text = argument if isinstance(argument, bytes) else _sendable(argument).encode()
            tags, body = f"{tags}s", body + _string(text)
        elif isinstance(argument, int):
            tags, body = f"{tags}i", body + _INT.pack(max(-(2**31), min(argument, 2**31 - 1)))
        else:
            tags, body = f"{tags}f", body + _FLOAT.pack(argument)
    return _string(address.encode("ascii")) + _string(tags.encode("ascii")) + body


def _string(text: bytes) -> bytes:
    return text.ljust(_padded_bytes(len(text)), b"\0")


def shorten(text: str, most_bytes: int) -> str:
    """Text of at most so many bytes (3 or more) in UTF-8; a cut end is shown as "…"."""
    encoded = _sendable(text).encode()
    if len(encoded) <= most_bytes:
        return _sendable(text)
    return encoded[: most_bytes - len(_CUT)].decode("utf-8", "ignore") + "…"


def shorten_path(path: str, most_bytes: int) -> bytes:
    """The bytes of a path, at most so many (3 or more); a cut beginning is shown as "…"."""
    encoded = path.encode("utf-8", "surrogateescape").replace(b"\0", b" ")
    if len(encoded) <= most_bytes:
        return encoded
    kept = encoded[len(encoded) - (most_bytes - len(_CUT)) :]
    while kept and 0x80 <= kept[0] < 0xC0:  # the rest of a character that was cut
        kept = kept[1:]
    return _CUT + kept


def _sendable(text: str) -> str:
    """UTF-8 without zeros: bytes that are no text become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", " ")
