"""Headers of uncompressed sound, read with care: fields that contradict each other are made right.

FFmpeg takes each field at its word: samples of 24 valid bits in 32 are read as if 24 bits lay behind
each other, and a wrong byte rate moves every seek. What the samples need (container bits, bytes of a
sample of all channels, bytes a second) follows from fields that agree with each other.

WAV: Microsoft and IBM, "Multimedia programming interface and data specifications 1.0" (1991), with
WAVEFORMATEXTENSIBLE and RF64 (EBU Tech 3306); W64: Sony; CAF: Apple, "Core Audio Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from mess_plugin.audio.source import Edit, Source

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_A_LAW, _MU_LAW, _MS_ADPCM, _IMA_ADPCM = 6, 7, 2, 17
_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")  # behind the two bytes of the format
_MOST_CHUNKS = 1000
_MOST_BLOCK_BYTES = 0xFFFF  # the field has 16 bits
_CHUNK_NAMES = frozenset(
    {
        b"fmt ", b"data", b"fact", b"LIST", b"bext", b"cue ", b"smpl", b"inst", b"JUNK", b"junk",
        b"PAD ", b"FLLR", b"id3 ", b"ID3 ", b"iXML", b"axml", b"aXML", b"chna", b"plst", b"PEAK",
        b"_PMX", b"cart", b"DISP", b"acid", b"strc", b"LGWV", b"afsp", b"minf", b"elm1", b"regn",
        b"umid", b"ds64", b"SAUR", b"levl", b"bwav", b"note", b"labl", b"adtl", b"wavl", b"slnt",
    }
)  # fmt: skip
_W64_RIFF = b"riff\x2e\x91\xcf\x11"
_W64_FMT = b"fmt \xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_HEADER_BYTES = 1 << 12


class WavFormat(msgspec.Struct, frozen=True):
    """The fmt chunk of a WAV file."""

    tag: int
    """1: whole numbers, 3: floating point; the one inside for WAVEFORMATEXTENSIBLE."""
    channels: int
    rate_hz: int
    byte_rate: int
    block_bytes: int
    """Of one sample of all channels where the sound is not compressed."""
    bits: int
    valid_bits: int | None
    """Of a sample, where the chunk is extensible and states it."""
    block_samples: int = 0
    """Samples of a channel in a block of ADPCM; 0 elsewhere."""

    @classmethod
    def parse(cls, chunk: bytes) -> WavFormat | None:
        """The format in the content of a fmt chunk; None where that is too short."""
        if len(chunk) < 16:
            return None
        tag, channels, rate_hz, byte_rate, block_bytes, bits = struct.unpack("<HHIIHH", chunk[:16])
        valid_bits, block_samples = None, 0
        if tag in {_MS_ADPCM, _IMA_ADPCM}:
            block_samples = int.from_bytes(chunk[18:20], "little")
        if tag == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _SUBFORMAT:
            valid_bits, tag = (int.from_bytes(chunk[at : at + 2], "little") for at in (18, 24))
        return cls(tag, channels, rate_hz, byte_rate, block_bytes, bits, valid_bits, block_samples)

    @property
    def is_uncompressed(self) -> bool:
        """Whether every sample is stored with the same number of bytes."""
        return (
            self.tag in {_PCM, _FLOAT, _A_LAW, _MU_LAW}
            and self.channels > 0
            and 0 < self.bits <= 64
        )

    @property
    def container_bytes(self) -> int:
        """Bytes that one sample of one channel takes.

        From the bits of a sample, unless block and byte rate agree that it takes more.
        """
        stated = (self.bits + 7) // 8
        spread, rest = divmod(self.block_bytes, self.channels)
        agreed = not rest and self.byte_rate == self.rate_hz * self.block_bytes
        return spread if agreed and stated < spread <= 8 else stated

    def mended(self) -> WavFormat:
        """The same with the fields that follow from others as they must be."""
        if not self.is_uncompressed:
            return self
        size = self.container_bytes
        block_bytes = self.channels * size
        if block_bytes > _MOST_BLOCK_BYTES:
            return self
        bits = self.bits if (self.bits + 7) // 8 == size else 8 * size
        valid = self.valid_bits
        if valid is not None and (valid + 7) // 8 != size:
            valid = bits
        return WavFormat(
            self.tag,
            self.channels,
            self.rate_hz,
            self.rate_hz * block_bytes,
            block_bytes,
            bits,
            valid,
        )

    def edits(self, at: int) -> Iterator[Edit]:
        """What has to change in the fmt chunk whose content begins at this byte."""
        right = self.mended()
        if right == self:
            return
        fields = struct.pack("<IHH", right.byte_rate & 0xFFFFFFFF, right.block_bytes, right.bits)
        yield Edit(at + 8, at + 16, fields)
        if right.valid_bits is not None:
            yield Edit(at + 18, at + 20, struct.pack("<H", right.valid_bits))


class WavLayout(msgspec.Struct, frozen=True):
    """Where things are in a RIFF WAVE file, also in one whose chunks are not laid out as they must."""

    format: WavFormat | None
    format_at: int
    data_bytes: int | None
    """As the header states it; None without a data chunk."""
    fact_samples: int | None
    """Samples of a channel, where a fact chunk states them."""
    unpadded: tuple[int, ...]
    """Ends of chunks of odd length that no padding byte follows."""


def repair(source: Source) -> None:
    """Show a file whose header contradicts itself with a header that does not."""
    head = source.peek(16)
    if is_wav(head):
        layout = wav_layout(source)
        edits = [Edit(at, at, b"\0") for at in layout.unpadded]
        if layout.format is not None:
            edits += layout.format.edits(layout.format_at)
    elif head[:8] == _W64_RIFF:
        edits = _w64_edits(source.peek(_W64_HEADER_BYTES))
    elif head[:4] == b"caff":
        edits = _caf_edits(source.peek(52))
    else:
        return
    if edits:
        source.edit(edits)


def is_wav(head: bytes) -> bool:
    """Whether a file that begins so is RIFF WAVE, or its kind for more than 4 GiB."""
    return head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE"


def wav_layout(source: Source) -> WavLayout:
    """Walk over the chunks of a WAV file up to its data."""
    form, form_at, fact = None, 0, None
    unpadded: list[int] = []
    at = 12
    for _ in range(_MOST_CHUNKS):
        header = source.bytes_at(at, 8)
        if len(header) < 8:
            break
        name, size = header[:4], int.from_bytes(header[4:], "little")
        if name == b"data":
            return WavLayout(form, form_at, size, fact, tuple(unpadded))
        if name == b"fmt " and form is None:
            form, form_at = WavFormat.parse(source.bytes_at(at + 8, min(size, 40))), at + 8
        elif name == b"fact" and size >= 4:
            fact = int.from_bytes(source.bytes_at(at + 8, 4), "little")
        at += 8 + size
        if size % 2:
            if _lacks_padding(source.bytes_at(at, 5)):
                unpadded.append(at)
            else:
                at += 1
    return WavLayout(form, form_at, None, fact, tuple(unpadded))


def _lacks_padding(following: bytes) -> bool:
    """Whether a chunk begins right behind one of odd length, where a padding byte should be."""
    return following[:4] in _CHUNK_NAMES and following[1:] not in _CHUNK_NAMES


def _w64_edits(header: bytes) -> list[Edit]:
    at = header.find(_W64_FMT)
    form = WavFormat.parse(header[at + 24 : at + 64]) if at >= 0 else None
    return list(form.edits(at + 24)) if form else []


def _caf_edits(header: bytes) -> list[Edit]:
    """The first chunk is the description: packed samples need as many bits as their bytes hold."""
    if header[8:12] != b"desc" or len(header) < 52:
        return []
    _rate, kind, _flags, packet_bytes, packet_frames, channels, bits = struct.unpack(
        ">d4sIIIII", header[20:52]
    )
    if kind != b"lpcm" or packet_frames != 1 or not channels or packet_bytes % channels:
        return []
    size = packet_bytes // channels
    if not (bits + 7) // 8 < size <= 8:
        return []
    return [Edit(48, 52, struct.pack(">I", 8 * size))]
