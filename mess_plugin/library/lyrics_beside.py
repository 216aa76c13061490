"""Lyrics that lie beside music: noticed when they come, change and go."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from mess_plugin.audio import is_audio
from mess_plugin.library.lyrics import find_beside, read_lyrics, stamp_of
from mess_plugin.library.walk import LYRICS_ENDINGS
from mess_plugin.store import Store


def is_lyrics(path: str) -> bool:
    """Whether a path is called as a file of lyrics is; nothing is looked at."""
    return path.lower().endswith(LYRICS_ENDINGS)


def music_beside(paths: Iterable[str]) -> Iterator[str]:
    """The music files that files of lyrics belong to: the same path but for the ending."""
    stems: dict[str, set[str]] = defaultdict(set)
    for path in filter(is_lyrics, paths):
        folder, name = os.path.split(path)
        stems[folder].add(os.path.splitext(name)[0])  # noqa: PTH122  any bytes, no Path
    for folder, wanted in stems.items():
        for name in _names(folder):
            if os.path.splitext(name)[0] in wanted and is_audio(Path(name)):  # noqa: PTH122
                yield os.path.join(folder, name)  # noqa: PTH118  as above


def refresh_lyrics(store: Store, paths: Iterable[str]) -> int:
    """Read lyrics again where the files beside some music are not those of before.

    Files without a recording are left to indexing. Returns how many were read.
    """
    stored = store.lyrics.stamps(list(paths))
    names = {folder: _names(folder) for folder in {os.path.dirname(path) for path in stored}}  # noqa: PTH120
    n_read = 0
    for path, stamp in stored.items():
        if stamp_of(path, names[os.path.dirname(path)]) != stamp:  # noqa: PTH120
            store.lyrics.save(path, read_lyrics(Path(path), find_beside(path)))
            n_read += 1
    return n_read


def _names(folder: str) -> frozenset[str]:
    """Names of the files of lyrics and music in a folder; none where it cannot be listed."""
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208  any bytes, no Path
    except (OSError, ValueError):
        return frozenset()
