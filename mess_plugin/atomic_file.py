"""Writing a file so that whoever opens it, and whatever dies, finds the old content or the new.

Uses the standard library alone: beets' start and the embedded services need it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A hidden file beside `path`, to be written in the block; it takes the place of `path` after it.

    It ends as `path` does, for writers that go by the ending, and goes where the block raises. mode:
    its permissions from the start; None for what the umask gives. Its content is on the disk before
    it is renamed. Raises OSError.
    """
    draft = path.with_name(f".{secrets.token_hex(8)}.part{path.suffix[:16]}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode))
    try:
        yield draft
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace the content of a file, which need not be there; as `replacing`."""
    with replacing(path, mode=mode) as draft:
        draft.write_bytes(data)


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """As `write_bytes`, in UTF-8; odd bytes of paths stay as they are."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), mode=mode)
