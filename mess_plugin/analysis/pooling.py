"""Frames → unit vectors: pooling over stretches of a timeline, and projections."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.windows import SILENCE_DB
from mess_plugin.model import Float32, Projection, Timeline

POOLINGS: dict[str, Callable[[int], int]] = {
    "mean": lambda dim: dim,
    "mean+std": lambda dim: 2 * dim,
}
"""Width of a pooled vector by the width of a frame."""

_TINY = 1e-12


def pool(timeline: Timeline, intervals: Float32, pooling: str) -> Float32:
    """Pool the frames of each interval.

    intervals: (n, 2) seconds. A step belongs to an interval when its centre lies inside; an interval
    that holds no centre takes the step nearest to its middle. Steps below SILENCE_DB do not count,
    unless the whole interval is silent (ask `audible` first).

    Returns (n, POOLINGS[pooling](dim)) float32, not yet of unit length; (0, …) for no intervals.
    Raises KeyError for an unknown pooling.
    """
    width = POOLINGS[pooling](timeline.frames.shape[1])
    if len(intervals) == 0:
        return np.zeros((0, width), dtype=np.float32)
    heard = timeline.loudness_db >= SILENCE_DB
    pooled = np.empty((len(intervals), width), dtype=np.float32)
    for row, (first, last) in enumerate(_steps(timeline, intervals)):
        frames, sounds = timeline.frames[first:last], heard[first:last]
        if not sounds.any() or sounds.all():
            pooled[row] = _statistics(frames, pooling)
        elif pooling == "mean":  # of hours, without a copy of what sounds
            pooled[row] = frames.mean(axis=0, dtype=np.float64, where=sounds[:, None])
        else:
            pooled[row] = _statistics(frames[sounds], pooling)
    return pooled


def audible(timeline: Timeline, intervals: Float32) -> npt.NDArray[np.bool_]:
    """Whether each interval, (n, 2) seconds, holds a step above SILENCE_DB. Returns (n,) bool."""
    if len(intervals) == 0:
        return np.zeros(0, dtype=np.bool_)
    heard = timeline.loudness_db >= SILENCE_DB
    return np.array([heard[first:last].any() for first, last in _steps(timeline, intervals)])


def project(pooled: Float32, projection: Projection | None) -> Float32:
    """Pooled vectors, (n, d_in), to unit length through a projection: (n, d_out) float32.

    None only scales. A vector of no length stays zero: it is similar to nothing.
    """
    if projection is None:
        return unit(pooled)
    return unit(np.asarray((pooled - projection.mean) @ projection.matrix, dtype=np.float32))


def unit(vectors: Float32) -> Float32:
    """Scale rows to unit length: (n, dim) float32; rows of no length stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _TINY), dtype=np.float32)


def _statistics(frames: Float32, pooling: str) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = frames.mean(axis=0, dtype=np.float64)
    if pooling == "mean":
        return mean
    return np.concatenate((mean, frames.std(axis=0, dtype=np.float64)))


def _steps(timeline: Timeline, intervals: Float32) -> list[tuple[int, int]]:
    """The steps whose centres lie in each interval, as (first, last + 1), never empty."""
    n_steps = len(timeline.frames)
    edges = np.asarray(intervals, dtype=np.float64) * timeline.rate_hz
    first = np.clip(np.ceil(edges[:, 0] - 0.5), 0, n_steps).astype(np.int64)
    last = np.clip(np.ceil(edges[:, 1] - 0.5), 0, n_steps).astype(np.int64)
    nearest = np.clip(np.floor(edges.mean(axis=1)), 0, n_steps - 1).astype(np.int64)
    none = last <= first
    first, last = np.where(none, nearest, first), np.where(none, nearest + 1, last)
    return list(zip(first.tolist(), last.tolist(), strict=True))
