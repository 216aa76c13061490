"""Fits a metric, cross-validates it, and stores one that helps as a space of its own."""

from __future__ import annotations

from secrets import token_hex

import msgspec
import numpy as np

from mess_plugin.errors import NothingIndexed, UnknownName, UsageError
from mess_plugin.metric.cross_validation import (
    LEAST_COMPARISONS,
    LEAST_GROUPS,
    Trial,
    cross_validated,
    enough,
)
from mess_plugin.metric.judgements import Comparisons, Judgements, compared
from mess_plugin.metric.linear_map import fit_linear_map
from mess_plugin.model import Float32, Level, Projection, Space
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.spaces.refit import fill
from mess_plugin.store import Store
from mess_plugin.store.metrics import Metric

MAX_NAME = 40


def fit_metric(
    store: Store, recipe: str, judgements: Judgements, name: str
) -> tuple[Trial, Space | None]:
    """Learn a metric from judgements. Returns its trial, and its space where it helps.

    The space holds the vectors of the plain one, those of songs (and, where they share the
    projection, of sections) through the map; nothing is encoded. It answers once it is chosen. Raises
    UsageError where there is too little to learn from, or for a name that is taken.
    """
    _check_name(store, name)
    plain, base = store.spaces.plain(recipe), store.spaces.base(recipe)
    if plain is None or base is None:
        raise NothingIndexed(Recipe.parse(recipe).encoder)
    vectors, comparisons = _by_row(store, plain, judgements)
    n, n_groups = enough(comparisons)
    if n < LEAST_COMPARISONS or n_groups < LEAST_GROUPS:
        raise UsageError(
            f"these judgements give {n} comparisons among {n_groups} groups of tracks: at least "
            f"{LEAST_COMPARISONS} among {LEAST_GROUPS} are needed"
        )
    trial = cross_validated(vectors, comparisons)
    if not trial.helps:
        return trial, None
    matrix = fit_linear_map(vectors, comparisons, trial.pull)
    with store.spaces.fitting(base) as allowed:
        if not allowed:
            raise UsageError("another program is fitting a projection: try again in a minute")
        return trial, _added(store, recipe, base, plain, matrix, name, trial)


def named(store: Store, name: str) -> Metric:
    """The metric of this name. Raises UnknownName."""
    found = {metric.name: metric for metric in store.metrics.all()}
    if name not in found:
        raise UnknownName("metric", name, found)
    return found[name]


def _check_name(store: Store, name: str) -> None:
    if not name.isprintable() or not name.strip() or len(name) > MAX_NAME or "@" in name:
        raise UsageError(f"name {name[:MAX_NAME]!r}: wanted up to {MAX_NAME} letters without @")
    if any(metric.name == name for metric in store.metrics.all()):
        raise UsageError(f"there is a metric {name!r} already: drop it, or choose another name")


def _by_row(store: Store, plain: Space, judgements: Judgements) -> tuple[Float32, Comparisons]:
    """Song vectors of the tracks in question, and comparisons of their rows."""
    compared_ids, _drawn = compared(judgements, store.embeddings.tracks(plain))
    ids = np.unique(np.concatenate([compared_ids.nearer, compared_ids.farther])).tolist()
    songs = store.embeddings.of_tracks(plain, Level.SONG, ids)
    known = [i for i in ids if len(songs[i].vectors)]
    row = {track_id: place for place, track_id in enumerate(known)}
    kept = [
        (near, far)
        for near, far in zip(
            compared_ids.nearer.tolist(), compared_ids.farther.tolist(), strict=True
        )
        if all(i in row for i in (*near, *far))
    ]
    rows = np.array([[[row[i] for i in pair] for pair in both] for both in kept], dtype=np.int64)
    rows = rows.reshape(-1, 2, 2)
    vectors = [songs[i].vectors[0] for i in known]
    return (
        np.stack(vectors) if vectors else np.zeros((0, plain.dim), np.float32),
        Comparisons(rows[:, 0], rows[:, 1]),
    )


def _added(
    store: Store,
    recipe: str,
    base: Space,
    plain: Space,
    matrix: Float32,
    name: str,
    trial: Trial,
) -> Space:
    space = store.spaces.add_projected(
        recipe, base, _maps(store, base, plain, matrix, name), trial.n_comparisons
    )
    fill(store, base, space)
    figures = msgspec.to_builtins(trial)
    del figures["pull"]
    with store.transaction():
        store.spaces.own_lock(base)
        fill(store, base, space)  # what was written between the filling and the lock
        store.metrics.save(space, name, **figures)
        store.spaces.activate(space)
    return space


def _maps(
    store: Store, base: Space, plain: Space, matrix: Float32, name: str
) -> dict[Level, Projection]:
    """From the raw space to that of the metric.

    A linear map does not care whether what it maps was scaled to unit length before, so it can be
    joined with the projection in use. A shipped projection is named behind an @: see `weights_of`.
    """
    shipped = f"@{base.projection}" if base.projection != "none" else ""
    version = f"metric-{name}-{token_hex(4)}{shipped}"
    if plain.id != base.id:
        maps = store.spaces.projections(plain)
        song = maps[Level.SONG]
        joined = (song.matrix.astype(np.float64) @ matrix).astype(np.float32)
        return {
            level: Projection(one.mean, joined if level is Level.SONG else one.matrix, version)
            for level, one in maps.items()
        }
    alike_projected = (Level.SONG, Level.SECTION) if shipped else (Level.SONG,)
    nothing, same = np.zeros(base.dim, np.float32), np.eye(base.dim, dtype=np.float32)
    return {
        level: Projection(nothing, matrix if level in alike_projected else same, version)
        for level in Level
    }
