"""How long a file promises to be, in its own words, so that a file cut short can be recognised.

FFmpeg silently lowers the figure of a WAV or WMA file to what is left of it, and makes one up from
size and bit rate where a format has none; neither can show that something is missing.
"""

from __future__ import annotations

from itertools import combinations

from mess_plugin.audio.pcm_headers import wav_layout
from mess_plugin.audio.source import Source

_FORMATS_WITHOUT_DURATION = frozenset({"aac", "ac3", "amr", "dts", "eac3"})
_WAV_UNKNOWN_BYTES = 0x7FF00000  # from here on: what recorders write that cannot seek back
_AGREED_SHARE = 0.02
_MATROSKA_DURATION = bytes.fromhex("4489")
_MATROSKA_ON_THE_WAY = {bytes.fromhex("18538067"), bytes.fromhex("1549a966")}  # Segment, Info
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_BYTES = 1 << 20


def stated_duration_s(
    format_name: str, source: Source, rate_hz: int, header_s: float | None
) -> float | None:
    """Seconds that the file states; None where nothing in it does.

    header_s: what FFmpeg says, which is taken over for formats where it is the file's own word.
    """
    if format_name == "wav":
        return _wav_s(source)
    if format_name == "asf":
        return _asf_s(source)
    if format_name.startswith("matroska") and not _matroska_states_it(source):
        return None
    if format_name in _FORMATS_WITHOUT_DURATION:
        return None
    if format_name == "mp3":
        return _mp3_s(source, rate_hz)
    return header_s


def _mp3_s(source: Source, rate_hz: int) -> float | None:
    """Frames counted in the first frame (Xing or VBRI header) times their length."""
    head = source.peek(4096)
    frames = 0
    for mark, at_flags, at_count in ((b"Xing", 4, 8), (b"Info", 4, 8), (b"VBRI", None, 14)):
        at = head.find(mark)
        if at < 0 or at + 18 > len(head):
            continue
        if at_flags is None or head[at + at_flags + 3] & 1:
            frames = int.from_bytes(head[at + at_count : at + at_count + 4], "big")
            break
    samples_per_frame = 1152 if rate_hz >= 32000 else 576  # MPEG-1, MPEG-2 and 2.5
    return frames * samples_per_frame / rate_hz if frames and rate_hz else None


def _wav_s(source: Source) -> float | None:
    """What the data chunk holds, by the size of a sample; compressed, what two fields agree on.

    The byte rate of compressed sound is often a guess, the count of samples in a fact chunk or those
    of a block sometimes; lengths that agree are right.
    """
    if source.peek(4) != b"RIFF":
        return None
    layout = wav_layout(source)
    form, size = layout.format, layout.data_bytes
    if form is None or not size or size >= _WAV_UNKNOWN_BYTES or not form.rate_hz:
        return None
    if form.is_uncompressed:
        return size / form.block_bytes / form.rate_hz if form.block_bytes else None
    guesses_s = [
        (layout.fact_samples or 0) / form.rate_hz,
        size / form.byte_rate if form.byte_rate else 0.0,
        size / (form.block_bytes or 1) * form.block_samples / form.rate_hz,
    ]
    agreed = (
        one
        for one, other in combinations(guesses_s, 2)
        if one > 0 and abs(one - other) < _AGREED_SHARE * one
    )
    return next(agreed, None)


def _matroska_states_it(source: Source) -> bool:
    """Whether there is a Duration in the Info element of the segment (RFC 9559, 5.1.2)."""
    header = source.peek(_HEADER_BYTES)
    at = 0
    while at < len(header):
        id_bytes = 9 - header[at].bit_length() if header[at] else 8
        name = header[at : at + id_bytes]
        size, at = _ebml_size(header, at + id_bytes)
        if name == _MATROSKA_DURATION:
            return True
        if name not in _MATROSKA_ON_THE_WAY:
            at += size
    return False


def _ebml_size(data: bytes, at: int) -> tuple[int, int]:
    """A variable-size number (RFC 8794, 4) and where it ends."""
    length = 9 - data[at].bit_length() if at < len(data) and data[at] else 8
    number = int.from_bytes(data[at : at + length], "big")
    return number & ((1 << 7 * length) - 1), at + length


def _asf_s(source: Source) -> float | None:
    """Play duration less preroll of the file properties object (ASF specification, 3.2)."""
    header = source.peek(_HEADER_BYTES)
    at = header.find(_ASF_FILE_PROPERTIES)
    if at < 0 or at + 92 > len(header) or header[at + 88] & 1:  # bit 0: still being broadcast
        return None
    play_s = int.from_bytes(header[at + 64 : at + 72], "little") / 1e7
    preroll_s = int.from_bytes(header[at + 80 : at + 88], "little") / 1e3
    seconds = play_s - preroll_s
    too_long = seconds * 64 > source.file_bytes * 8
    return seconds if seconds > 0 and not too_long else None
