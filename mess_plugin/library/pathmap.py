"""Where this machine has the folders that the library names otherwise.

The library knows each file by one path, the one that was indexed or watched. A worker in a container
or on another host may have the same folder somewhere else.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from mess_plugin.errors import ConfigError

if TYPE_CHECKING:
    from mess_plugin.store import Store


class PathMap(msgspec.Struct, frozen=True):
    """Pairs of (the library's folder, this machine's folder), the longest first."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, rules: Sequence[str], setting: str = "path_map") -> PathMap:
        """From rules "LIBRARY=HERE" of absolute folders. Raises ConfigError naming the wrong one."""
        pairs = [_pair(rule, setting) for rule in rules]
        return cls(tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))

    def local(self, path: str) -> str:
        """The library's path as this machine has it; the longest matching folder decides."""
        return _mapped(path, self.pairs)

    def library(self, path: str) -> str:
        """The inverse of `local`."""
        back = sorted(((here, there) for there, here in self.pairs), key=lambda p: -len(p[0]))
        return _mapped(path, back)


SAME_PATHS = PathMap()


def linked_paths(store: Store, folder: str) -> PathMap:
    """How the library names the files of a folder that a host knows by another name.

    One of the two is a link to the other, or leads through one. `SAME_PATHS` where the library knows
    files by the host's name, or none at all.
    """
    real = os.path.realpath(folder)
    names = [real]
    for root in store.roots.all():
        real_root = os.path.realpath(root.path)
        if real == real_root or real.startswith(f"{real_root}/"):
            names.append(root.path + real[len(real_root) :])
    for name in (folder, *names):
        if store.files.count_some_there(name, (), 1):
            return SAME_PATHS if name == folder else PathMap(((name, folder),))
    return SAME_PATHS


def _mapped(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    for folder, other in pairs:
        if path == folder or path.startswith(folder.rstrip("/") + "/"):
            rest = path[len(folder.rstrip("/")) :]
            return (other.rstrip("/") + rest) or "/"
    return path


def _pair(rule: str, setting: str) -> tuple[str, str]:
    there, equals, here = rule.partition("=")
    if not equals or not posixpath.isabs(there) or not posixpath.isabs(here):
        raise ConfigError(
            setting, rule, "wanted /folder/of/the/library=/folder/here, both absolute"
        )
    return posixpath.normpath(there), posixpath.normpath(here)
