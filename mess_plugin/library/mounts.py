"""What is mounted where, and what kind of file system it is: some tell nobody of changes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "drvfs", "fakeowner", "gfs2", "glusterfs", "grpcfuse"}
    | {"lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "osxfs", "prl_fs", "smb3", "smbfs", "vboxsf"}
    | {"virtiofs", "vmhgfs"}
)
_MAKES_UP_INODES = frozenset(
    {"9p", "cifs", "drvfs", "exfat", "fakeowner", "grpcfuse", "msdos", "osxfs", "prl_fs"}
    | {"smb3", "smbfs", "vboxsf", "vfat", "virtiofs", "vmhgfs"}
)
_KEEPS_INODES: dict[int, bool] = {}  # by device
_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system(path: str, table: str | None = None) -> str:
    """The type of the file system that a path lies on, "" where it cannot be known.

    table: the text of /proc/mounts, read when not given.
    """
    best, kind = "", ""
    for point, its_kind in _mounts(table):
        inside = f"{path}/".startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(best):  # a later mount covers an earlier one
            best, kind = point, its_kind
    return kind


def mounted_below(root: str, table: str | None = None) -> list[str]:
    """Where something is mounted below a folder, as paths below its name; in order, each once."""
    real = os.path.realpath(root).rstrip("/")
    points = {point for point, _ in _mounts(table) if point.startswith(f"{real}/")}
    return sorted(root.rstrip("/") + point.removeprefix(real) for point in points)


def is_mounted(point: str, table: str | None = None) -> bool:
    """Whether something is mounted just there."""
    real = os.path.realpath(point)
    return any(real == one for one, _ in _mounts(table))


def _mounts(table: str | None) -> Iterator[tuple[str, str]]:
    """(mount point, type), in order; nothing where the system does not tell."""
    for line in (_table() if table is None else table).splitlines():
        fields = line.split(" ")
        if len(fields) >= 3:
            yield _unescaped(fields[1]), fields[2]


def _table() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def tells_of_changes(kind: str) -> bool:
    """Whether inotify sees what other machines change on a file system of this type."""
    return kind not in _NETWORK and not kind.startswith("fuse.")


def keeps_inodes(device: int, path: str) -> bool:
    """Whether a file on a device keeps its inode while it stays the same file.

    Not where inodes are made up when a disk is mounted, as for FAT and for most of FUSE. path: of any
    file on the device; the answer is kept for each.
    """
    if device not in _KEEPS_INODES:
        kind = file_system(os.path.realpath(path))
        _KEEPS_INODES[device] = kind not in _MAKES_UP_INODES and not kind.startswith("fuse")
    return _KEEPS_INODES[device]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
