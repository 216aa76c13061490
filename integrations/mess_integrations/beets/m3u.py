"""Playlists of beets items."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from beets.library import Item

from mess_plugin.atomic_file import write_bytes
from mess_plugin.model import Interval, Tags, Track
from mess_plugin.playlists.formats import m3u


def write(
    path: Path,
    items: Iterable[tuple[Item, Interval | None]],
    relative_to: str | None,
    library: bytes,
) -> int:
    """Write an extended M3U and return how many tracks were given. Raises OSError.

    items: each with the stretch to be played, None for all of it. relative_to, as in beets' own
    playlist plugins: "library", "playlist" or a folder that the paths are relative to; None for
    absolute paths. Written beside the target and moved into place.
    """
    given = list(items)
    tracks = [_track(item) for item, _ in given]
    sections = [section for _, section in given]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, m3u(tracks, _base(path, relative_to, library), sections))
    return len(tracks)


def _track(item: Item) -> Track:
    tags = Tags(title=item.title or None, artist=item.artist or None)
    return Track(item.id or 0, item.length or 0.0, tags, (os.fsdecode(item.path),))


def _base(path: Path, relative_to: str | None, library: bytes) -> Path | None:
    if not relative_to:
        return None
    if relative_to == "library":
        return Path(os.fsdecode(library))
    if relative_to == "playlist":
        return path.absolute().parent
    return Path(relative_to).expanduser().absolute()
