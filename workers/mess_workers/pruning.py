"""Which known files are really gone, and when that is too many to be believed.

An unmounted disk looks like a library whose files were all deleted. So nothing is given up below a
folder that is not there, below an empty one, or where too large a part would go at once; then a
person has to confirm it. What is given up is hidden first, and forgotten after a grace time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from mess_plugin.store import Store

PRUNE_AT_MOST = 0.5  # a larger share of vanished files looks like an unmounted disk
_ALWAYS_FINE = 10  # files; a small library may lose most of itself


@dataclass(frozen=True, slots=True)
class Pruned:
    """Files given up now; why more were not, None where nothing was held back; and which."""

    gone: int
    refused: str | None = None
    held: Set[str] = field(default=frozenset(), compare=False)


def prune(
    store: Store, root: str, present: Set[str] | None = None, *, confirmed: bool = False
) -> Pruned:
    """Give up the known files at or below a folder that are not there any more.

    present: paths that were just seen, to spare looking at each again. confirmed: a person said so,
    so that any number may go and is forgotten at once.
    """
    known = store.ledger.known_paths([root])
    gone = {
        path: file_id
        for path, file_id in known.items()
        if (present is None or path not in present) and is_gone(path)
    }
    if confirmed:
        store.ledger.forget_files(list(gone.values()))
        return Pruned(len(gone))
    reason = suspicion(root, len(gone), len(known))
    if reason:
        return Pruned(0, reason, frozenset(gone))
    return Pruned(store.ledger.miss(list(gone)))


def prune_some(store: Store, root: str, paths: Iterable[str]) -> Pruned:
    """Like `prune`, for files below a folder of which an event says that they vanished."""
    gone = store.ledger.known_among([path for path in paths if is_gone(path)])
    if not gone:
        return Pruned(0)
    n_known, n_missed = store.ledger.count_below(root)
    reason = suspicion(root, len(gone) + n_missed, n_known)
    return Pruned(0, reason, frozenset(gone)) if reason else Pruned(store.ledger.miss(gone))


def suspicion(root: str, n_gone: int, n_known: int) -> str | None:
    """Why so many vanished files are not believed, None where they are."""
    if not n_gone:
        return None
    if not is_there(root):
        return "the folder is not there; nothing below it is forgotten"
    if _is_empty(root):
        return f"the folder is empty, but {n_known} files in it are known; is a disk not mounted?"
    if n_gone > max(_ALWAYS_FINE, PRUNE_AT_MOST * n_known):
        return f"{n_gone} of {n_known} known files are gone; is a disk missing?"
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
