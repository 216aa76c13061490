"""Scores transitions between tracks, and orders tracks for smooth ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from mess_plugin.facets import key as keys
from mess_plugin.facets.values import SAME_TEMPO
from mess_plugin.model import Float32, Space
from mess_plugin.search.filters import key_of, tempo_of
from mess_plugin.store import Store

_SOUND, _TEMPO, _KEY = 0.7, 0.15, 0.15
_IMPROVEMENTS = 200  # reversals tried at most


class Transitions(msgspec.Struct, frozen=True):
    """How smooth the transitions between some tracks are."""

    track_ids: tuple[int, ...]
    smoothness: Float32
    """(n, n) float32 in [0, 1], from the row's track to the column's.

    Seven tenths are the cosine of the last section of one and the first of the other; the rest is
    whether tempi are within 6 % (half and double count) and keys are compatible. Unknown counts half.
    """

    def along(self, places: Sequence[int]) -> list[float]:
        """Smoothness of each step of an order."""
        return [float(self.smoothness[a, b]) for a, b in pairwise(places)]


def transitions(store: Store, space: Space, track_ids: Sequence[int]) -> Transitions:
    """Between all of some tracks."""
    edges = store.filters.edges(space, track_ids)
    zero = np.zeros(space.dim, dtype=np.float32)
    starts = np.stack([edges.get(i, (zero, zero))[0] for i in track_ids])
    ends = np.stack([edges.get(i, (zero, zero))[1] for i in track_ids])
    sound = np.clip(ends @ starts.T, 0, 1)
    cards = store.library.get(track_ids)
    measured = store.facets.measures(track_ids)
    tempi, tonics = [], []
    for track_id in track_ids:
        measures = measured[track_id][0] if track_id in measured else None
        tempi.append(tempo_of(cards[track_id].tags, measures))
        tonics.append(key_of(cards[track_id].tags, measures))
    smoothness = _SOUND * sound + _TEMPO * _tempo_fit(tempi) + _KEY * _key_fit(tonics)
    return Transitions(tuple(track_ids), smoothness.astype(np.float32))


def ordered(smoothness: Float32, first: int = 0) -> list[int]:
    """An order of all places that begins with `first` and leads smoothly.

    The nearest one next, then reversals of stretches while they help (2-opt; G. Croes, Operations
    Research 6, 1958), counted in both directions' own smoothness.
    """
    n = len(smoothness)
    order, left = [first], set(range(n)) - {first}
    while left:
        following = max(left, key=lambda place: (float(smoothness[order[-1], place]), -place))
        order.append(following)
        left.remove(following)
    for _ in range(_IMPROVEMENTS):
        better = _better_reversal(order, smoothness)
        if better is None:
            break
        order = better
    return order


def _better_reversal(order: list[int], smoothness: Float32) -> list[int] | None:
    """The best single reversal of a stretch, None where none helps."""
    n = len(order)
    walked = smoothness[np.ix_(order, order)].astype(np.float64)
    forth, back = np.diagonal(walked, 1), np.diagonal(walked, -1)
    gained = np.concatenate(
        [[0.0], np.cumsum(back - forth)]
    )  # by reversing all steps up to a place
    delta = np.full((n, n), -np.inf)
    delta[1:] = walked[:-1] - forth[:, None] + gained - gained[1:, None]  # [i, j]: reverse i to j
    delta[1:, :-1] += walked[1:, 1:] - forth
    delta[np.tril_indices(n)] = -np.inf
    i, j = np.unravel_index(int(np.argmax(delta)), delta.shape)
    if delta[i, j] <= 1e-6:
        return None
    return order[:i] + order[i : j + 1][::-1] + order[j + 1 :]


def _tempo_fit(tempi: Sequence[float | None]) -> Float32:
    bpm = np.array([tempo or np.nan for tempo in tempi])
    octaves = np.abs(np.log2(bpm[:, None] / bpm))
    away = np.minimum(octaves, np.abs(octaves - 1))
    fit = np.where(away <= np.log2(SAME_TEMPO), 1.0, 0.0)
    return np.where(np.isnan(octaves), 0.5, fit).astype(np.float32)


def _key_fit(tonics: Sequence[tuple[int, str] | None]) -> Float32:
    every = [(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]
    fits = np.full((25, 25), 0.5, dtype=np.float32)  # the last row and column: unknown
    fits[:24, :24] = [[keys.compatible(a, b) for b in every] for a in every]
    places = [24 if own is None else every.index(own) for own in tonics]
    return fits[np.ix_(places, places)]
