"""Aligns two whole recordings in time: at which offset and speed do they match best?

All windows of one are compared with all windows of the other. Of the straight lines other = speed
* one + offset through these similarities the one with the highest mean is kept: a Hough search,
as J. Serrà, X. Serra and R. Andrzejak follow diagonals of cross recurrence plots ("Cross
recurrence quantification for cover song identification", New Journal of Physics 11, 2009). Two
recordings of one piece match along such a line; two that only sound alike match as well beside
it.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32, LevelVectors
from mess_plugin.search.alignment import interpolated

SPEEDS = tuple(round(0.85 + 0.01 * step, 2) for step in range(33))  # 0.85 to 1.17
MAX_WINDOWS = 240  # of the first recording; of a longer one, windows that lie further apart
_LEAST_WINDOWS = 4
_LEAST_SHARE = 0.5  # of the shorter recording that must overlap the other one

Floats = npt.NDArray[np.float64]


class TimeAlignment(msgspec.Struct, frozen=True):
    """The line along which two recordings are most similar."""

    likeness: float
    """Mean cosine of the windows on the line, in [-1, 1]."""
    lead: float
    """How far that is above all windows, (on - beside) / (1 - beside), at most 1."""
    coverage: float
    """Share of the longer recording that overlaps the other one, in [0, 1]."""
    speed: float
    """Seconds of the other for a second of the first."""
    offset_s: float
    """Where in the other the first one begins; negative where the other begins later."""


def align(one: LevelVectors, other: LevelVectors) -> TimeAlignment | None:
    """The best line through the windows of two recordings; None where one has too few.

    one, other: their stored windows, in order of time.
    """
    one = _thinned(one)
    if min(len(one.vectors), len(other.vectors)) < _LEAST_WINDOWS:
        return None
    fine = interpolated(other)
    cosines = one.vectors @ fine.vectors.T
    starts_s = fine.intervals[:, 0].astype(np.float64)
    step_s = float(np.median(np.diff(starts_s)))
    own_s = one.intervals[:, 0].astype(np.float64)
    best: tuple[float, float, int] | None = None
    for speed in SPEEDS:
        scores, lags = _along(cosines, own_s * speed / step_s, len(starts_s))
        place = int(np.argmax(scores))
        if best is None or scores[place] > best[0]:
            best = (float(scores[place]), speed, int(lags[place]))
    assert best is not None
    return _measured(cosines, one, other, own_s, step_s, *best[1:])


def _along(cosines: Float32, places: Floats, n_other: int) -> tuple[Floats, Floats]:
    """Mean cosine of each line of one speed, and the lag of each in steps.

    places: position of each window, in steps, at lag 0. Lines that overlap too little of the shorter
    recording do not count.
    """
    rounded = places.round().astype(np.int64)
    lags = np.arange(-int(rounded[-1]), n_other, dtype=np.int64)
    columns = rounded[:, None] + lags
    inside = (columns >= 0) & (columns < n_other)
    found = np.take_along_axis(cosines, np.clip(columns, 0, n_other - 1), axis=1) * inside
    counts = inside.sum(axis=0)
    shorter = min(len(places), n_other * len(places) / max(1, int(rounded[-1]) + 1))
    means = found.sum(axis=0) / np.maximum(counts, 1)
    means[counts < max(_LEAST_WINDOWS, _LEAST_SHARE * shorter)] = -1.0
    return means.astype(np.float64), lags.astype(np.float64)


def _measured(
    cosines: Float32,
    one: LevelVectors,
    other: LevelVectors,
    own_s: Floats,
    step_s: float,
    speed: float,
    lag: int,
) -> TimeAlignment:
    columns = (own_s * speed / step_s).round().astype(np.int64) + lag
    inside = (columns >= 0) & (columns < cosines.shape[1])
    on = float(cosines[inside, columns[inside]].mean())
    beside = float(cosines.mean())
    offset_s = lag * step_s
    length_s, other_s = float(one.intervals[-1, 1]) * speed, float(other.intervals[-1, 1])
    shared_s = max(0.0, min(length_s + offset_s, other_s) - max(offset_s, 0.0))
    return TimeAlignment(
        on,
        (on - beside) / max(1 - beside, 1e-6),
        shared_s / max(length_s, other_s),
        speed,
        offset_s,
    )


def _thinned(windows: LevelVectors) -> LevelVectors:
    every = -(-len(windows.vectors) // MAX_WINDOWS)
    if every <= 1:
        return windows
    return LevelVectors(windows.intervals[::every], windows.vectors[::every])
