"""What may be opened as audio, and the bytes of a file without the tags around them.

FFmpeg never sees a path: it reads through `Source`, so that no character of a name is taken for a
URL or a pattern, no second file or network address can be opened, and a time limit holds even
inside a demuxer that searches for minutes. The tags that lie before and after the audio are hidden
from it, because its demuxers hand the trailing ones out as audio, and so that `peek` shows what kind
of file it is. What is shown to it can be another arrangement of the file's bytes: see `Source.show`.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from mess_plugin.audio import budget
from mess_plugin.audio.outer_tags import audio_extent
from mess_plugin.errors import AudioError

AUDIO_SUFFIXES: frozenset[str] = frozenset(
    {
        ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".amr", ".ape", ".au",
        ".bwf", ".caf", ".dff", ".dsf", ".dts", ".eac3", ".flac", ".m4a", ".m4b", ".m4p",
        ".m4r", ".mka", ".mkv", ".mp1", ".mp2", ".mp3", ".mp4", ".mpc", ".mpga", ".oga",
        ".ogg", ".opus", ".snd", ".spx", ".tak", ".tta", ".w64", ".wav", ".wave", ".weba",
        ".webm", ".wma", ".wv",
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


class Piece(msgspec.Struct, frozen=True):
    """A run of bytes that a `Source` shows."""

    start: int
    """Its place among the bytes that are shown."""
    size: int
    offset: int
    """Its place in the file, where it is from there."""
    data: bytes | None = None
    """The bytes themselves, where they are not those of the file."""

    def part(self, start: int, size: int) -> Piece:
        """Some of it; `start` counts from its first byte."""
        data = None if self.data is None else self.data[start : start + size]
        return Piece(0, size, self.offset + start, data)


Pieces = list[Piece]


class Edit(msgspec.Struct, frozen=True):
    """Bytes to be shown in place of others: an insertion where start is end, a cut without data."""

    start: int
    end: int
    data: bytes


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
            start, end = audio_extent(self._file_bytes_at, self.file_bytes)
        except BaseException:
            self.close()
            raise
        self._pieces = [Piece(0, end - start, start)]
        self._position = 0
        self._search_bytes: int | None = _SEARCH_BYTES

    @property
    def size_bytes(self) -> int:
        """Bytes that are shown: those between the tags, until `show` chooses others."""
        last = self._pieces[-1]
        return last.start + last.size

    def pieces(self, start: int, end: int) -> Pieces:
        """Some of the bytes that are shown, for `show`."""
        found = []
        for piece in self._pieces:
            first, last = max(start, piece.start), min(end, piece.start + piece.size)
            if first < last:
                found.append(piece.part(first - piece.start, last - first))
        return found

    def show(self, pieces: Sequence[Piece | bytes]) -> None:
        """Show these pieces one behind another, from now on and from the first of them on.

        That is how a header is repaired on the way in and how one part of a file is read alone; the
        file itself is never written.
        """
        at, shown = 0, []
        for piece in pieces:
            placed = (
                Piece(at, len(piece), 0, piece)
                if isinstance(piece, bytes)
                else replace(piece, start=at)
            )
            if placed.size:
                shown.append(placed)
                at += placed.size
        self._pieces = shown or [Piece(0, 0, 0)]
        self._position = 0

    def edit(self, edits: Sequence[Edit]) -> None:
        """Show what is shown with some of it replaced; edits must not overlap."""
        pieces: list[Piece | bytes] = []
        at = 0
        for edit in sorted(edits, key=lambda edit: edit.start):
            pieces += [*self.pieces(at, edit.start), edit.data]
            at = edit.end
        self.show([*pieces, *self.pieces(at, self.size_bytes)])

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
            data = self.bytes_at(self._position, size)
        except AudioError as problem:
            self.failure = problem
            return b""
        self._position += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """Read the first `size` bytes that are shown; the position stays."""
        return self.bytes_at(0, size)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Read up to `size` of the bytes that are shown, from `offset`; the position stays.

        Raises AudioError unreadable.
        """
        found = []
        for piece in self._pieces:
            first, last = max(offset, piece.start), min(offset + size, piece.start + piece.size)
            if first < last:
                inside = first - piece.start
                found.append(
                    piece.data[inside : last - piece.start]
                    if piece.data is not None
                    else self._file_bytes_at(piece.offset + inside, last - first)
                )
        return found[0] if len(found) == 1 else b"".join(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as io.RawIOBase.seek does."""
        if self._search_bytes is not None:  # the WAV demuxer seeks for each of many empty chunks
            self._search_bytes = max(0, self._search_bytes - _SEEK_COST_BYTES)
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}
        self._position = max(0, base[whence] + offset)
        return self._position

    def tell(self) -> int:
        """The position among the bytes that are shown."""
        return self._position

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

    def _file_bytes_at(self, offset: int, size: int) -> bytes:
        if size <= 0:
            return b""
        try:
            return os.pread(self._fd, size, offset)
        except OSError as problem:
            raise self.error(
                "unreadable", f"The system failed to read this file: {problem.strerror}."
            ) from problem


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
