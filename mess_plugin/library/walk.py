"""Finds the audio files below some paths."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from mess_plugin.audio import is_audio
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.library.ignoring import Ignoring
from mess_plugin.library.mounts import keeps_inodes
from mess_plugin.store.files import SeenFile

LYRICS_ENDINGS = (".lrc", ".txt")
"""Of lyrics beside the music, the preferred one first; in lower case."""
_MOST_NAMED = 6


@dataclass(slots=True)
class Walk:
    """An iterable over the audio files at or below some paths, in order.

    Left out are what `Ignoring` names and everything that is not a regular file: pipes and devices are
    never opened. Links to files are followed, links to folders are not, so the walk always ends.
    """

    paths: Sequence[str]
    ignoring: Ignoring | None = None
    """The ignore rules of the root that contains all paths; None: each path is its own root."""
    ignore: Sequence[str] = ()
    """The setting `ignore`, for paths that are roots themselves."""
    unreadable: list[str] = field(default_factory=list)
    """What could not be accessed, as lines "PATH: REASON"."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """Files without an audio suffix, counted by suffix; "no ending" for none. Lyrics do not count."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Ignored folders, counted by reason, without hidden ones."""

    def __iter__(self) -> Iterator[SeenFile]:
        for path in self.paths:
            ignoring = self.ignoring or Ignoring(path, self.ignore)
            is_folder = os.path.isdir(path)  # noqa: PTH112  text paths keep odd bytes
            if ignoring.why(path, is_folder=is_folder):
                continue
            if is_folder:
                yield from self._folder(path, ignoring)
            elif (path == ignoring.root or is_audio(Path(path))) and (seen := self._see(path)):
                yield seen
            if ignoring is not self.ignoring:
                self.unreadable += ignoring.broken

    def _folder(self, root: str, ignoring: Ignoring) -> Iterator[SeenFile]:
        """Depth first; not by os.walk, which cannot go as deep as paths can before Python 3.12."""
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            folders, files = self._list(folder)
            if why := ignoring.enter(folder, files):
                self.left_out[why] += 1
                continue
            reasons = {name: ignoring.passes_by(folder, name) for name in folders}
            self.left_out.update(why for why in reasons.values() if why not in {"", "hidden"})
            music = {os.path.splitext(name)[0] for name in files if is_audio(Path(name))}  # noqa: PTH122
            for name in files:
                path = os.path.join(folder, name)  # noqa: PTH118  as above
                if ignoring.why(path, is_folder=False):
                    continue
                if _is_lyrics(name, music):
                    continue
                if not is_audio(Path(name)):
                    self.passed_over[Path(name).suffix.lower() or "no ending"] += 1
                elif seen := self._see(path):
                    yield seen
            inner = [name for name in folders if not reasons[name]]
            waiting += [os.path.join(folder, name) for name in reversed(inner)]  # noqa: PTH118

    def _list(self, folder: str) -> tuple[list[str], list[str]]:
        """(names of folders, names of files) in order; a link to a folder is neither."""
        folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif not entry.is_symlink() or not _is_folder(entry):
                        files.append(entry.name)
        except OSError as error:
            self._note(error)
        return sorted(folders), sorted(files)

    def _see(self, path: str) -> SeenFile | None:
        try:
            return see(path)
        except OSError as error:
            self._note(error)
        except ValueError as error:  # a NUL, which some other program sent us
            self.unreadable.append(f"{path!r}: {error}")
        return None

    def _note(self, error: OSError) -> None:
        self.unreadable.append(f"{error.filename}: {error.strerror}")


def _is_lyrics(name: str, music: Set[str]) -> bool:
    stem, end = os.path.splitext(name)  # noqa: PTH122  any bytes, no Path
    return end.lower() in LYRICS_ENDINGS and stem in music


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def describe_omissions(passed_over: Mapping[str, int], left_out: Mapping[str, int]) -> list[str]:
    """Lines for people about what a walk did not look at, see `Walk`: at most two."""
    lines = []
    for counts, one, many in (
        (passed_over, "file passed over", "files passed over"),
        (left_out, "folder left out", "folders left out"),
    ):
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        named = [f"{count} {name}" for name, count in ranked[:_MOST_NAMED]]
        rest = sum(count for _, count in ranked[_MOST_NAMED:])
        if ranked:
            total = sum(counts.values())
            others = [f"{rest} others"] if rest else []
            lines.append(f"{total} {one if total == 1 else many}: {', '.join(named + others)}")
    return lines


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


def is_below(path: str, root: str) -> bool:
    """Whether an absolute path is a folder or lies in it."""
    return path == root or path.startswith(root.rstrip("/") + "/")
