"""The nearest stored vectors: exactly in small libraries, through the index in large ones."""

from __future__ import annotations

from collections.abc import Sequence

from mess_plugin.config import Settings
from mess_plugin.model import Float32, Level, Space
from mess_plugin.store import Store
from mess_plugin.store.embeddings import Neighbour

_MOST_NEIGHBOURS = 20_000  # looked at for one vector of the query, at most about


def nearest(
    store: Store,
    settings: Settings,
    space: Space,
    level: Level,
    vector: Float32,
    limit: int,
    excluded: Sequence[int],
    allowed: Sequence[int] | None = None,
) -> list[Neighbour]:
    """The vectors of a level nearest to one, (dim,), nearest first, at most `limit`.

    allowed: only these tracks; every one of their vectors is looked at. Otherwise the index may give up
    before it has found enough that are not excluded; then every vector is looked at, so that an
    answer is short only where the library is.
    """
    exact = allowed is not None or not store.embeddings.is_larger(
        space, level, settings.exact_below
    )
    found = store.embeddings.nearest(
        space, level, vector, limit, excluded_tracks=excluded, allowed_tracks=allowed, exact=exact
    )
    if exact or len(found) >= limit:
        return found
    return store.embeddings.nearest(
        space, level, vector, limit, excluded_tracks=excluded, exact=True
    )


def nearest_of_tracks(
    store: Store,
    settings: Settings,
    space: Space,
    level: Level,
    vector: Float32,
    limit: int,
    n_tracks: int,
    excluded: Sequence[int],
    allowed: Sequence[int] | None = None,
) -> list[Neighbour]:
    """At least `limit` nearest vectors, and more where one long track would fill all the places."""
    while True:
        found = nearest(store, settings, space, level, vector, limit, excluded, allowed)
        enough = len({hit.track_id for hit in found}) >= n_tracks
        if enough or len(found) < limit or limit >= _MOST_NEIGHBOURS:
            return found
        limit *= 4
