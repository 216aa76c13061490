"""Disasters for a house under test: a disk that is full, and clocks that jump."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

_LEVELS = ("song", "section", "window")
_SIZE_MB = 64
_TIMES = {
    "jobs": ("wanted_at", "started_at", "finished_at", "noticed_at", "not_before", "sent_at"),
    "events": ("received_at", "not_before", "handled_at"),
    "roots": ("walked_at", "walk_wanted_at"),
    "workers": ("started_at",),
}


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk of its own for all vectors of a database, which can be filled to the last byte."""

    folder: Path
    log: Path

    def fill(self) -> None:
        """Not one more page can be written there."""
        with suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1 << 16))

    @property
    def was_hit(self) -> bool:
        """Whether the server has found it full."""
        return b"No space left on device" in self.log.read_bytes()

    def free(self) -> None:
        """There is room again."""
        (self.folder / "ballast").unlink(missing_ok=True)


@contextmanager
def small_disk(home: Path, database_url: str) -> Iterator[SmallDisk | None]:
    """Let the vectors of the embedded database lie on a small disk; None where none can be mounted.

    To be left when the server is down.
    """
    folder = home / "small"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE_MB}m,mode=0700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        yield None
        return
    try:
        inside = folder / "vectors"
        inside.mkdir(mode=0o700)
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{inside}'")
            for level in _LEVELS:
                admin.execute(f"ALTER TABLE {level}_embeddings SET TABLESPACE small")
        yield SmallDisk(folder, home / "log" / "postgres.log")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def jump(database_url: str, hours: float) -> None:
    """The database's clock jumps: every time that it noted before is now so much further away."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        for table, names in _TIMES.items():
            moved = ", ".join(f"{name} = {name} - make_interval(secs => %(s)s)" for name in names)
            admin.execute(f"UPDATE {table} SET {moved}", {"s": hours * 3600})


@dataclass(frozen=True, slots=True)
class FakeClock:
    """The clock of the programs that start with `environment`, where libfaketime is at hand.

    MESS_CHAOS_FAKETIME names its library (Debian: package libfaketime, /usr/lib/*/faketime/).
    """

    offset: Path

    @property
    def environment(self) -> dict[str, str]:
        """What such a program needs; nothing where there is no library."""
        library = os.environ.get("MESS_CHAOS_FAKETIME")
        if not library:
            return {}
        return {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, hours: float) -> None:
        """The clock is so many hours ahead from now on."""
        draft = self.offset.with_suffix(".new")
        draft.write_text(f"{hours * 3600:+.0f}\n")
        draft.replace(self.offset)
