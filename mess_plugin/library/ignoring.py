"""Ignore rules: which folders and files below a root are not part of the library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from mess_plugin.errors import ConfigError

SYSTEM_FOLDERS = frozenset(
    {
        "#recycle", "#snapshot", "$recycle.bin", "$windows.~bt", "@__thumb", "@eadir",
        "@recently-snapshot", "@recycle", "@sharesnap", "@tmp", "__macosx", "lost+found",
        "network trash folder", "recycled", "recycler", "system volume information",
        "temporary items", "thevolumesettingsfolder", "~snapshot",
    }
)  # fmt: skip
"""Trash, snapshots and service folders of NAS systems and desktops, in lower case. Many more begin
with a dot and are hidden by that."""

MARKS = {".nomedia": True, ".ndignore": True, ".ignore": True, ".plexignore": False}
"""Files that say "not here" of their folder, and whether one without any pattern leaves out all of it.
Patterns are those of .gitignore; `.nomedia` never holds any."""

_LONGEST_MARK = 1 << 16  # bytes that are read of a mark


class _Rules(NamedTuple):
    folder: str
    spec: GitIgnoreSpec


@dataclass(slots=True)
class _Folder:
    why: str
    """Why the folder is ignored, "" if it is not."""
    rules: tuple[_Rules, ...]
    """For its content."""


@dataclass(slots=True)
class Ignoring:
    """The ignore rules of one root. The root itself is never ignored, since a person named it.

    Mark files are read once per folder: make a new instance for each scan.
    """

    root: str
    patterns: Sequence[str] = ()
    """The setting `ignore`: patterns of .gitignore, relative to the root."""
    broken: list[str] = field(default_factory=list)
    """Lines "PATH: REASON" about patterns in marks that could not be understood."""
    _folders: dict[str, _Folder] = field(default_factory=dict)

    def why(self, path: str, *, is_folder: bool) -> str:
        """Why a path is ignored: "hidden", the name of a system folder or a mark; "" if it is not.

        It need not exist.
        """
        if path == self.root:
            return ""
        if not path.startswith(self.root.rstrip("/") + "/"):
            return "elsewhere"
        if is_folder:
            return self._folder(path).why
        folder, name = os.path.split(path)
        parent = self._folder(folder)
        return parent.why or _by_name(name) or _by_rules(path, parent.rules)

    def enter(self, folder: str, files: Sequence[str]) -> str:
        """As `why`, for a folder that a walk has listed: spares looking for mark files."""
        if folder not in self._folders:
            self._folders[folder] = self._look(folder, files)
        return self._folders[folder].why

    def passes_by(self, folder: str, name: str) -> str:
        """Why a folder in this one is ignored without listing it, "" if it must be listed."""
        return _passed_by(f"{folder.rstrip('/')}/{name}", self._folder(folder))

    def _folder(self, path: str) -> _Folder:
        """A folder's rules, after those of all its parents. Iterative: paths may be 2,000 deep."""
        above: list[str] = []
        while path not in self._folders:
            above.append(path)
            if path == self.root:
                break
            path = os.path.dirname(path)  # noqa: PTH120  text paths keep odd bytes
        for folder in reversed(above):
            self._folders[folder] = self._look(folder, list(MARKS))
        return self._folders[above[0] if above else path]

    def _look(self, path: str, files: Sequence[str]) -> _Folder:
        if path == self.root:
            spec = ignore_spec(self.patterns)
            own = (_Rules(path, spec),) if self.patterns else ()
            return _Folder("", own + self._marks(path, files)[1])
        parent = self._folders[os.path.dirname(path)]  # noqa: PTH120
        why = parent.why or _passed_by(path, parent)
        if why:
            return _Folder(why, ())
        mark, rules = self._marks(path, files)
        return _Folder(mark, parent.rules + rules)

    def _marks(self, folder: str, files: Sequence[str]) -> tuple[str, tuple[_Rules, ...]]:
        """(the mark by which the whole folder is left out, rules for what is in it)."""
        rules: list[_Rules] = []
        for name, means_all in MARKS.items():
            text = _read(f"{folder.rstrip('/')}/{name}") if name in files else None
            if text is None:
                continue
            spec = self._spec(f"{folder}/{name}", "" if name == ".nomedia" else text)
            if spec.patterns:
                rules.append(_Rules(folder, spec))
            elif means_all:
                return name, ()
        return "", tuple(rules)

    def _spec(self, path: str, text: str) -> GitIgnoreSpec:
        lines = []
        for line in text.splitlines():
            try:
                if any(
                    one.include is not None for one in GitIgnoreSpec.from_lines([line]).patterns
                ):
                    lines.append(line)
            except GitIgnorePatternError:
                self.broken.append(f"{path}: {line!r} is no pattern of .gitignore")
        return GitIgnoreSpec.from_lines(lines)


def ignore_spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    """The setting `ignore`. Raises ConfigError naming a pattern that cannot be understood."""
    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except GitIgnorePatternError as error:
            raise ConfigError("ignore", pattern, "wanted a pattern of .gitignore") from error
    return GitIgnoreSpec.from_lines(patterns)


def _by_name(name: str) -> str:
    return "hidden" if name.startswith(".") else ""


def _passed_by(path: str, parent: _Folder) -> str:
    name = path.rpartition("/")[2]
    system = name if name.casefold() in SYSTEM_FOLDERS else ""
    return _by_name(name) or system or _by_rules(f"{path}/", parent.rules)


def _by_rules(path: str, rules: Sequence[_Rules]) -> str:
    """The last pattern that matches decides, as in .gitignore: those of inner folders come last."""
    ignored: bool | None = False
    for one in rules:
        inside = path[len(one.folder.rstrip("/")) + 1 :]
        matched = one.spec.check_file(inside).include
        ignored = ignored if matched is None else matched
    return "ignored by a pattern" if ignored else ""


def _read(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            return file.read(_LONGEST_MARK).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return None
