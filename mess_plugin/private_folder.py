"""Folders that hold secrets and are trusted: made for their owner alone, refused when open to all."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that lack, for this user alone; one that is there stays.

    Raises OSError.
    """
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))


def is_open_to_all(folder: Path) -> bool:
    """Whether anybody may put files into a folder: then what lies there is nobody's word."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_IWOTH)
