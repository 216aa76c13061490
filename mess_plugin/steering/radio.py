"""A playlist without end that listens to what its listener says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mess_plugin.config import Settings
from mess_plugin.model import Track
from mess_plugin.steering.asking import answering_space
from mess_plugin.steering.candidates import allowed_ids, table, voice
from mess_plugin.steering.paths import middle, nearest_ids
from mess_plugin.steering.query import FEEL, Query
from mess_plugin.store import Store

_DRIFT = 0.3  # of each choice towards the track before it
_DRAWN_FROM = 10  # the nearest ones, the nearer the likelier


def radio(
    store: Store, settings: Settings, refs: Sequence[str], query: Query, *, seed: int = 0
) -> Iterator[Track]:
    """Tracks without end: each like the references and like what came before it, none twice.

    With `query.listener`, what the listener liked since draws the choice towards it, and what was
    disliked never comes. Ends when the library is used up.
    """
    rng = np.random.default_rng(seed)
    space = answering_space(store, settings)
    seeds = [voice(store, settings, space, ref, (FEEL,)) for ref in refs]
    home = middle([one.vectors[FEEL] for one in seeds])
    played = [i for one in seeds for i in one.seed.excluded]
    allowed = allowed_ids(store, query.filters, seeds[0])
    here = home
    while True:
        liked, rejected = _said(store, query.listener)
        excluded = sorted({*played, *rejected})
        aim = home
        if liked:
            songs = table(store, space, liked, (FEEL,)).vectors[FEEL]
            aim = middle([home, *(songs if len(songs) else [])])
        target = middle([aim * (1 - _DRIFT), here * _DRIFT])
        ids = nearest_ids(store, settings, space, target, excluded, allowed)
        if not ids:
            return
        weights = 1 / (1 + np.arange(len(ids[:_DRAWN_FROM])))
        chosen = ids[int(rng.choice(len(weights), p=weights / weights.sum()))]
        played.append(chosen)
        here = table(store, space, [chosen], (FEEL,)).vectors[FEEL][0]
        yield store.library.get([chosen])[chosen]


def _said(store: Store, listener: str | None) -> tuple[list[int], list[int]]:
    verdicts = store.verdicts.of(listener) if listener else []
    liked = [one.track_id for one in verdicts if one.word == "like"]
    return liked, [one.track_id for one in verdicts if one.word == "dislike"]
