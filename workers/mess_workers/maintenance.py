"""`python -m mess_workers.maintenance`: a worker for everything but files; and what it does.

Fitting a projection takes a while and must neither wait behind ten thousand files nor hold them up.
Duplicates are searched for without being asked: a little at a time, while no file waits. Which tracks
have looked is in the database, a transaction a track, so it may be killed at any time.
"""

from __future__ import annotations

import logging
import time

from mess_plugin.config import Settings
from mess_plugin.duplicates.finding import find, is_left
from mess_plugin.model import Space
from mess_plugin.spaces.active_encoder import active_recipe, resolve_settings
from mess_plugin.store import Store

log = logging.getLogger(__name__)

_BATCH = 200  # tracks
_AT_MOST_S = 2.0  # other maintenance waits no longer than this, and one track


def is_due(store: Store, settings: Settings) -> bool:
    """Whether tracks should look for duplicates now."""
    space = _space(store, settings) if settings.find_duplicates else None
    return space is not None and is_left(store, space)


def search_duplicates(store: Store, settings: Settings) -> int:
    """Let some tracks look for duplicates, for a moment; how many did."""
    space = _space(store, settings)
    if space is None:
        return 0
    started_s = time.monotonic()
    n_looked = 0
    for track_id, links in find(store, resolve_settings(store, settings), space, limit=_BATCH):
        n_looked += 1
        if links:
            log.info("track %d is linked to %d others", track_id, len(links))
        if time.monotonic() - started_s > _AT_MOST_S:
            break
    return n_looked


def _space(store: Store, settings: Settings) -> Space | None:
    return store.spaces.searchable(active_recipe(store, settings))


if __name__ == "__main__":
    from mess_workers import __main__ as worker  # sets the environment of a worker: only in one
    from mess_workers.task_names import LOOKUPS, MAINTENANCE

    worker.main((LOOKUPS, MAINTENANCE), jobs=1)
