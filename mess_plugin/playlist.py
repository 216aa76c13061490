"""Playlists on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mess_plugin.model import Track


def write_m3u(path: Path, tracks: Sequence[Track]) -> None:
    """Write an extended M3U playlist; tracks that lie nowhere are left out.

    Written beside the target and moved into place, so that a player never sees half a list. The
    bytes of paths are kept as they are. Raises OSError.
    """
    lines = [b"#EXTM3U"]
    for track in tracks:
        if track.path is None or "\n" in track.path:
            continue
        title = " ".join(track.describe().splitlines())
        lines.append(f"#EXTINF:{round(track.duration_s)},{title}".encode("utf-8", "replace"))
        lines.append(os.fsencode(track.path))
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(b"\n".join(lines) + b"\n")
    temporary.replace(path)
