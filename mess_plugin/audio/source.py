"""What may be opened as audio, and the bytes of a file without the tags around them.

FFmpeg never sees a path: it reads through `Source`, so that no character of a name is taken for a
URL or a pattern, no second file or network address can be opened, and a time limit holds even
inside a demuxer that searches for minutes. The tags that lie before and after the audio (ID3v2 and
APEv2 in front; ID3v1, Lyrics3v2, APEv2 and ID3v2.4 behind) are hidden from it, because its
demuxers hand the trailing ones out as audio, and so that `peek` shows what kind of file it is.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mess_plugin.audio import budget
from mess_plugin.errors import AudioError

AUDIO_SUFFIXES: frozenset[str] = frozenset(
    {
        ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".amr", ".ape", ".au",
        ".caf", ".dsf", ".dts", ".eac3", ".flac", ".m4a", ".m4b", ".m4p", ".mka",
        ".mp1", ".mp2", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".snd",
        ".spx", ".tak", ".tta", ".w64", ".wav", ".wave", ".weba", ".wma", ".wv",
    }
)  # fmt: skip
"""Names that a walk through a library takes for audio: lower case, with the dot."""

_SEARCH_BYTES = 64 << 20  # read without finding anything; a sparse file may hold terabytes of zeros
_SEEK_COST_BYTES = 1 << 10
_SPECIAL_FILES = (
    (stat.S_ISDIR, "This is a folder, not a file."),
    (stat.S_ISFIFO, "This is a named pipe, not a file."),
    (stat.S_ISSOCK, "This is a socket, not a file."),
    (stat.S_ISCHR, "This is a device, not a file."),
    (stat.S_ISBLK, "This is a device, not a file."),
)
_OPEN_ERRORS = {
    errno.ENOENT: ("missing", "There is no file at this path."),
    errno.ENOTDIR: ("missing", "There is no file at this path."),
    errno.ENAMETOOLONG: ("missing", "This name is longer than the file system allows."),
    errno.ELOOP: ("unreadable", "This symbolic link leads back to itself."),
    errno.EACCES: ("unreadable", "The user that runs MESS is not allowed to read this file."),
    errno.EPERM: ("unreadable", "The user that runs MESS is not allowed to read this file."),
}


def is_audio(path: Path) -> bool:
    """Whether the name looks like audio. The content is judged when the file is opened."""
    return path.suffix.lower() in AUDIO_SUFFIXES


class Source:
    """A read-only, seekable file object over the bytes between a file's tags.

    Raises AudioError: missing, unreadable, empty; later too-slow, once `limit_s` seconds of wall
    clock have passed since it was opened. `failure` keeps the error that a read met, since FFmpeg
    may take a failed read for the end of the file. Likewise 64 MiB that were read in search of one
    header or packet end it: what lies behind them is not looked for.
    """

    def __init__(self, path: Path, limit_s: float | None = None) -> None:
        self.path = path
        self.failure: AudioError | None = None
        self._limit_s = limit_s
        self._deadline = None if limit_s is None else time.monotonic() + limit_s
        self._budget = budget.current()
        self._fd = _open_regular_file(path)
        try:
            self.file_bytes = os.fstat(self._fd).st_size
            if self.file_bytes == 0:
                self.failure = self.error("empty", "The file is empty (0 bytes).")
            self.check()
            self._start = self._skip_leading_tags()
            self._end = self._skip_trailing_tags()
        except BaseException:
            self.close()
            raise
        self._position = self._start
        self._search_bytes: int | None = _SEARCH_BYTES

    @property
    def size_bytes(self) -> int:
        """Bytes between the tags."""
        return self._end - self._start

    def error(self, kind: str, reason: str) -> AudioError:
        """Make an AudioError about this file."""
        return AudioError(str(self.path), kind, reason)

    def check(self) -> None:
        """Raise what a read met, too-slow when the time is over, or what ends the whole question."""
        if self.failure is None and self._budget and (problem := self._budget.problem()):
            self.failure = self.error(*problem)
        if self.failure is None and self._is_late():
            self.failure = self.error(
                "too-slow", f"Reading this file took longer than {self._limit_s:g} s."
            )
        if self.failure is not None:
            raise self.failure

    def found_something(self) -> None:
        """Begin a new search: a packet was found."""
        self._search_bytes = _SEARCH_BYTES

    def search_everywhere(self) -> None:
        """Let the next search run to the end of the file, as seeking in MP3 needs."""
        self._search_bytes = None

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes from the current position; none at the end or after a failure.

        FFmpeg calls this and drops what it raises, so a failure is kept for `check`.
        """
        if self._budget and self.failure is None and (problem := self._budget.problem()):
            self.failure = self.error(*problem)
        if self.failure is not None or self._is_late():
            return b""
        if self._search_bytes is not None:
            size = min(size, self._search_bytes)
            self._search_bytes -= size
        try:
            data = self._bytes_at(self._position, min(size, self._end - self._position))
        except AudioError as problem:
            self.failure = problem
            return b""
        self._position += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """Read the first `size` bytes after the leading tags; the position stays."""
        return self._bytes_at(self._start, min(size, self.size_bytes))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as io.RawIOBase.seek does."""
        if self._search_bytes is not None:  # the WAV demuxer seeks for each of many empty chunks
            self._search_bytes = max(0, self._search_bytes - _SEEK_COST_BYTES)
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._position, os.SEEK_END: self._end}
        self._position = max(self._start, base[whence] + offset)
        return self.tell()

    def tell(self) -> int:
        """Bytes from the end of the leading tags."""
        return self._position - self._start

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _bytes_at(self, offset: int, size: int) -> bytes:
        if size <= 0:
            return b""
        try:
            return os.pread(self._fd, size, offset)
        except OSError as problem:
            raise self.error(
                "unreadable", f"The system failed to read this file: {problem.strerror}."
            ) from problem

    def _skip_leading_tags(self) -> int:
        start = 0
        while True:
            head = self._bytes_at(start, 32)
            length = _id3v2_length(head) or _apev2_length(head)
            if not length:
                return min(start, self.file_bytes)
            start += length

    def _skip_trailing_tags(self) -> int:
        end = self.file_bytes
        while end > self._start:
            room = end - self._start
            length = _trailing_tag_length(self._bytes_at(max(0, end - 355), min(end, 355)))
            if not 0 < length <= room:
                return end
            end -= length
        return end


def _open_regular_file(path: Path) -> int:
    """Open for reading without ever waiting on a pipe or waking a device."""
    text = str(path)
    try:
        mode = path.stat().st_mode
        for is_special, reason in _SPECIAL_FILES:
            if is_special(mode):
                raise AudioError(text, "unreadable", reason)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        fd = os.open(path, flags)
    except ValueError as problem:  # a NUL in the name
        raise AudioError(text, "missing", "There is no file at this path.") from problem
    except OSError as problem:
        kind, reason = _OPEN_ERRORS.get(
            problem.errno or 0,
            ("unreadable", f"The system could not open this file: {problem.strerror}."),
        )
        raise AudioError(text, kind, reason) from problem
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # exchanged between the two calls
        os.close(fd)
        raise AudioError(text, "unreadable", "This is not a regular file.")
    return fd


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
