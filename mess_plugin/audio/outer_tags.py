"""The tags that lie around the audio of a file, by whatever program put them there.

In front ID3v2 and APEv2; behind ID3v1, Lyrics3v2, APEv2 and ID3v2.4. FFmpeg's demuxers hand the
trailing ones out as audio.
"""

from __future__ import annotations

from collections.abc import Callable

Read = Callable[[int, int], bytes]
"""(offset, size) → the bytes there, fewer at the end of the file."""

_LEADING_BYTES = 32  # enough to tell the length of a tag in front
_TRAILING_BYTES = 355  # enough to tell the length of a tag behind


def audio_extent(read: Read, file_bytes: int) -> tuple[int, int]:
    """Where the audio starts and ends between the tags, in bytes; equal where there is none."""
    start = _after_leading_tags(read, file_bytes)
    return start, _before_trailing_tags(read, start, file_bytes)


def _after_leading_tags(read: Read, file_bytes: int) -> int:
    start = 0
    while True:
        head = read(start, _LEADING_BYTES)
        length = _id3v2_length(head) or _apev2_length(head)
        if not length:
            return min(start, file_bytes)
        start += length


def _before_trailing_tags(read: Read, start: int, file_bytes: int) -> int:
    end = file_bytes
    while end > start:
        tail = read(max(0, end - _TRAILING_BYTES), min(end, _TRAILING_BYTES))
        length = _trailing_tag_length(tail)
        if not 0 < length <= end - start:
            return end
        end -= length
    return end


def _synchsafe(four: bytes) -> int:
    """Decode an ID3v2 size: four bytes of seven bits each."""
    return sum((byte & 0x7F) << shift for byte, shift in zip(four, (21, 14, 7, 0), strict=True))


def _id3v2_length(head: bytes) -> int:
    if len(head) < 10 or head[:3] != b"ID3" or 0xFF in head[3:5] or max(head[6:10]) > 0x7F:
        return 0
    return 10 + _synchsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)


def _apev2_length(block: bytes) -> int:
    """Length of the tag whose header or footer (32 bytes) this is, 0 if it is neither."""
    if len(block) < 32 or block[:8] != b"APETAGEX":
        return 0
    size = int.from_bytes(block[12:16], "little")
    has_header = int.from_bytes(block[20:24], "little") >> 31
    return size + 32 if has_header else size


def _trailing_tag_length(tail: bytes) -> int:
    """Length of the one tag that ends where `tail` ends, 0 if there is none."""
    if tail[-128:-125] == b"TAG":
        return 128 + (227 if tail[-355:-351] == b"TAG+" else 0)
    if tail[-32:-24] == b"APETAGEX":
        return _apev2_length(tail[-32:])
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail[-10:-7] == b"3DI" and max(tail[-4:]) <= 0x7F:
        return _synchsafe(tail[-4:]) + 20
    return 0
