"""Fitting the projection of a library again, from stored vectors, without encoding anything.

A new projection is a new space, filled beside the one in use. Only the switch keeps writers out.
"""

from __future__ import annotations

from secrets import token_hex

from mess_plugin.analysis import projection
from mess_plugin.model import Level, Projection, Space
from mess_plugin.spaces.vectors import project_into
from mess_plugin.store import Store

GROWTH = 2.0  # a library this many times larger than at the last fit is fitted again
_SAMPLE = 20_000  # vectors of a level that a fit looks at


def refit(store: Store, recipe: str, *, force: bool = False) -> Space | None:
    """Fit a new projection where one is due, and switch to it.

    Due: the library has grown by GROWTH since the last fit, or there is none yet. Encoders that ship
    their own projection have none here. Returns the new space, None where nothing was due or another
    session is fitting.
    """
    base = store.spaces.base(recipe)
    if base is None or base.projection != "none":
        return None
    with store.spaces.fitting(base) as allowed:
        if not allowed:
            return None
        fitted_on, n_tracks = store.spaces.fit_progress(base)
        due = n_tracks >= projection.CENTRE_FROM if force else _has_grown(fitted_on, n_tracks)
        return _refit(store, recipe, base, n_tracks) if due else None


def _refit(store: Store, recipe: str, base: Space, n_tracks: int) -> Space | None:
    fitted = _fit(store, base, f"fit-{n_tracks}-{token_hex(4)}")
    if fitted is None:
        return None
    space = store.spaces.add_projected(recipe, base, fitted, n_tracks)
    fill(store, base, space)
    with store.transaction():
        store.spaces.own_lock(base)
        fill(store, base, space)  # what was written between the filling and the lock
        store.spaces.switch(base, space)
    return space


def is_due(store: Store, recipe: str) -> bool:
    """Whether `refit` would have something to do."""
    base = store.spaces.base(recipe)
    return (
        base is not None
        and base.projection == "none"
        and _has_grown(*store.spaces.fit_progress(base))
    )


def _has_grown(fitted_on: int, n_tracks: int) -> bool:
    return n_tracks >= max(projection.CENTRE_FROM, GROWTH * fitted_on)


def _fit(store: Store, base: Space, version: str) -> dict[Level, Projection] | None:
    fitted = {}
    for level in Level:
        vectors, n_tracks = store.embeddings.sample(base, level, _SAMPLE)
        one = projection.fit(vectors, n_tracks, version)
        if one is None:
            return None
        fitted[level] = one
    return fitted


def fill(store: Store, base: Space, space: Space) -> None:
    """Compute what a projected space lacks from its base, a transaction a track."""
    for track_id in store.embeddings.missing(base, space):
        found = store.embeddings.levels(base, tuple(Level), [track_id])
        raw = {level: tracks[track_id] for level, tracks in found.items()}
        with store.transaction():
            store.embeddings.write(space, track_id, project_into(store, space, raw))
