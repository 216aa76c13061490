"""Deletions: which vanished files are marked missing, and which are held until a person confirms.

An unmounted disk looks like a library whose files were all deleted. So nothing is marked missing
below a root that is missing or empty, below a mount point whose disk is away, or where more than
`PRUNE_AT_MOST` of the recordings would be lost. Missing files are hidden, and forgotten after
`keep_missing_s`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from mess_plugin.library.mounts import is_mounted
from mess_plugin.library.walk import is_below
from mess_plugin.store import Store

PRUNE_AT_MOST = 0.5  # a larger share of vanished files looks like an unmounted disk
_ALWAYS_FINE = 10  # files; a small library may lose most of itself


@dataclass(frozen=True, slots=True)
class Pruned:
    """The result of a check for deletions."""

    gone: int
    """Files that were marked missing now."""
    refused: str | None = None
    """Why others were not; None where none was held."""
    held: Set[str] = field(default=frozenset(), compare=False)
    """The vanished files that were held."""


NOTHING = Pruned(0)
"""No file is gone."""


def give_up(store: Store, root: str, gone: Sequence[str]) -> Pruned:
    """Mark vanished files below a root as missing, unless so many at once need a confirmation."""
    if not gone:
        return NOTHING
    away = unmounted(store, root)
    below_away = {path for path in gone if any(is_below(path, point) for point in away)}
    others = [path for path in gone if path not in below_away]
    reason = suspicion(store, root, others)
    if reason:
        return Pruned(0, reason, frozenset(gone))
    n_gone = store.files.mark_missing(others)
    if below_away:
        point = next(point for point in away if any(is_below(path, point) for path in below_away))
        reason = f"the disk at {point} is not mounted; nothing below it is forgotten"
    return Pruned(n_gone, reason, frozenset(below_away))


def forget_vanished(store: Store, root: str) -> int:
    """Forget all vanished files at or below a root, after a person confirmed it. Returns how many."""
    known = store.files.known_paths([root])
    gone = [file_id for path, file_id in known.items() if is_gone(path)]
    store.files.forget_files(gone)
    store.roots.forget_mounts(unmounted(store, root))
    return len(gone)


def unmounted(store: Store, root: str) -> list[str]:
    """Where a disk was mounted below a root, or above it, that is not there now."""
    return [
        point
        for point in store.roots.mounts()
        if (is_below(point, root) or is_below(root, point)) and not is_mounted(point)
    ]


def suspicion(store: Store, root: str, gone: Sequence[str]) -> str | None:
    """Why vanished files below a root need a confirmation, None where they do not.

    All lost recordings of the root count, those of files marked missing before included. A recording
    that has another file is not lost: it was moved.
    """
    if not gone:
        return None
    if not is_there(root):
        return "the folder is not there; nothing below it is forgotten"
    if _is_empty(root):
        return "the folder is empty, but files in it are known; is a disk not mounted?"
    at_most = len(gone) + store.files.count_missing()
    if at_most <= _ALWAYS_FINE:
        return None
    enough = math.ceil(at_most * (1 - PRUNE_AT_MOST) / PRUNE_AT_MOST)
    if store.files.count_some_there(root, gone, 2 * enough) >= enough:
        return None  # without counting everything below a large root for each few files
    n_there, n_lost = store.files.count_below(root, gone)
    if n_lost > max(_ALWAYS_FINE, PRUNE_AT_MOST * (n_there + n_lost)):
        return f"{n_lost} of {n_there + n_lost} known recordings are gone; is a disk missing?"
    return None


def is_there(root: str) -> bool:
    """Whether a root, a folder or a file, can be looked at."""
    return os.path.isfile(root) or (  # noqa: PTH113  text paths keep odd bytes
        os.path.isdir(root) and os.access(root, os.R_OK | os.X_OK)  # noqa: PTH112
    )


def is_gone(path: str) -> bool:
    """Whether there is certainly nothing at a path; False where that cannot be found out."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _is_empty(root: str) -> bool:
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is None
    except OSError:
        return False
