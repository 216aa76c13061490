"""How long a file promises to be, in its own words, so that a file cut short can be recognised.

FFmpeg silently lowers the figure of a WAV or WMA file to what is left of it, and makes one up from
size and bit rate where a format has none; neither can show that something is missing.
"""

from __future__ import annotations

from mess_plugin.audio.source import Source

_FORMATS_WITHOUT_DURATION = frozenset({"aac", "ac3", "amr", "dts", "eac3"})
_WAV_UNKNOWN_BYTES = 0x7FF00000  # from here on: what recorders write that cannot seek back
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
        return _asf_s(source) or header_s
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
    """Length of the data chunk over the byte rate of the fmt chunk (RIFF WAVE)."""
    header = source.peek(_HEADER_BYTES)
    if header[:4] != b"RIFF":
        return None
    byte_rate = 0
    at = 12
    while at + 8 <= len(header):
        name, size = header[at : at + 4], int.from_bytes(header[at + 4 : at + 8], "little")
        if name == b"fmt ":
            byte_rate = int.from_bytes(header[at + 16 : at + 20], "little")
        if name == b"data":
            return size / byte_rate if byte_rate and 0 < size < _WAV_UNKNOWN_BYTES else None
        at += 8 + size + size % 2
    return None


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
