"""Laying a stretch of music along a track: where does it fit best, finer than the stored hop?

The query's windows keep their distances and slide along the track's stored windows. A query whose
audio is at hand is heard at several shifts, a fraction of the hop apart, so that one of them meets
the stored grid almost exactly; all shifts together give a score for every fraction of the hop. A
query of which only stored windows are at hand slides between the track's windows instead: what lies
between two half-overlapping windows is close to their mixture.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.model import Float32, Interval, LevelVectors

SHIFTS_PER_HOP = 5
SMOOTH_S = 1.0
MAX_SHIFTED_S = 60.0  # longer queries are heard at one shift: many windows blur the top anyway
_NO_LENGTH = 1e-12  # of a squared vector
REPEATS_FROM = 0.9  # mean cosine of two places of one track that count as the same passage

Floats = npt.NDArray[np.float64]
Hear = Callable[[Float32], Float32]
"""Window vectors of any stretches of a recording: (n, 2) seconds → (n, dim) float32."""


class PassageQuery(msgspec.Struct, frozen=True):
    """A stretch to look for. shifts: its windows, each time laid out a little later."""

    asked: Interval
    shifts: tuple[LevelVectors, ...]


class Passage(msgspec.Struct, frozen=True):
    """A stretch of a track that sounds like the query.

    similarity: mean cosine over the alignment, in [-1, 1].
    """

    track_id: int
    interval: Interval
    similarity: float


def passage_query(
    stored: LevelVectors, asked: Interval, hear: Hear | None, window_s: float, hop_s: float
) -> PassageQuery:
    """The windows of a stretch, at all shifts that can be had.

    stored: the windows of the recording, used where `hear` is None and for a stretch shorter than a
    window: tracks have nothing shorter to compare it with.
    """
    if hear is None or asked.duration_s < window_s:
        return PassageQuery(asked, (windows_inside(stored, asked),))
    n_shifts = SHIFTS_PER_HOP if asked.duration_s <= MAX_SHIFTED_S else 1
    spare_s = asked.duration_s - window_s
    shifts = []
    for shift_s in np.arange(n_shifts) * (hop_s / SHIFTS_PER_HOP):
        if shift_s > spare_s:
            break
        starts = asked.start_s + np.arange(shift_s, spare_s + 1e-6, hop_s)
        intervals = np.stack((starts, starts + window_s), axis=1).astype(np.float32)
        shifts.append(LevelVectors(intervals, hear(intervals)))
    return PassageQuery(asked, tuple(shifts))


def windows_inside(windows: LevelVectors, interval: Interval) -> LevelVectors:
    """The windows that lie inside an interval; for a short one, the window that covers it best."""
    start_s, end_s = windows.intervals[:, 0], windows.intervals[:, 1]
    inside = (start_s >= interval.start_s - 1e-3) & (end_s <= interval.end_s + 1e-3)
    if not inside.any():
        shared = np.minimum(end_s, interval.end_s) - np.maximum(start_s, interval.start_s)
        distance = np.abs((start_s + end_s - interval.start_s - interval.end_s) / 2)
        order = np.lexsort((distance, -shared))
        inside[order[0]] = True
    return LevelVectors(windows.intervals[inside], windows.vectors[inside])


def align(query: PassageQuery, track_id: int, track: LevelVectors) -> Passage:
    """The best place of the query in a track.

    Windows are matched by their place in time, so an irregular last window does no harm. Offsets at
    which part of the query hangs over the end count the missing part as unlike.
    """
    starts_s, scores = _score_curve(query, track)
    smooth = _smoothed(scores, starts_s)
    best = int(np.argmax(smooth))
    start_s = float(starts_s[best]) + parabola_top_s(starts_s, smooth, best)
    place = _fitted(start_s, query.asked.duration_s, float(track.intervals[-1, 1]))
    return Passage(track_id, place, float(scores[best]))


def repeats(track: LevelVectors, place: Interval) -> tuple[Interval, ...]:
    """Other stretches of a track that sound the same as one of its stretches, in order of time.

    track: its stored windows. The same: laid over each other their windows have a mean cosine of at
    least REPEATS_FROM. They overlap neither the place nor each other by more than half.
    """
    own = windows_inside(track, place)
    starts_s, cosines = _between_windows(own.vectors, track)
    scores = _scores(own, starts_s, cosines)
    lead_s = float(own.intervals[0, 0]) - place.start_s
    end_of_track_s = float(track.intervals[-1, 1])
    taken = [place]
    for at in np.argsort(-scores, kind="stable"):
        if scores[at] < REPEATS_FROM:
            break
        start_s = float(starts_s[at]) - lead_s
        other = _fitted(start_s, place.duration_s, end_of_track_s)
        if all(other.overlap_s(one) <= place.duration_s / 2 for one in taken):
            taken.append(other)
    return tuple(sorted(taken[1:], key=lambda interval: interval.start_s))


def interpolated(track: LevelVectors) -> LevelVectors:
    """Windows every fraction of the hop, each a mixture of its stored neighbours, of unit length.

    A window that begins a share f of the hop after window i is taken for (1 - f) v_i + f v_(i+1).
    """
    if len(track.vectors) < 2:
        return track
    return LevelVectors(_mixed(track.intervals), unit(_mixed(track.vectors)))


def _mixed(rows: Float32) -> Float32:
    """Each row, (n, …), followed by its mixtures with the next one: (SHIFTS_PER_HOP (n - 1) + 1, …)."""
    shares = np.arange(SHIFTS_PER_HOP, dtype=np.float32)[:, None] / SHIFTS_PER_HOP
    between = rows[:-1, None] * (1 - shares) + rows[1:, None] * shares
    return np.concatenate((between.reshape(-1, rows.shape[1]), rows[-1:]))


def _between_windows(vectors: Float32, track: LevelVectors) -> tuple[Float32, Float32]:
    """Starts of the interpolated windows of a track, and the cosines of some vectors with them.

    (n,) and (n_vectors, n), the same as from `interpolated`, but without making its vectors: the
    product with a mixture is the mixture of the products, and its length follows from those of the
    two stored windows and their product.
    """
    stored = track.vectors
    products = vectors @ stored.T
    starts_s = track.intervals[:, 0]
    if len(stored) < 2:
        return starts_s, products
    squares = np.einsum("ij,ij->i", stored, stored)
    crossed = np.einsum("ij,ij->i", stored[:-1], stored[1:])
    share = np.arange(SHIFTS_PER_HOP, dtype=np.float32) / SHIFTS_PER_HOP
    mixed_squares = (
        squares[:-1, None] * (1 - share) ** 2
        + squares[1:, None] * share**2
        + 2 * crossed[:, None] * share * (1 - share)
    )
    lengths = np.sqrt(np.maximum(np.append(mixed_squares, squares[-1]), _NO_LENGTH))
    return _mixed(starts_s[:, None])[:, 0], (_mixed(products.T) / lengths[:, None]).T


def parabola_top_s(places_s: Floats, scores: Floats, best: int) -> float:
    """From the best of some evenly spaced places to the top of the parabola through it, in seconds.

    At most half a step; 0 at the ends and where the scores do not bend down.
    """
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, top, right = scores[best - 1 : best + 2]
    bend = left - 2 * top + right
    if bend >= 0:
        return 0.0
    step = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))
    return step * float(places_s[best + 1] - places_s[best - 1]) / 2


def _score_curve(query: PassageQuery, track: LevelVectors) -> tuple[Floats, Floats]:
    """Where the query would start in the track, in order of time, and how well it fits there."""
    starts, scores = [], []
    for row, shift in enumerate(query.shifts):
        if len(query.shifts) == 1:
            places_s, cosines = _between_windows(shift.vectors, track)
        else:
            places_s, cosines = track.intervals[:, 0], shift.vectors @ track.vectors.T
        scores.append(_scores(shift, places_s, cosines))
        starts.append(places_s.astype(np.float64) - _lead_s(query, row))
    starts_s = np.concatenate(starts)
    order = np.argsort(starts_s, kind="stable")
    return starts_s[order], np.concatenate(scores)[order]


def _smoothed(scores: Floats, starts_s: Floats) -> Floats:
    """Each score averaged with its neighbours up to SMOOTH_S away, the nearer the heavier.

    Neighbouring places share most of their sound: a single lucky offset must not win.
    """
    step_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else np.inf
    reach = int(SMOOTH_S / step_s)
    weights = reach + 1.0 - np.abs(np.arange(-reach, reach + 1))
    padded = np.pad(scores, reach, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")


def _lead_s(query: PassageQuery, row: int) -> float:
    return float(query.shifts[row].intervals[0, 0]) - query.asked.start_s


def _scores(query: LevelVectors, starts_s: Float32, cosines: Float32) -> Floats:
    """Mean cosine with the query's first window laid on each window of a track: (n_windows,).

    starts_s: of the track's windows, (n_windows,); cosines: (n_query, n_windows).
    """
    wanted_s = starts_s + (query.intervals[:, 0] - query.intervals[0, 0])[:, None]
    after = np.clip(np.searchsorted(starts_s, wanted_s), 0, len(starts_s) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(starts_s[before] - wanted_s) < np.abs(starts_s[after] - wanted_s)
    chosen = np.where(nearer, before, after)
    hop_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else np.inf
    present = (
        np.abs(starts_s[chosen] - wanted_s) <= 0.75 * hop_s + 1e-3
    )  # the last gap may be 1.5 hops
    fitting = np.take_along_axis(cosines, chosen, axis=1) * present
    return np.asarray(fitting.mean(axis=0, dtype=np.float64))


def _fitted(start_s: float, length_s: float, end_of_track_s: float) -> Interval:
    """A stretch of a length that begins near a place and lies inside the track."""
    start_s = min(max(0.0, start_s), max(0.0, end_of_track_s - length_s))
    return Interval(start_s, min(start_s + length_s, end_of_track_s))
