"""Ogg files that FFmpeg does not read as players do: several put together, headers said twice.

An Ogg file may be several whole files one behind another ("chained", RFC 3533, 4); each of its parts
has a codec, rate and channels of its own, and FFmpeg refuses or drops the ones that differ from the
first. Programs that rewrite comments have left the old headers of Vorbis behind the new ones;
decoders pass over header packets that come where sound should (Vorbis I, 4.2.1), FFmpeg's demuxer
refuses the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mess_plugin.audio.source import Edit, Source

_PAGE_MARK = b"OggS"
_PAGE_HEADER_BYTES = 27
_CONTINUED, _FIRST = 1, 2
_BLOCK_BYTES = 1 << 18
_SEARCH_BYTES = 64 << 20  # as Source: nothing is looked for behind more than that of something else
_HEADER_KINDS = (b"\x01vorbis", b"\x03vorbis", b"\x05vorbis")
_PAGES_OF_HEADERS = 1 << 12  # a cover of 16 MB takes 260


class _Page(msgspec.Struct, frozen=True):
    start: int
    header: bytes  # without the lacing values
    lacing: bytes
    body: bytes

    @property
    def end(self) -> int:
        return self.start + _PAGE_HEADER_BYTES + len(self.lacing) + len(self.body)

    @property
    def flags(self) -> int:
        return self.header[5]

    @property
    def serial(self) -> bytes:
        return self.header[14:18]


def is_ogg(head: bytes) -> bool:
    """Whether a file that begins so is Ogg."""
    return head[:4] == _PAGE_MARK


def parts(source: Source) -> list[tuple[int, int]]:
    """Start and end, in bytes, of each file that a chained Ogg file was put together from.

    A file that is not chained is one part. The streams of one part that are interleaved, such as sound
    and pictures, begin with pages right behind each other.
    """
    starts = [0]
    end_of_last = -1
    for page in _first_pages(source):
        if page.start not in {0, end_of_last}:
            starts.append(page.start)
        end_of_last = page.end
    return list(zip(starts, [*starts[1:], source.size_bytes], strict=True))


def drop_repeated_headers(source: Source) -> bool:
    """Show a Vorbis file without the headers that come again behind the first ones.

    Returns False, and changes nothing, where there are none. Headers further back, between sound, do
    no harm.
    """
    edits = list(_without_repeats(_pages(source)))
    if edits:
        source.edit(edits)
    return bool(edits)


def _first_pages(source: Source) -> Iterator[_Page]:
    """The pages that begin a stream. The content is searched: pages need not be read one by one."""
    at, passed_over = 0, 0
    while at < source.size_bytes and passed_over < _SEARCH_BYTES:
        source.check()
        block = source.bytes_at(at, _BLOCK_BYTES + 5)
        passed_over = 0 if _PAGE_MARK in block else passed_over + _BLOCK_BYTES
        found = block.find(_PAGE_MARK)
        while 0 <= found < _BLOCK_BYTES:
            if block[found + 4 : found + 5] == b"\0" and block[found + 5] & _FIRST:
                page = _page_at(source, at + found)
                if page is not None and page.header[6:14] == bytes(8):
                    yield page
            found = block.find(_PAGE_MARK, found + 1)
        at += _BLOCK_BYTES


def _pages(source: Source) -> Iterator[_Page]:
    """The pages from the start of what is shown, up to the first gap between them."""
    at = 0
    for _ in range(_PAGES_OF_HEADERS):
        page = _page_at(source, at)
        if page is None:
            return
        yield page
        at = page.end


def _page_at(source: Source, at: int) -> _Page | None:
    header = source.bytes_at(at, _PAGE_HEADER_BYTES)
    if len(header) < _PAGE_HEADER_BYTES or header[:4] != _PAGE_MARK:
        return None
    lacing = source.bytes_at(at + _PAGE_HEADER_BYTES, header[26])
    body = source.bytes_at(at + _PAGE_HEADER_BYTES + len(lacing), sum(lacing))
    whole = len(lacing) == header[26] and len(body) == sum(lacing)
    return _Page(at, header, lacing, body) if whole else None


def _without_repeats(pages: Iterator[_Page]) -> Iterator[Edit]:
    """Edits of the pages that hold a header packet behind the three that a stream begins with."""
    n_headers = dict[bytes, int]()
    dropping = False
    for page in pages:
        kept: list[tuple[bytes, bytes]] = []
        starts_inside = bool(page.flags & _CONTINUED)
        dropped_lead = starts_inside and dropping
        for position, (lacing, body) in enumerate(_packets(page)):
            if not (position == 0 and starts_inside):
                is_header = body[:7] in _HEADER_KINDS
                seen = n_headers.get(page.serial, 0)
                dropping = is_header and seen >= len(_HEADER_KINDS)
                n_headers[page.serial] = seen + is_header
            if not dropping:
                kept.append((lacing, body))
        if sum(len(lacing) for lacing, _ in kept) < len(page.lacing):
            yield Edit(page.start, page.end, _rewritten(page, kept, dropped_lead))
        elif n_headers.get(page.serial, 0) >= len(_HEADER_KINDS) and _has_sound(page):
            return


def _has_sound(page: _Page) -> bool:
    """Whether a whole packet of the page is none of the headers."""
    packets = list(_packets(page))[page.flags & _CONTINUED :]
    return any(lacing[-1] < 255 and body[:7] not in _HEADER_KINDS for lacing, body in packets)


def _packets(page: _Page) -> Iterator[tuple[bytes, bytes]]:
    """The packets on a page, the last one maybe going on: their lacing values and bytes."""
    first, at, size = 0, 0, 0
    for index, value in enumerate(page.lacing):
        size += value
        if value < 255 or index == len(page.lacing) - 1:
            yield page.lacing[first : index + 1], page.body[at : at + size]
            first, at, size = index + 1, at + size, 0


def _rewritten(page: _Page, kept: Sequence[tuple[bytes, bytes]], dropped_lead: bool) -> bytes:
    """The page with only these packets; no page where none is left."""
    if not kept:
        return b""
    lacing = b"".join(lacing for lacing, _ in kept)
    flags = page.flags & ~_CONTINUED if dropped_lead else page.flags
    header = page.header[:5] + bytes([flags]) + page.header[6:22] + bytes(4) + bytes([len(lacing)])
    whole = header + lacing + b"".join(body for _, body in kept)
    return whole[:22] + _checksum(whole).to_bytes(4, "little") + whole[26:]


def _checksum(page: bytes) -> int:
    """CRC-32 of a page whose own field for it is zero (RFC 3533, 6: polynomial 04C11DB7)."""
    register = 0
    for byte in page:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        register &= 0xFFFFFFFF
    return register
