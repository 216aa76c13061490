"""Playlists on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from mess_plugin.model import Track


def write_m3u(path: Path, tracks: Sequence[Track], *, relative: bool = False) -> None:
    """Write an extended M3U playlist; tracks that lie nowhere are left out.

    Written beside the target and moved into place, so that a player never sees half a list. relative:
    paths as seen from the folder of the list, so that both can be moved together. Raises OSError.
    """
    _replace(path, m3u(tracks, path.absolute().parent if relative else None))


def m3u(tracks: Sequence[Track], seen_from: Path | None = None) -> bytes:
    """An extended M3U playlist; the bytes of paths are kept as they are.

    Tracks that lie nowhere, or whose path an M3U cannot hold, are left out. seen_from: an absolute
    folder that paths are relative to; None for absolute paths.
    """
    lines = [b"#EXTM3U"]
    for track in tracks:
        if track.path is None or "\n" in track.path:
            continue
        title = " ".join(track.describe().splitlines())
        lines.append(f"#EXTINF:{round(track.duration_s)},{title}".encode("utf-8", "replace"))
        lines.append(os.fsencode(_seen(track.path, seen_from)))
    return b"\n".join(lines) + b"\n"


def write_xspf(path: Path, tracks: Sequence[Track], *, relative: bool = False) -> None:
    """Write an XSPF playlist; otherwise as `write_m3u`."""
    _replace(path, xspf(tracks, path.absolute().parent if relative else None))


def xspf(tracks: Sequence[Track], seen_from: Path | None = None) -> bytes:
    """An XSPF playlist (version 1, xspf.org); otherwise as `m3u`.

    Bytes of a path are percent-encoded in its URI, so any path survives.
    """
    root = ElementTree.Element("playlist", version="1", xmlns="http://xspf.org/ns/0/")
    listed = ElementTree.SubElement(root, "trackList")
    for track in tracks:
        if track.path is None:
            continue
        entry = ElementTree.SubElement(listed, "track")
        seen = _seen(os.path.abspath(track.path), seen_from)  # noqa: PTH100  keeps any bytes
        location = ("" if seen_from else "file://") + quote(os.fsencode(seen))
        texts = {
            "location": location,
            "title": track.tags.title,
            "creator": track.tags.artist,
            "album": track.tags.album,
            "duration": str(round(track.duration_s * 1000)),
        }
        for name, text in texts.items():
            if text:
                ElementTree.SubElement(entry, name).text = _xml(text)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def write_json(path: Path, tracks: Sequence[Track], *, relative: bool = False) -> None:
    """Write a JSON list of path, title, artist, album and duration_s; otherwise as `write_m3u`."""
    seen_from = path.absolute().parent if relative else None
    entries = [
        {
            "path": _seen(track.path, seen_from),
            "title": track.tags.title,
            "artist": track.tags.artist,
            "album": track.tags.album,
            "duration_s": round(track.duration_s, 3),
        }
        for track in tracks
        if track.path is not None
    ]
    _replace(path, json.dumps(entries, indent=2).encode() + b"\n")


def _seen(path: str, seen_from: Path | None) -> str:
    if seen_from is None:
        return path
    seen = os.path.relpath(path, seen_from)
    return os.path.join(".", seen) if seen.startswith("#") else seen  # noqa: PTH118  no comment


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _xml(text: str) -> str:
    """Text without what XML 1.0 cannot hold."""
    safe = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in safe if c >= " " or c in "\t\n\r")
