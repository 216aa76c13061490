"""Passage search: where else does a stretch of music sound like this one?

Single windows rank erratically: two windows of one passage share few neighbours. So the windows of
the query vote together. Each finds its nearest windows; tracks collect the votes; and in each of the
best tracks the whole sequence of the query is laid along the track at every offset. The score of a
passage is the mean cosine over that alignment, so its order in time counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32, Interval, LevelVectors
from mess_plugin.store.embeddings import Neighbour

MAX_ASKED = 12  # windows of the query that look for neighbours
NEIGHBOURS = 60  # found by each
CANDIDATES_PER_ANSWER = 4

Candidates = Callable[[Float32, int], list[Neighbour]]
Windows = Callable[[Sequence[int]], Mapping[int, LevelVectors]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a track that sounds like the query; similarity is a mean cosine in [-1, 1]."""

    track_id: int
    interval: Interval
    similarity: float


def find_passages(
    query: LevelVectors, asked: Interval, candidates: Candidates, windows: Windows, k: int
) -> list[Passage]:
    """The best passage of each of the k best tracks, best first.

    query: all windows of the queried recording; asked: the stretch in question. candidates(vector,
    n): the n nearest windows of other tracks; windows(track_ids): all windows of these tracks.
    Empty where the library holds no other track.
    """
    own = windows_inside(query, asked)
    votes: dict[int, float] = {}
    for row in _spread(len(own.vectors), MAX_ASKED):
        best: dict[int, float] = {}
        for hit in candidates(own.vectors[row], max(NEIGHBOURS, CANDIDATES_PER_ANSWER * k)):
            best[hit.track_id] = max(hit.similarity, best.get(hit.track_id, 0.0))
        for track_id, similarity in best.items():
            votes[track_id] = votes.get(track_id, 0.0) + max(similarity, 0.0)
    ranking = sorted(votes, key=lambda track_id: (-votes[track_id], track_id))
    shortlist = ranking[: CANDIDATES_PER_ANSWER * k]
    passages = [
        align(own, asked, track_id, other) for track_id, other in windows(shortlist).items()
    ]
    passages.sort(key=lambda passage: (-passage.similarity, passage.track_id))
    return passages[:k]


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


def align(query: LevelVectors, asked: Interval, track_id: int, track: LevelVectors) -> Passage:
    """Lay the query along a track at every offset and keep the best.

    Windows are matched by their place in time, so an irregular last window does no harm. Offsets at
    which part of the query hangs over the end count the missing part as unlike. The start is
    refined by a parabola through the best offset and its two neighbours.
    """
    cosines = query.vectors @ track.vectors.T
    relative_s = query.intervals[:, 0] - query.intervals[0, 0]
    starts_s = track.intervals[:, 0]
    scores = np.array([_score(cosines, relative_s, starts_s, at) for at in range(len(starts_s))])
    best = int(np.argmax(scores))
    lead_s = float(query.intervals[0, 0]) - asked.start_s
    end_of_track_s = float(track.intervals[-1, 1])
    start_s = float(starts_s[best]) + _refine(scores, starts_s, best) - lead_s
    start_s = min(max(0.0, start_s), max(0.0, end_of_track_s - asked.duration_s))
    end_s = min(start_s + asked.duration_s, end_of_track_s)
    return Passage(track_id, Interval(start_s, end_s), float(scores[best]))


def _score(cosines: Float32, relative_s: Float32, starts_s: Float32, at: int) -> float:
    """Mean cosine with the query's first window laid on the track's window `at`."""
    wanted_s = starts_s[at] + relative_s
    after = np.clip(np.searchsorted(starts_s, wanted_s), 0, len(starts_s) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(starts_s[before] - wanted_s) < np.abs(starts_s[after] - wanted_s)
    chosen = np.where(nearer, before, after)
    hop_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else np.inf
    present = np.abs(starts_s[chosen] - wanted_s) <= hop_s
    return float((cosines[np.arange(len(chosen)), chosen] * present).mean())


def _refine(scores: npt.NDArray[np.float64], starts_s: Float32, best: int) -> float:
    """Offset in seconds of the parabola's top, within half a hop of the best offset."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, top, right = scores[best - 1 : best + 2]
    bend = left - 2 * top + right
    if bend >= 0:
        return 0.0
    step = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))
    hop_s = starts_s[best + 1] - starts_s[best] if step > 0 else starts_s[best] - starts_s[best - 1]
    return step * float(hop_s)


def _spread(n: int, limit: int) -> list[int]:
    """At most `limit` of n places, evenly spread."""
    if n <= limit:
        return list(range(n))
    return [int(place) for place in np.linspace(0, n - 1, limit).round()]
