"""Passage search: where else does a stretch of music sound like this one?

Single windows rank erratically: two windows of one passage share few neighbours. So the windows of
the query vote together. Each finds its nearest windows; tracks collect the votes; and in each of the
best tracks the whole sequence of the query is laid along the track
(`mess_plugin.search.alignment`). The score of a passage is the mean cosine over that alignment, so
its order in time counts too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.model import Float32, Interval, LevelVectors
from mess_plugin.search.alignment import Passage, PassageQuery, align, repeats
from mess_plugin.store.embeddings import Neighbour

MAX_ASKED = 12  # windows of the query that look for neighbours
NEIGHBOURS = 60  # found by each
CANDIDATES_PER_ANSWER = 4
MIN_CANDIDATES = 20  # confidence needs others to compare with

_SURE_BY_LEAD, _HALF_SURE = 9.3, 4.7  # the confidence is a half at a lead of about a half

Candidates = Callable[[Float32, int], list[Neighbour]]
Windows = Callable[[Sequence[int]], Mapping[int, LevelVectors]]


class FoundPassage(msgspec.Struct, frozen=True):
    """A passage with what is only known among others.

    confidence: in [0, 1], None where there is no other track to compare with. repeats: other
    stretches of the same track that sound the same, folded into this answer.
    """

    passage: Passage
    confidence: float | None
    repeats: tuple[Interval, ...]


def find_passages(
    query: PassageQuery, candidates: Candidates, windows: Windows, k: int
) -> list[FoundPassage]:
    """The best passage of each of the k best tracks, best first.

    candidates(vector, n): the n nearest windows of other tracks; windows(track_ids): all windows of
    these tracks. Empty where the library holds no other track.
    """
    tracks = {
        track_id: track
        for track_id, track in windows(_shortlist(query.shifts[0], candidates, k)).items()
        if len(track.vectors)  # a track may be forgotten between the two questions
    }
    passages = [align(query, track_id, track) for track_id, track in tracks.items()]
    passages.sort(key=lambda passage: (-passage.similarity, passage.track_id))
    scores = [passage.similarity for passage in passages]
    return [
        FoundPassage(
            passage, confidence(scores, rank), repeats(tracks[passage.track_id], passage.interval)
        )
        for rank, passage in enumerate(passages[:k])
    ]


def confidence(scores: Sequence[float], rank: int) -> float | None:
    """How probable it is that an answer is the very recording that was asked about, in [0, 1].

    A logistic curve of its lead over the best *other* track, (s - t) / (1 - t), cut off to [0, 1],
    where s is this answer's score and t the best score of any other track. Fitted on worn-out
    excerpts of recordings that the library had, and of others that it lacked
    (docs/measurements/sections.md).
    scores: of all candidates, best first. None where there is only one.
    """
    if len(scores) < 2:
        return None
    rival = max(scores[1] if rank == 0 else scores[0], 0.0)
    lead = float(np.clip((scores[rank] - rival) / max(1.0 - rival, 1e-6), 0.0, 1.0))
    return 1.0 / (1.0 + math.exp(_HALF_SURE - _SURE_BY_LEAD * lead))


def _shortlist(own: LevelVectors, candidates: Candidates, k: int) -> list[int]:
    """The tracks that the windows of the query agree on: the sum over windows of the best cosine."""
    n_tracks = max(MIN_CANDIDATES, CANDIDATES_PER_ANSWER * k)
    votes: dict[int, float] = {}
    for row in _spread(len(own.vectors), MAX_ASKED):
        best: dict[int, float] = {}
        for hit in candidates(own.vectors[row], max(NEIGHBOURS, n_tracks)):
            best[hit.track_id] = max(hit.similarity, best.get(hit.track_id, 0.0))
        for track_id, similarity in best.items():
            votes[track_id] = votes.get(track_id, 0.0) + max(similarity, 0.0)
    ranking = sorted(votes, key=lambda track_id: (-votes[track_id], track_id))
    return ranking[:n_tracks]


def _spread(n: int, limit: int) -> list[int]:
    """At most `limit` of n places, evenly spread."""
    if n <= limit:
        return list(range(n))
    return [int(place) for place in np.linspace(0, n - 1, limit).round()]
