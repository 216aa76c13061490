"""Files that a browser sent to ask with: as long as they are asked about, and no longer than that."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import OrderedDict
from pathlib import Path

import msgspec

PREFIX = "sound:"
MOST_BYTES = 200_000_000  # of one: an hour and a half of FLAC
_MOST_TOGETHER = 1_000_000_000
_UNUSED_S = 1800.0


class KeptSound(msgspec.Struct, frozen=True):
    """A file below HOME/heard."""

    path: Path
    name: str
    size_bytes: int


class KeptSounds:
    """The sounds of one service. What a service that was killed left there goes at the next start.

    May be used from several threads.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "heard"
        self._lock = threading.Lock()
        self._used_at: OrderedDict[str, float] = OrderedDict()
        self._sounds: dict[str, KeptSound] = {}
        self._is_clean = False

    def place(self) -> Path:
        """A name for a file that is being received."""
        with self._lock:
            if not self._is_clean:
                shutil.rmtree(self.folder, ignore_errors=True)
                self._is_clean = True
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.folder / f"{secrets.token_hex(8)}.part"

    def keep(self, received: Path, name: str) -> str:
        """Keep a received file; the reference to ask with. The oldest go where it gets too much."""
        key = secrets.token_urlsafe(12)
        path = received.with_name(f"{key}{_suffix(name)}")
        received.replace(path)
        with self._lock:
            self._sounds[key] = KeptSound(path, name, path.stat().st_size)
            self._used_at[key] = time.monotonic()
            self._forget_old()
        return PREFIX + key

    def find(self, ref: str) -> KeptSound | None:
        """The sound of a reference, None where it is forgotten."""
        key = ref.removeprefix(PREFIX)
        with self._lock:
            self._forget_old()
            if key not in self._sounds:
                return None
            self._used_at[key] = time.monotonic()
            self._used_at.move_to_end(key)
            return self._sounds[key]

    def forget(self, ref: str) -> None:
        """Delete a sound now."""
        with self._lock:
            self._drop(ref.removeprefix(PREFIX))

    def close(self) -> None:
        """Delete all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _forget_old(self) -> None:
        now = time.monotonic()
        for key, used_at in list(self._used_at.items()):
            together = sum(one.size_bytes for one in self._sounds.values())
            if now - used_at > _UNUSED_S or (together > _MOST_TOGETHER and len(self._sounds) > 1):
                self._drop(key)

    def _drop(self, key: str) -> None:
        self._used_at.pop(key, None)
        if (sound := self._sounds.pop(key, None)) is not None:
            sound.path.unlink(missing_ok=True)


def _suffix(name: str) -> str:
    """The ending, by which some formats are told; only where it is plain."""
    ending = Path(name).suffix.lower()
    return ending if ending[1:].isalnum() and ending.isascii() and len(ending) <= 6 else ""
