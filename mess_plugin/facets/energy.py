"""Energy: how loudness and activity are spread over a recording, and their course.

All levels are relative to the recording's own loud parts, so mastering and gain do not count; how
loud it is in absolute terms is `Measures.loudness`. As there, silence has no say: all but the course
is measured over the steps that sound.
"""

from __future__ import annotations

import numpy as np

from mess_plugin.analysis.windows import SILENCE_DB
from mess_plugin.facets.statistics import CHROMA_HZ, ONSETS_HZ, Sketch
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
    level_db = _sounding_level_db(sketch)
    onsets = _sounding_onsets(sketch)
    tonalness = sketch.tonalness[sketch.sounding(len(sketch.tonalness), CHROMA_HZ)]
    percentiles = np.percentile(level_db, [5, 25, 50, 75])
    course = _resampled(course_of(sketch), _VECTOR_STEPS)
    numbers = [
        *percentiles, level_db.std(), onsets_per_s(sketch), onsets.mean(), onsets.std(),
        sketch.shape_mean[_CENTROID], sketch.shape_mean[_FLATNESS], tonalness.mean(),
    ]  # fmt: skip
    return np.concatenate([numbers, course]).astype(np.float32)


def activity_signs(sketch: Sketch) -> Float32:
    """What speaks for much going on, (4,) float32.

    Onsets per second, their strength in dB, the median level in dB below the loud parts, and the
    spectral centroid in mel bands.
    """
    return np.array(
        [
            onsets_per_s(sketch),
            _sounding_onsets(sketch).mean(),
            np.median(_sounding_level_db(sketch)),
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


def onsets_per_s(sketch: Sketch) -> float:
    """Peaks of onset strength that stand out from their second, per second of sound."""
    onsets = sketch.onsets
    if len(onsets) < 3:
        return 0.0
    half = int(ONSETS_HZ // 2)
    padded = np.pad(onsets.astype(np.float64), half, mode="edge")
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    local = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    middle = onsets[1:-1]
    peaks = (middle >= onsets[:-2]) & (middle > onsets[2:]) & (middle > 1.5 * local[1:-1] + 0.5)
    sounding = sketch.sounding(len(onsets), ONSETS_HZ)
    return float((peaks & sounding[1:-1]).sum() / (sounding.sum() / ONSETS_HZ))


def _sounding_onsets(sketch: Sketch) -> Float32:
    return sketch.onsets[sketch.sounding(len(sketch.onsets), ONSETS_HZ)]


def _sounding_level_db(sketch: Sketch) -> Float32:
    return relative_level_db(sketch)[sketch.level_db >= SILENCE_DB]


def _resampled(values: Float32, n_steps: int) -> Float32:
    """Means of n_steps even stretches; interpolated where there are fewer values."""
    if len(values) < n_steps:
        places = np.linspace(0, len(values) - 1, n_steps)
        return np.interp(places, np.arange(len(values)), values).astype(np.float32)
    edges = np.linspace(0, len(values), n_steps + 1).astype(int)
    return (np.add.reduceat(values, edges[:-1]) / np.diff(edges)).astype(np.float32)
