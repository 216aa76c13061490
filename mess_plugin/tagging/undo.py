"""The undo file of `mess tag`: the old values of each file, on disk before it is replaced."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mess_plugin.errors import UsageError
from mess_plugin.private_folder import make_private

Values = tuple[str, ...] | None
_FORMAT = "mess-tags-1"


class Entry(msgspec.Struct, frozen=True):
    """One file that was about to be written."""

    path: str
    """On this machine, as text with escapes."""
    identity: str
    """Of the audio."""
    before: dict[str, Values]
    """Name of a tag → its values, None where there was none."""
    after: dict[str, Values]


@dataclass(slots=True)
class Journal:
    """An undo file that is written; made when the first entry comes."""

    path: Path
    _descriptor: int | None = None

    def write(self, entry: Entry) -> None:
        """Append an entry; it is on the disk when this returns. Raises OSError."""
        if self._descriptor is None:
            make_private(self.path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._descriptor = os.open(self.path, flags, 0o600)
            self._append({"format": _FORMAT})
        self._append(msgspec.to_builtins(entry))

    def close(self) -> None:
        """No more entries."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def is_begun(self) -> bool:
        """Whether there is anything to undo."""
        return self._descriptor is not None

    def _append(self, document: object) -> None:
        assert self._descriptor is not None
        line = json.dumps(document, ensure_ascii=True).encode() + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)


def read_journal(path: Path) -> Sequence[Entry]:
    """The entries of an undo file, the last first; a line that a kill cut short is left out.

    Raises UsageError where it is no undo file.
    """
    try:
        return list(_entries(path))[::-1]
    except (OSError, ValueError, msgspec.ValidationError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} is no undo file of `mess tag`: {reason}") from error


def _entries(path: Path) -> Iterator[Entry]:
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last end of line was cut short
    if not lines or json.loads(lines[0]) != {"format": _FORMAT}:
        raise ValueError("its first line is another one")
    for line in lines[1:]:
        yield msgspec.convert(json.loads(line), Entry)
