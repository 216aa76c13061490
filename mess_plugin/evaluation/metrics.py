"""Retrieval metrics of one ranked answer, and the recall of an index.

An answer is `relevance`: (n,) bool, best first, with what is ignored already left out. All follow
C. D. Manning, P. Raghavan and H. Schütze, Introduction to Information Retrieval, chapter 8 (2008),
unless they say otherwise. Each is in [0, 1], and NaN where there is nothing relevant to be found.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]


def ranked_relevance(scores: Floats, relevant: Bools, ignored: Bools | None = None) -> Bools:
    """Whether each item is relevant, highest score first, without the ignored ones.

    scores, relevant, ignored: (n,). Ignored items are neither right nor wrong. Items of equal
    score are ranked against the system, irrelevant ones first, so that a constant score wins
    nothing. Raises ValueError for NaN scores or arrays of different lengths.
    """
    kept = np.ones(len(scores), np.bool_) if ignored is None else ~ignored
    if not len(scores) == len(relevant) == len(kept):
        raise ValueError(f"{len(scores)} scores, {len(relevant)} relevances, {len(kept)} ignored")
    if np.isnan(scores).any():
        raise ValueError("scores hold NaN")
    order = np.lexsort((relevant[kept], -np.asarray(scores, np.float64)[kept]))
    return np.asarray(relevant[kept][order], np.bool_)


def average_precision(relevance: Bools) -> float:
    """Mean of the precisions at the ranks of the relevant items; its mean over queries is MAP."""
    ranks = np.flatnonzero(relevance) + 1
    if len(ranks) == 0:
        return math.nan
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def precision_at(relevance: Bools, k: int) -> float:
    """Share of the first k that is relevant, divided by the most that was possible.

    The divisor is min(1, relevant / k), so that a perfect answer has 1 even where fewer than k
    items are relevant.
    """
    n_relevant = int(np.sum(relevance))
    if n_relevant == 0:
        return math.nan
    return float(np.sum(relevance[:k]) / min(k, n_relevant))


def ndcg_at(relevance: Bools, k: int) -> float:
    """Discounted cumulative gain of the first k, over that of a perfect answer.

    K. Järvelin and J. Kekäläinen, Cumulated gain-based evaluation of IR techniques, ACM TOIS 20
    (2002), with gains 0 and 1 and the discount 1 / log2(rank + 1).
    """
    n_relevant = int(np.sum(relevance))
    if n_relevant == 0:
        return math.nan
    discount = 1 / np.log2(np.arange(2, k + 2))
    return float(np.sum(discount[: len(relevance)][relevance[:k]]) / np.sum(discount[:n_relevant]))


def recall_at(relevance: Bools, k: int) -> float:
    """Share of the relevant items among the first k."""
    n_relevant = int(np.sum(relevance))
    return float(np.sum(relevance[:k]) / n_relevant) if n_relevant else math.nan


def reciprocal_rank(relevance: Bools) -> float:
    """1 / rank of the first relevant item; its mean over queries is MRR."""
    return float(1 / (1 + np.argmax(relevance))) if np.any(relevance) else math.nan


def index_recall(found: npt.NDArray[np.integer], exact: npt.NDArray[np.integer]) -> Floats:
    """Share of the exact neighbours that an index found, per query: (n_queries,).

    found, exact: (n_queries, k) ids, in any order; an index that found fewer fills up with -1.
    Recall as in Aumüller, Bernhardsson & Faithfull, ANN-Benchmarks, Information Systems 87 (2020).
    """
    if found.shape != exact.shape or exact.ndim != 2 or exact.shape[1] == 0:
        raise ValueError(f"found {found.shape} and exact {exact.shape} must be one (n, k >= 1)")
    hits = [np.isin(e, f).sum() for e, f in zip(exact, found, strict=True)]
    return np.asarray(np.array(hits) / exact.shape[1], np.float64)
