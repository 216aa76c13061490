"""Playlists on disk: the only writers of M3U and XSPF."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from mess_plugin.atomic_file import write_bytes
from mess_plugin.model import Interval, Track

Sections = Sequence[Interval | None]
"""For each track the stretch to be played, None for all of it; () for all of every track."""

_VLC = "http://www.videolan.org/vlc/playlist"


def write_m3u(
    path: Path, tracks: Sequence[Track], *, relative: bool = False, sections: Sections = ()
) -> None:
    """Write an extended M3U playlist; tracks that lie nowhere are left out.

    Written beside the target and moved into place, so that a player never sees half a list. relative:
    paths as seen from the folder of the list, so that both can be moved together. Raises OSError.
    """
    write_bytes(path, m3u(tracks, path.absolute().parent if relative else None, sections))


def m3u(tracks: Sequence[Track], seen_from: Path | None = None, sections: Sections = ()) -> bytes:
    """An extended M3U playlist; the bytes of paths are kept as they are.

    Tracks that lie nowhere, or whose path an M3U cannot hold, are left out. seen_from: an absolute
    folder that paths are relative to; None for absolute paths. A section is told as VLC, mpv and
    others read it, so that playing starts and stops there.
    """
    lines = [b"#EXTM3U"]
    for track, path, section in _located(tracks, sections):
        if "\n" in path:
            continue
        named = (track.tags.artist, track.title)  # players split them at " - "
        title = " ".join(" - ".join(name for name in named if name).split())
        lines.append(f"#EXTINF:{round(track.duration_s)},{title}".encode("utf-8", "replace"))
        lines += [f"#EXTVLCOPT:{option}".encode() for option in _options(section)]
        lines.append(os.fsencode(_seen(path, seen_from)))
    return b"\n".join(lines) + b"\n"


def write_xspf(
    path: Path, tracks: Sequence[Track], *, relative: bool = False, sections: Sections = ()
) -> None:
    """Write an XSPF playlist; otherwise as `write_m3u`."""
    write_bytes(path, xspf(tracks, path.absolute().parent if relative else None, sections))


def xspf(tracks: Sequence[Track], seen_from: Path | None = None, sections: Sections = ()) -> bytes:
    """An XSPF playlist (version 1, xspf.org); otherwise as `m3u`.

    Bytes of a path are percent-encoded in its URI, so any path survives. Sections are in an
    extension of VLC's.
    """
    root = ElementTree.Element("playlist", version="1", xmlns="http://xspf.org/ns/0/")
    if any(sections):
        root.set("xmlns:vlc", f"{_VLC}/ns/0/")
    listed = ElementTree.SubElement(root, "trackList")
    for track, path, section in _located(tracks, sections):
        entry = ElementTree.SubElement(listed, "track")
        seen = _seen(os.path.abspath(path), seen_from)  # noqa: PTH100  keeps any bytes
        texts = {
            "location": ("" if seen_from else "file://") + quote(os.fsencode(seen)),
            "title": track.title,
            "creator": track.tags.artist,
            "album": track.tags.album,
            "duration": str(round(track.duration_s * 1000)),
        }
        for name, text in texts.items():
            if text:
                ElementTree.SubElement(entry, name).text = _xml(text)
        if options := _options(section):
            extension = ElementTree.SubElement(entry, "extension", application=f"{_VLC}/0")
            for option in options:
                ElementTree.SubElement(extension, "vlc:option").text = option
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def write_json(
    path: Path, tracks: Sequence[Track], *, relative: bool = False, sections: Sections = ()
) -> None:
    """Write a JSON list of path, title, artist, album and duration_s; otherwise as `write_m3u`.

    With sections also start_s and end_s.
    """
    seen_from = path.absolute().parent if relative else None
    entries = [
        {
            "path": _seen(where, seen_from),
            "title": track.tags.title,
            "artist": track.tags.artist,
            "album": track.tags.album,
            "duration_s": round(track.duration_s, 3),
        }
        | ({"start_s": section.start_s, "end_s": section.end_s} if section else {})
        for track, where, section in _located(tracks, sections)
    ]
    write_bytes(path, json.dumps(entries, indent=2).encode() + b"\n")


WRITERS = {".m3u": write_m3u, ".m3u8": write_m3u, ".xspf": write_xspf, ".json": write_json}
"""Ending of a file → what writes such a playlist."""


def write_playlist(
    path: Path, tracks: Sequence[Track], *, relative: bool = False, sections: Sections = ()
) -> None:
    """Write a playlist in the format that the ending, one of WRITERS, names."""
    WRITERS[path.suffix.lower()](path, tracks, relative=relative, sections=sections)


def _located(
    tracks: Sequence[Track], sections: Sections
) -> Iterator[tuple[Track, str, Interval | None]]:
    """The tracks that lie somewhere, with path and section."""
    for track, section in zip(tracks, sections or (None,) * len(tracks), strict=True):
        if track.path is not None:
            yield track, track.path, section


def _options(section: Interval | None) -> list[str]:
    if section is None:
        return []
    return [f"start-time={section.start_s:.3f}", f"stop-time={section.end_s:.3f}"]


def _seen(path: str, seen_from: Path | None) -> str:
    """A path as a list has it: nothing that a player takes for a comment, a URL or an option."""
    if seen_from is None:
        return path
    seen = os.path.relpath(path, seen_from)
    plain = seen[:1].isalnum() and ":" not in seen.partition(os.sep)[0]
    return seen if plain or seen.startswith(f"..{os.sep}") else os.path.join(".", seen)  # noqa: PTH118


def _xml(text: str) -> str:
    """Text without what XML 1.0 cannot hold."""
    safe = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in safe if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
