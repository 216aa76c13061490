"""Finds a sequence of tracks along a path of target vectors: nearest candidates, then beam search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.model import Float32, Level, Space
from mess_plugin.playlists.transitions import transitions
from mess_plugin.search.nearest import nearest
from mess_plugin.store import Store

LAYER = 40  # candidates for each place of a path …
_ALL_LAYERS = 800  # … and about for all places together
_BEAM = 12
_UNLIKE_ALL = -2.0
_SMOOTH = 0.3  # weight of a transition relative to the fit


def layer_for(n: int) -> int:
    """How many candidates each of n places gets."""
    return max(6, min(LAYER, _ALL_LAYERS // n))


def great_circle(start: Float32, end: Float32, n: int) -> Float32:
    """N even steps on the great circle between two unit vectors, both included: (n, dim)."""
    cosine = float(np.clip(start @ end, -1, 1))
    angle = np.arccos(cosine)
    shares = np.linspace(0, 1, n)[:, None]
    if angle < 1e-3 or np.pi - angle < 1e-3:
        return unit((start * (1 - shares) + end * shares).astype(np.float32))
    path = (np.sin((1 - shares) * angle) * start + np.sin(shares * angle) * end) / np.sin(angle)
    return np.asarray(path, dtype=np.float32)


class Songs:
    """The songs that may answer, to be asked many times which are nearest to a vector.

    Where filters leave only some, their vectors are read once, (n, dim): a path asks up to hundreds of
    times, and the index knows nothing of filters.
    """

    def __init__(
        self, store: Store, settings: Settings, space: Space, allowed: Sequence[int] | None
    ) -> None:
        self._store, self._settings, self._space = store, settings, space
        self._known = None
        if allowed is not None:
            ids, vectors = store.filters.songs(space, allowed)
            self._known = ids, vectors, ~vectors.any(axis=1)

    def nearest(self, vector: Float32, excluded: Sequence[int], limit: int = LAYER) -> list[int]:
        """The tracks whose songs are nearest to a vector, (dim,), nearest first."""
        if self._known is None:
            hits = nearest(
                self._store, self._settings, self._space, Level.SONG, vector, limit, excluded
            )
            return [hit.track_id for hit in hits]
        ids, vectors, silent = self._known
        cosines = vectors @ vector
        cosines[silent] = _UNLIKE_ALL  # as the database has it: no direction, so last
        cosines[np.isin(ids, excluded)] = -np.inf
        near = np.argsort(-cosines, kind="stable")[:limit]
        return [int(ids[place]) for place in near if np.isfinite(cosines[place])]


def beam(
    store: Store,
    space: Space,
    track_ids: Sequence[int],
    fits: Float32,
    allowed: Sequence[Sequence[int]],
    seed: int,
) -> list[int]:
    """One column for each row, none twice, of the highest sum of fits and smooth transitions."""
    smoothness = transitions(store, space, track_ids).smoothness
    jitter = np.random.default_rng(seed).uniform(0, 0.01, fits.shape)
    worth = fits + jitter
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for place, columns in enumerate(allowed):
        grown = []
        for total, path in beams:
            free = [c for c in columns if c not in path] or [
                c for c in range(fits.shape[1]) if c not in path
            ]
            for column in free:
                step = _SMOOTH * float(smoothness[path[-1], column]) if path else 0.0
                grown.append((total + float(worth[place, column]) + step, [*path, column]))
        grown.sort(key=lambda one: (-one[0], one[1]))
        beams = grown[:_BEAM]
    return beams[0][1]


def middle(vectors: Sequence[Float32]) -> Float32:
    """The direction between vectors, (dim,): their mean, of unit length."""
    total = np.sum(np.stack(vectors), axis=0, keepdims=True)
    return np.asarray(unit(total)[0], dtype=np.float32)
