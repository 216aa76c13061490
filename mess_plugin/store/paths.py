"""Paths on their way to and from the database: bytes there, text with surrogate escapes here."""

from __future__ import annotations

import os
import unicodedata

from mess_plugin.model import Tags


def to_bytes(path: str) -> bytes:
    """The exact bytes that the file system knows."""
    return os.fsencode(path)


def to_text(path: bytes) -> str:
    """The inverse of `to_bytes`."""
    return os.fsdecode(path)


def words(text: str) -> str:
    """Text as it is searched: folded case, compatible forms, without combining marks."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(kept.encode("utf-8", "ignore").decode("utf-8").replace("\0", " ").split())


def searchable(path: str, tags: Tags) -> str:
    """The words by which a file is found: its tags, then its own name."""
    name = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122  any bytes, no Path
    parts = (tags.artist, tags.title, tags.album, name)
    return words(" ".join(part for part in parts if part))
