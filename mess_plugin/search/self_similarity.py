"""The form of a recording: its sections, and the self-similarity that shows why they are there."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.model import Float32, Interval, Level, LevelVectors
from mess_plugin.search.engine import answering_space
from mess_plugin.search.references import Ref
from mess_plugin.search.seeds import Seed, resolve
from mess_plugin.store import Store

MAX_STEPS = 600  # of the self-similarity; hours of music are averaged down to it


class MusicalForm(msgspec.Struct, frozen=True):
    """A seed with its sections in order of time and the self-similarity of its windows.

    similarity: (n, n) float32 cosines, evenly spread over the recording, n >= 1.
    """

    seed: Seed
    sections: tuple[tuple[Interval, str], ...]
    similarity: Float32


def form_of(store: Store, settings: Settings, ref: Ref) -> MusicalForm:
    """The form of what a reference names (see `mess_plugin.search.references`).

    A file outside the library is heard on the fly. Raises UsageError where nothing is named.
    """
    space = answering_space(store, settings)
    seed = resolve(store, settings, space, ref)
    found = seed.levels[Level.SECTION]
    labels = found.labels or ("",) * len(found.intervals)
    sections = tuple(
        (Interval(*interval), label)
        for interval, label in zip(found.intervals.tolist(), labels, strict=True)
    )
    return MusicalForm(seed, sections, self_similarity(seed.levels[Level.WINDOW], seed.duration_s))


def self_similarity(windows: LevelVectors, duration_s: float) -> Float32:
    """Cosines between all moments of a recording, from its stored windows: (n, n) float32.

    One step per stored window, at most MAX_STEPS; beyond that neighbouring windows are averaged, so
    that hours need no more memory than minutes. Where a stretch is silent, the window nearest in
    time stands in. J. Foote, "Visualizing music and audio using self-similarity", ACM MM 1999.
    """
    middles_s = windows.intervals.mean(axis=1)
    n_steps = min(len(middles_s), MAX_STEPS)
    edges_s = np.linspace(0, duration_s, n_steps + 1)
    rows = []
    for start_s, end_s in pairwise(edges_s):
        inside = (middles_s >= start_s) & (middles_s < end_s)
        if not inside.any():
            inside[np.argmin(np.abs(middles_s - (start_s + end_s) / 2))] = True
        rows.append(windows.vectors[inside].mean(axis=0))
    steps = unit(np.stack(rows))
    return np.asarray(steps @ steps.T, dtype=np.float32)


def contrasted(similarity: Float32) -> Float32:
    """A self-similarity stretched over [0, 1]: the darkest and lightest twentieth are cut off."""
    low, high = np.quantile(similarity, [0.05, 0.95])
    return np.asarray(np.clip((similarity - low) / max(high - low, 1e-6), 0, 1), dtype=np.float32)
