"""Playlists of beets items."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from beets.library import Item


def write(path: Path, items: Iterable[Item], relative_to: str | None, library: bytes) -> int:
    """Write an extended M3U and return how many tracks it has. Raises OSError.

    relative_to, as in beets' own playlist plugins: "library", "playlist" or a folder that the paths
    are relative to; None for absolute paths. Written beside the target and moved into place.
    """
    base = _base(path, relative_to, library)
    lines = [b"#EXTM3U"]
    for item in items:
        if b"\n" in item.path:
            continue  # M3U has no way to say it
        title = " ".join(f"{item.artist} - {item.title}".split())
        lines.append(f"#EXTINF:{round(item.length)},{title}".encode("utf-8", "replace"))
        lines.append(item.path if base is None else os.path.relpath(item.path, base))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(b"\n".join(lines) + b"\n")
    temporary.replace(path)
    return len(lines) // 2


def _base(path: Path, relative_to: str | None, library: bytes) -> bytes | None:
    if not relative_to:
        return None
    if relative_to == "library":
        return library
    if relative_to == "playlist":
        return os.fsencode(path.absolute().parent)
    return os.fsencode(os.path.abspath(os.path.expanduser(relative_to)))  # noqa: PTH100, PTH111
