"""Measures against values computed by hand, and empty, perfect and permuted answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mess_plugin.evaluation import metrics
from mess_plugin.evaluation.metrics import Bools


def answer(pattern: str) -> Bools:
    """'x.x' → relevant, not, relevant."""
    return np.array([mark == "x" for mark in pattern])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("xx..", 1.0),
        ("x.x.", (1 + 2 / 3) / 2),
        ("..xx", (1 / 3 + 2 / 4) / 2),
        (".x", 0.5),
    ],
)
def test_average_precision(pattern: str, expected: float) -> None:
    assert metrics.average_precision(answer(pattern)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pattern", "k", "expected"),
    [
        ("x....", 5, 1.0),  # one relevant item: 1/5 divided by min(1, 1/5)
        ("x.x.x", 5, 1.0),
        ("xxxxxx", 5, 1.0),
        ("..x..x", 5, 0.5),
        (".x", 1, 0.0),
        ("x.x.xxx", 5, 3 / 5),
    ],
)
def test_precision_is_divided_by_what_was_possible(pattern: str, k: int, expected: float) -> None:
    assert metrics.precision_at(answer(pattern), k) == pytest.approx(expected)


def test_ndcg() -> None:
    gain = 1 / math.log2(2) + 1 / math.log2(4)
    ideal = 1 / math.log2(2) + 1 / math.log2(3)
    assert metrics.ndcg_at(answer("x.x."), 10) == pytest.approx(gain / ideal)
    assert metrics.ndcg_at(answer("xx.."), 10) == pytest.approx(1)
    assert metrics.ndcg_at(answer("." * 10 + "x"), 10) == 0
    assert metrics.ndcg_at(answer("x" * 20), 10) == pytest.approx(1)


def test_recall_and_reciprocal_rank() -> None:
    assert metrics.recall_at(answer("x..x"), 2) == 0.5
    assert metrics.recall_at(answer("x..x"), 4) == 1
    assert metrics.reciprocal_rank(answer("...x.x")) == 0.25
    assert metrics.reciprocal_rank(answer("x")) == 1


@pytest.mark.parametrize("pattern", ["", "...."])
def test_undefined_without_anything_relevant(pattern: str) -> None:
    relevance = answer(pattern)
    assert math.isnan(metrics.average_precision(relevance))
    assert math.isnan(metrics.precision_at(relevance, 5))
    assert math.isnan(metrics.ndcg_at(relevance, 10))
    assert math.isnan(metrics.recall_at(relevance, 5))
    assert math.isnan(metrics.reciprocal_rank(relevance))


def test_ranking_orders_by_score_and_drops_the_ignored() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7])
    relevant = np.array([True, False, True, False])
    np.testing.assert_array_equal(metrics.ranked_relevance(scores, relevant), answer("..xx"))
    ignored = np.array([False, True, False, False])
    np.testing.assert_array_equal(
        metrics.ranked_relevance(scores, relevant, ignored), answer(".xx")
    )


def test_ranking_does_not_depend_on_the_order_of_the_database() -> None:
    rng = np.random.default_rng(0)
    scores, relevant = rng.integers(0, 5, 40) / 4, rng.random(40) < 0.3
    expected = metrics.ranked_relevance(scores, relevant)
    for _ in range(5):
        order = rng.permutation(40)
        shuffled = metrics.ranked_relevance(scores[order], relevant[order])
        np.testing.assert_array_equal(shuffled, expected)


def test_ties_count_against_the_system() -> None:
    relevant = np.array([True, False, False])
    np.testing.assert_array_equal(metrics.ranked_relevance(np.ones(3), relevant), answer("..x"))


def test_ranking_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="NaN"):
        metrics.ranked_relevance(np.array([np.nan, 1]), np.array([True, False]))
    with pytest.raises(ValueError, match="2 scores, 3 relevances"):
        metrics.ranked_relevance(np.ones(2), np.ones(3, np.bool_))


def test_index_recall_counts_shared_ids_in_any_order() -> None:
    exact = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    found = np.array([[4, 3, 2, 1], [5, 9, 6, -1]])
    np.testing.assert_allclose(metrics.index_recall(found, exact), [1.0, 0.5])


def test_index_recall_refuses_different_shapes() -> None:
    with pytest.raises(ValueError, match="must be one"):
        metrics.index_recall(np.zeros((2, 3), int), np.zeros((2, 4), int))
