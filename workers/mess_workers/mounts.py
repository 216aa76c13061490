"""What kind of file system a folder lies on: some tell nobody when a file changes."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "drvfs", "fakeowner", "gfs2", "glusterfs", "grpcfuse"}
    | {"lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "osxfs", "prl_fs", "smb3", "smbfs", "vboxsf"}
    | {"virtiofs", "vmhgfs"}
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system(path: str, table: str | None = None) -> str:
    """The type of the file system that a path lies on, "" where it cannot be known.

    table: the text of /proc/mounts, read when not given.
    """
    if table is None:
        try:
            table = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    best, kind = "", ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        inside = f"{path}/".startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(best):  # a later mount covers an earlier one
            best, kind = point, fields[2]
    return kind


def tells_of_changes(kind: str) -> bool:
    """Whether inotify sees what other machines change on a file system of this type."""
    return kind not in _NETWORK and not kind.startswith("fuse.")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
