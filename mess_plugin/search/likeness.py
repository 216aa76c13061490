"""Likeness: how a score compares with those of pairs drawn from the library at random.

A score says how alike two recordings are on a scale of its own, on which the best match on earth may
reach 0.35. Its likeness is the share of random pairs of this library that are less alike by the same
weights: 0.998 is "closer than 99.8 % of your library". It is a rank among fixed pairs, so it grows with
the score, is the same for A → B and B → A, and hardly changes when the library grows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from mess_plugin.model import Float32, Level, Space
from mess_plugin.search.candidates import load_candidates, with_profiles
from mess_plugin.search.query import FEEL
from mess_plugin.search.rerank import SONG_ALONE, ViewWeights
from mess_plugin.search.scoring import score
from mess_plugin.store import Store

SAMPLE = 64  # tracks whose pairs are compared: 2,016 pairs, of which one makes up 0.05 %
LEAST_TRACKS = 12  # 66 pairs; fewer say nothing
_GROWN = 1.25  # a library that grew by this factor is sampled again
_STRETCHES = 4  # of each sampled track that look for their like in the others


class LikenessScale(msgspec.Struct, frozen=True):
    """Scores of random pairs, (n,) sorted."""

    scores: Float32

    def of(self, score: float) -> float | None:
        """The share of pairs that score less, in [0, 1]; None where too few pairs are known."""
        if self.is_too_small:
            return None
        return float(np.searchsorted(self.scores, np.float32(score))) / len(self.scores)

    @property
    def is_too_small(self) -> bool:
        """Whether it says nothing."""
        return len(self.scores) < LEAST_TRACKS * (LEAST_TRACKS - 1) // 2


def song_scale(
    store: Store, space: Space, weights: Mapping[str, float], views: ViewWeights, *, exact_key: bool
) -> LikenessScale:
    """What songs score among each other by some weights."""
    said = [f"{aspect}={weight:.4f}" for aspect, weight in sorted(weights.items()) if weight]
    compared = " ".join(["songs", *said, repr(views), *(["exact key"] if exact_key else [])])

    def scores() -> Float32:
        ids = store.scales.sample(space, SAMPLE)
        table = load_candidates(store, space, ids, weights)
        if FEEL in weights and views != SONG_ALONE:
            table = with_profiles(store, space, table, views)
        found = [np.zeros(0, dtype=np.float32)]
        for row in range(len(table.track_ids) - 1):
            others = table.at(range(row + 1, len(table.track_ids)))
            one = table.features(row)
            found.append(score(others, [one], (), weights, views=views, exact_key=exact_key).scores)
        return np.concatenate(found)

    return _scale(store, space, compared, scores)


def stretch_scale(store: Store, space: Space, level: Level) -> LikenessScale:
    """How alike a stretch of a track is to the stretch of another one that is most like it."""

    def scores() -> Float32:
        ids = store.scales.sample(space, SAMPLE)
        found = store.embeddings.of_tracks(space, level, ids)
        parts = [found[i].vectors for i in ids if i in found and len(found[i].vectors)]
        best = [np.zeros(0, dtype=np.float32)]
        for place, own in enumerate(parts):
            asked = own[np.unique(np.linspace(0, len(own) - 1, _STRETCHES).round().astype(int))]
            best += [(asked @ other.T).max(axis=1) for at, other in enumerate(parts) if at != place]
        return np.concatenate(best)

    return _scale(store, space, f"stretches {level.value}", scores)


def _scale(
    store: Store, space: Space, compared: str, scores: Callable[[], Float32]
) -> LikenessScale:
    """A scale that is stored, computed anew where there is none or the library has grown."""
    known = store.scales.get(space, compared)
    if known.scores is not None:
        found = LikenessScale(known.scores)
        grown = 1.0 if found.is_too_small else _GROWN
        if known.newest_track <= known.last_track * grown:
            return found
    fresh = np.sort(scores()).astype(np.float32)
    store.scales.save(space, compared, known.newest_track, fresh)
    return LikenessScale(fresh)
