"""Energy: how loudness and activity are spread over a recording, and their course.

All levels are relative to the recording's own loud parts, so mastering and gain do not count; how
loud it is in absolute terms is `Measures.loudness`.
"""

from __future__ import annotations

import numpy as np

from mess_plugin.analysis.windows import SILENCE_DB
from mess_plugin.facets.statistics import ONSETS_HZ, Sketch
from mess_plugin.model import Float32

COURSE_STEPS = 64
_VECTOR_STEPS = 16
_LOUD_PERCENTILE = 95
_RANGE_DB = 40.0  # below the loud parts; nothing quieter carries energy
_CENTROID, _FLATNESS = -2, -1  # of the shapes


def describe(sketch: Sketch) -> Float32:
    """(27,) float32 in their own units.

    Four percentiles of level, its spread, onsets per second, strength and unevenness of onsets,
    centroid, flatness, tonalness, and the course of energy in 16 even steps.
    """
    level_db = relative_level_db(sketch)
    percentiles = np.percentile(level_db, [5, 25, 50, 75])
    course = _resampled(course_of(sketch), _VECTOR_STEPS)
    numbers = [
        *percentiles, level_db.std(), onsets_per_s(sketch.onsets), sketch.onsets.mean(),
        sketch.onsets.std(), sketch.shape_mean[_CENTROID], sketch.shape_mean[_FLATNESS],
        sketch.tonalness.mean(),
    ]  # fmt: skip
    return np.concatenate([numbers, course]).astype(np.float32)


def activity_signs(sketch: Sketch) -> Float32:
    """What speaks for much going on, (4,) float32.

    Onsets per second, their strength in dB, the median level in dB below the loud parts, and the
    spectral centroid in mel bands.
    """
    return np.array(
        [
            onsets_per_s(sketch.onsets),
            sketch.onsets.mean(),
            np.median(relative_level_db(sketch)),
            sketch.shape_mean[_CENTROID],
        ],
        dtype=np.float32,
    )


def course_of(sketch: Sketch) -> Float32:
    """The course of energy, (COURSE_STEPS,) float32 in [0, 1]: 1 is the level of the loud parts."""
    return _resampled(1 + relative_level_db(sketch) / _RANGE_DB, COURSE_STEPS)


def relative_level_db(sketch: Sketch) -> Float32:
    """Level below the recording's loud parts, in [-40, 0] dB, at COURSE_HZ."""
    sounding = sketch.level_db[sketch.level_db >= SILENCE_DB]
    loud = np.percentile(sounding, _LOUD_PERCENTILE) if len(sounding) else SILENCE_DB
    return np.asarray(np.clip(sketch.level_db - loud, -_RANGE_DB, 0), dtype=np.float32)


def onsets_per_s(onsets: Float32) -> float:
    """Peaks of onset strength that stand out from their second, per second."""
    if len(onsets) < 3:
        return 0.0
    half = int(ONSETS_HZ // 2)
    padded = np.pad(onsets.astype(np.float64), half, mode="edge")
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    local = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    middle = onsets[1:-1]
    peaks = (middle >= onsets[:-2]) & (middle > onsets[2:])
    return float((peaks & (middle > 1.5 * local[1:-1] + 0.5)).sum() / (len(onsets) / ONSETS_HZ))


def _resampled(values: Float32, n_steps: int) -> Float32:
    """Means of n_steps even stretches; interpolated where there are fewer values."""
    if len(values) < n_steps:
        places = np.linspace(0, len(values) - 1, n_steps)
        return np.interp(places, np.arange(len(values)), values).astype(np.float32)
    edges = np.linspace(0, len(values), n_steps + 1).astype(int)
    return (np.add.reduceat(values, edges[:-1]) / np.diff(edges)).astype(np.float32)
