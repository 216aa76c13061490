"""Evaluation tasks as pure functions of similarities or answers.

They score the vectors of an encoder, the distances of another system, or the store. Larger
similarity is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.evaluation import metrics
from mess_plugin.evaluation.labels import Triplet
from mess_plugin.evaluation.listing import ListedRecording, Role
from mess_plugin.evaluation.metrics import Bools, Floats

PLACE_TOLERANCE_S = 5.0


class TaskResult(msgspec.Struct, frozen=True):
    """What a task measured, query by query."""

    task: str
    measures: Mapping[str, Floats]
    """Name → (n_queries,), NaN where a query has no answer."""
    groups: tuple[str, ...]
    """The album (or other group) of each query, for confidence intervals."""
    chance: float | None = None
    """P@1 of an answer that guesses: the share of right ones; None where that is not known."""


def retrieval(
    task: str, similarity: Floats, relevant: Bools, ignored: Bools, groups: Sequence[str]
) -> TaskResult:
    """MAP, P@1, P@5, nDCG@10 and MRR of ranking a database for each query.

    similarity, relevant, ignored: (n_queries, n_database); an ignored item is neither right nor
    wrong. A query without anything relevant has NaN everywhere.
    """
    answers = [
        metrics.ranked_relevance(*row) for row in zip(similarity, relevant, ignored, strict=True)
    ]
    measures = {
        "MAP": [metrics.average_precision(a) for a in answers],
        "P@1": [metrics.precision_at(a, 1) for a in answers],
        "P@5": [metrics.precision_at(a, 5) for a in answers],
        "nDCG@10": [metrics.ndcg_at(a, 10) for a in answers],
        "MRR": [metrics.reciprocal_rank(a) for a in answers],
    }
    counted = (relevant & ~ignored).sum(axis=1) / np.maximum(1, (~ignored).sum(axis=1))
    asked = counted[counted > 0]
    chance = float(asked.mean()) if len(asked) else None
    return TaskResult(task, {k: np.array(v) for k, v in measures.items()}, tuple(groups), chance)


def album_retrieval(similarity: Floats, recordings: Sequence[ListedRecording]) -> TaskResult:
    """Other tracks of the same album, for each query.

    similarity: (n, n) of the recordings, all of them in the database. Left out: the query itself,
    other albums by its artist, and mixed albums of its collection.
    """
    queries = [i for i, r in enumerate(recordings) if r.role is Role.QUERY]
    rows = [(_album_mates(i, recordings), _ignored(i, recordings)) for i in queries]
    relevant = np.array([row[0] for row in rows], np.bool_).reshape(len(rows), len(recordings))
    ignored = np.array([row[1] for row in rows], np.bool_).reshape(len(rows), len(recordings))
    groups = [recordings[i].album for i in queries]
    return retrieval("album", similarity[queries], relevant, ignored, groups)


def group_retrieval(similarity: Floats, groups: Sequence[str]) -> TaskResult:
    """Other members of the same group, for each labelled recording: (n, n) similarities."""
    names = np.array(groups, dtype=object)
    themselves = np.eye(len(names), dtype=np.bool_)
    relevant = (names[:, None] == names[None, :]) & ~themselves
    return retrieval("groups", similarity, relevant, themselves, groups)


def pair_retrieval(
    similarity: Floats, paths: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> TaskResult:
    """Partners of each recording that occurs in a pair, among all: (n, n) similarities."""
    place = {path: i for i, path in enumerate(paths)}
    relevant = np.zeros((len(paths), len(paths)), np.bool_)
    for one, other in pairs:
        relevant[place[one], place[other]] = relevant[place[other], place[one]] = True
    asked = np.flatnonzero(relevant.any(axis=1))
    themselves = np.eye(len(paths), dtype=np.bool_)[asked]
    groups = [paths[i] for i in asked.tolist()]
    return retrieval("pairs", similarity[asked], relevant[asked], themselves, groups)


def triplet_agreement(
    similarity: Floats, paths: Sequence[str], triplets: Sequence[Triplet]
) -> TaskResult:
    """Share of triplets whose nearer item is the more similar one; a tie is wrong."""
    place = {path: i for i, path in enumerate(paths)}
    agrees = [
        float(
            similarity[place[t.anchor], place[t.nearer]]
            > similarity[place[t.anchor], place[t.farther]]
        )
        for t in triplets
    ]
    groups = tuple(t.anchor for t in triplets)
    return TaskResult("triplets", {"agreement": np.array(agrees)}, groups)


def same_recording(
    name: str, similarity: Floats, truth: Sequence[int], groups: Sequence[str]
) -> TaskResult:
    """Recall@1 and MRR of finding the original of each transformed recording.

    similarity: (n_queries, n_originals); truth: the column of each query's original.
    """
    ranks = []
    for row, right in zip(similarity, truth, strict=True):
        relevant = np.arange(len(row)) == right
        ranks.append(metrics.reciprocal_rank(metrics.ranked_relevance(row, relevant)))
    reciprocal = np.array(ranks, np.float64)
    measures = {"R@1": (reciprocal == 1).astype(np.float64), "MRR": reciprocal}
    return TaskResult(name, measures, tuple(groups))


class ExcerptPosition(msgspec.Struct, frozen=True):
    """Where an excerpt begins."""

    recording: int
    """Index in the list that is searched."""
    start_s: float


def section_lookup(
    found: Sequence[ExcerptPosition | None],
    truth: Sequence[ExcerptPosition],
    groups: Sequence[str],
    *,
    same_sound: Callable[[ExcerptPosition, ExcerptPosition], bool] | None = None,
) -> TaskResult:
    """Whether excerpts were found in the right recording, and where in it.

    found: the first answer to each excerpt, None where there was none. "song": the right recording.
    "place": and starting within PLACE_TOLERANCE_S. "place or repeat": same_sound(true, found) tells
    whether the found place sounds the same, as in a loop; without it, as "place". "start error":
    in seconds, NaN where the place is wrong.
    """
    song, place, repeat, error = [], [], [], []
    for answer, true in zip(found, truth, strict=True):
        right = answer is not None and answer.recording == true.recording
        away_s = abs(answer.start_s - true.start_s) if answer is not None and right else math.inf
        near = away_s <= PLACE_TOLERANCE_S
        heard = same_sound is not None and answer is not None and right and same_sound(true, answer)
        song.append(float(right))
        place.append(float(near))
        repeat.append(float(near or heard))
        error.append(away_s if near else math.nan)
    measures = {"song": song, "place": place, "place or repeat": repeat, "start error": error}
    return TaskResult("section", {k: np.array(v) for k, v in measures.items()}, tuple(groups))


def index_recall(
    found: Sequence[Sequence[int]], exact: Sequence[Sequence[int]], groups: Sequence[str]
) -> TaskResult:
    """Recall of an index: ids it returned beside the ids of exact search, query by query."""
    k = max((len(ids) for ids in exact), default=0)
    filled = [[*ids, *[-1] * k][:k] for ids in found]
    recall = metrics.index_recall(np.array(filled, np.int64), np.array(exact, np.int64))
    return TaskResult("index", {f"recall@{k}": recall}, tuple(groups))


def _album_mates(query: int, recordings: Sequence[ListedRecording]) -> list[bool]:
    album = recordings[query].album
    return [i != query and r.album == album for i, r in enumerate(recordings)]


def _ignored(query: int, recordings: Sequence[ListedRecording]) -> list[bool]:
    asked = recordings[query]
    return [
        i == query
        or (
            r.album != asked.album
            and (r.artist == asked.artist or (r.mixed and r.collection == asked.collection))
        )
        for i, r in enumerate(recordings)
    ]
