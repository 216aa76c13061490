"""Finding the audio files below some paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mess_plugin.audio import is_audio
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.library.mounts import keeps_inodes
from mess_plugin.store.files import SeenFile


@dataclass(slots=True)
class Walk:
    """An iterable over the audio files at or below some paths, in order.

    Hidden files and folders are left out, and so is everything that is no regular file: a pipe or a
    device is never opened. Links to files are followed, links to folders are not, so that no loop
    can trap the walk.
    """

    paths: Sequence[str]
    within: str | None = None
    """The root whose rules hold for all of them; None: each path was named by a person and is one."""
    unreadable: list[str] = field(default_factory=list)
    """What could not be looked at, as lines "PATH: REASON"."""

    def __iter__(self) -> Iterator[SeenFile]:
        for path in self.paths:
            is_folder = os.path.isdir(path)  # noqa: PTH112  text paths keep odd bytes
            if not is_visible(path, self.within or path, is_folder=is_folder):
                continue
            if is_folder:
                yield from self._folder(path)
            elif seen := self._see(path):
                yield seen

    def _folder(self, root: str) -> Iterator[SeenFile]:
        for folder, folders, files in os.walk(root, onerror=self._note):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if (
                    not name.startswith(".")
                    and is_audio(Path(name))
                    and (seen := self._see(os.path.join(folder, name)))  # noqa: PTH118  as above
                ):
                    yield seen

    def _see(self, path: str) -> SeenFile | None:
        try:
            return see(path)
        except OSError as error:
            self._note(error)
            return None

    def _note(self, error: OSError) -> None:
        self.unreadable.append(f"{error.filename}: {error.strerror}")


def absolute_roots(paths: Sequence[str]) -> list[str]:
    """Absolute paths, each of which exists. Raises UsageError naming the first that does not."""
    roots = []
    for path in paths:
        root = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111
        try:
            mode = os.stat(root).st_mode  # noqa: PTH116
        except OSError as error:
            raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise UsageError(f"{path}: neither a folder nor a regular file")
        if stat.S_ISDIR(mode) and not os.access(root, os.R_OK | os.X_OK):
            raise UsageError(f"{path}: permission denied: this folder cannot be read")
        roots.append(root)
    return roots


def see(path: str) -> SeenFile | None:
    """One file as it is now; None where it is gone or no regular file.

    Raises OSError where it may not be looked at.
    """
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None  # it vanished, or it is a link to nowhere
    if not stat.S_ISREG(found.st_mode):
        return None
    return SeenFile.of(path, found, keeps_inodes=keeps_inodes(found.st_dev, path))


def watched_roots(watch: Sequence[str]) -> list[str]:
    """The folders of the setting `watch`: absolute, each once, none inside another.

    They need not be there. Raises ConfigError naming one that is no folder to watch.
    """
    roots = set()
    for text in watch:
        root = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111
        if not text.strip() or root == "/":
            raise ConfigError("watch", text, "wanted folders with music")
        roots.add(root)
    return sorted(
        root for root in roots if not any(root != one and is_below(root, one) for one in roots)
    )


def is_visible(path: str, root: str, *, is_folder: bool) -> bool:
    """Whether a walk of a root would come to a path, which need not be there."""
    if path == root:
        return True
    inside = path.removeprefix(root.rstrip("/") + "/")
    if inside == path or any(part.startswith(".") for part in inside.split("/")):
        return False
    return is_folder or is_audio(Path(path))


def is_below(path: str, root: str) -> bool:
    """Whether an absolute path is a folder or lies in it."""
    return path == root or path.startswith(root.rstrip("/") + "/")
