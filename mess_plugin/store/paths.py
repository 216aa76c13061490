"""Paths on their way to and from the database: bytes there, text with surrogate escapes here."""

from __future__ import annotations

import os
from hashlib import blake2b

from mess_plugin.folding import fold
from mess_plugin.model import Tags

LONGEST_PATH = 2048
"""Bytes of a path that the database keeps: an index of Postgres takes at most 2,704."""


def to_bytes(path: str) -> bytes:
    """The exact bytes that the file system knows, of a path that is too long those of `stored`."""
    return os.fsencode(stored(path))


def stored(path: str) -> str:
    """The name under which a path is kept: itself, or where it is too long its beginning and a hash.

    Such a name is no file, so nothing is ever read there.
    """
    exact = os.fsencode(path)
    if len(exact) <= LONGEST_PATH:
        return path
    digest = blake2b(exact, digest_size=16).hexdigest()
    return os.fsdecode(exact[: LONGEST_PATH - 64]) + f"/…{digest}"


def to_text(path: bytes) -> str:
    """The inverse of `to_bytes`."""
    return os.fsdecode(path)


def storable(value: object) -> object:
    """A value as Postgres can store it: its text takes neither NUL nor lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return value


def searchable(path: str, tags: Tags) -> str:
    """The words by which a file is found: its tags, then its own name."""
    name = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122  any bytes, no Path
    parts = (tags.artist, tags.title, tags.album, name)
    return fold(" ".join(part for part in parts if part))


def folded_tags(path: str, tags: Tags) -> dict[str, str]:
    """What the database compares of a file, by the name of its column in `files`."""
    artists = (tags.artist, tags.album_artist)
    return {
        "words": searchable(path, tags),
        "title_words": fold(tags.title or ""),
        "artist_words": "\n".join(fold(artist) for artist in artists if artist),
        "album_words": fold(tags.album or ""),
        "genre_words": fold(tags.genre or ""),
        "language_words": fold(tags.language or ""),
    }


def containing(text: str) -> str:
    """A pattern of LIKE that folded text matches where it contains `text`, which is folded here."""
    escaped = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
