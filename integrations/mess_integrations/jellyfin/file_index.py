"""Which track an item of Jellyfin is, or why it is none.

Matched in this order: MusicBrainz recording, path after mapping, tail of the path with the duration.
A server in a container sees other folders than MESS, so the tail is often all that they share.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from mess_plugin.library.pathmap import PathMap
from mess_plugin.store.hosts import HostItem, Identified, KnownFile

_SAME_LENGTH_S = 2.0  # containers and tags differ by less
_SAME_RECORDING_S = 10.0  # fades and trailing silence differ; more means a wrong tag
_WINDOWS = re.compile(r"^[A-Za-z]:[\\/]|^\\\\")


def path_map(rules: Iterable[str]) -> PathMap:
    """From rules JELLYFIN=LIBRARY; the left one may be a folder of Windows."""
    return PathMap.parse([_rule(rule) for rule in rules], "paths of Jellyfin")


def _rule(rule: str) -> str:
    left, equals, right = rule.partition("=")
    return forward(left) + equals + right


def forward(path: str) -> str:
    """A path with forward slashes: D:/Music, however it is written, becomes /D:/Music."""
    if not _WINDOWS.match(path):
        return path
    return "/" + path.replace("\\", "/").lstrip("/")


class FileIndex:
    """The files of the library, indexed by path, recording and file name."""

    def __init__(self, files: Iterable[KnownFile], paths: PathMap) -> None:
        self._paths = paths
        self._by_path: dict[str, KnownFile] = {}
        self._by_recording: dict[str, list[KnownFile]] = defaultdict(list)
        self._by_name: dict[str, list[KnownFile]] = defaultdict(list)
        for file in files:
            self._by_path[_folded(file.path)] = file
            self._by_name[_tail(file.path)[0]].append(file)
            if file.recording and file.track_id is not None:
                self._by_recording[file.recording.lower()].append(file)

    def match(self, item: HostItem) -> Identified:
        """The track that an item is, or the reason why it is none."""
        here = self._paths.local(forward(item.path)) if item.path else None
        exact = self._by_path.get(_folded(here)) if here else None
        recorded = self._recorded(item, exact)
        if recorded is not None:
            return Identified(item, recorded.track_id, "recording")
        if here is None:
            return Identified(item, unmatched="no-path: Jellyfin gives neither path nor recording")
        if exact is not None:
            return _known(item, exact, "path")
        return self._by_tail(item, here)

    def _recorded(self, item: HostItem, exact: KnownFile | None) -> KnownFile | None:
        """The file with the same recording: the one at the same path, else the nearest in length."""
        files = [
            file
            for recording in item.recordings
            for file in self._by_recording.get(recording, ())
            if _apart_s(item, file) <= _SAME_RECORDING_S
        ]
        if exact in files:
            return exact
        return min(files, key=lambda file: (_apart_s(item, file), file.path), default=None)

    def _by_tail(self, item: HostItem, here: str) -> Identified:
        tail = _tail(here)
        named = self._by_name.get(tail[0], [])
        alike = [f for f in named if f.track_id is not None and _apart_s(item, f) <= _SAME_LENGTH_S]
        if not alike:
            if not named:
                return Identified(item, unmatched=f"not-indexed: no file of the library is {here}")
            file = max(named, key=lambda file: (_shared(tail, file), file.path))
            if file.track_id is None:
                return _known(item, file, "tail")
            return Identified(item, unmatched=f"duration: {file.path} is {_lengths(item, file)}")
        shared = max(_shared(tail, file) for file in alike)
        best = {file.track_id: file for file in alike if _shared(tail, file) == shared}
        if len(best) > 1:
            some = sorted(file.path for file in best.values())[:2]
            return Identified(item, unmatched=f"ambiguous: {some[0]} or {some[1]}")
        return Identified(item, next(iter(best)), "tail")


def _known(item: HostItem, file: KnownFile, way: str) -> Identified:
    if file.track_id is not None:
        return Identified(item, file.track_id, way)
    if file.failure:
        return Identified(item, unmatched=f"failed: {file.failure}")
    return Identified(item, unmatched=f"not-indexed: {file.path} is not heard yet")


def _apart_s(item: HostItem, file: KnownFile) -> float:
    if item.duration_s is None or file.duration_s is None:
        return 0.0
    return abs(item.duration_s - file.duration_s)


def _lengths(item: HostItem, file: KnownFile) -> str:
    return f"{file.duration_s or 0:.1f} s long, Jellyfin's item {item.duration_s or 0:.1f} s"


def _folded(path: str) -> str:
    """NFC, so that equal names compare equal; case stays, because file systems tell it apart."""
    return unicodedata.normalize("NFC", path)


def _tail(path: str) -> tuple[str, ...]:
    """Path components from last to first, case folded as Windows does."""
    return tuple(_folded(part).casefold() for part in reversed(path.split("/")) if part) or ("",)


def _shared(tail: tuple[str, ...], file: KnownFile) -> int:
    count = 0
    for own, other in zip(tail, _tail(file.path), strict=False):
        if own != other:
            break
        count += 1
    return count
