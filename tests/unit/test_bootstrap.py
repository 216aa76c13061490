"""Confidence intervals over groups."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mess_plugin.evaluation.bootstrap import bootstrap, paired_bootstrap


def test_constant_values_have_no_spread() -> None:
    estimate = bootstrap(np.full(6, 0.4), list("aabbcc"))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.4, 0.4, 0.4))
    assert estimate.n_queries == 6


def test_one_group_is_never_split() -> None:
    estimate = bootstrap(np.array([0.0, 1.0]), ["one", "one"])
    assert (estimate.low, estimate.high) == (0.5, 0.5)


def test_interval_of_independent_values_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).random(400)
    estimate = bootstrap(values, [str(i) for i in range(400)], draws=4000)
    half = 1.96 * values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.004)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.004)


def test_groups_widen_the_interval() -> None:
    values = np.repeat([0.0, 1.0] * 5, 20)
    alone = bootstrap(values, [str(i) for i in range(200)])
    grouped = bootstrap(values, [str(i // 20) for i in range(200)])
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_undefined_queries_are_left_out() -> None:
    estimate = bootstrap(np.array([1.0, np.nan, 0.0]), ["a", "b", "a"])
    assert (estimate.value, estimate.n_queries) == (0.5, 2)
    assert math.isnan(bootstrap(np.array([np.nan]), ["a"]).value)
    assert bootstrap(np.array([]), []).n_queries == 0


def test_pairing_sees_a_small_even_gain() -> None:
    rng = np.random.default_rng(1)
    theirs = rng.random(60)
    groups = [str(i // 3) for i in range(60)]
    gain = paired_bootstrap(theirs + 0.02 + 0.01 * rng.random(60), theirs, groups)
    assert gain.excludes_zero
    assert gain.low > 0.02
    noise = paired_bootstrap(theirs + rng.normal(0, 0.2, 60), theirs, groups)
    assert not noise.excludes_zero


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(2).random(30)
    groups = [str(i % 7) for i in range(30)]
    assert bootstrap(values, groups) == bootstrap(values, groups)
    assert bootstrap(values, groups) != bootstrap(values, groups, seed=1)


def test_refuses_arrays_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match="2 values of 1 groups"):
        bootstrap(np.ones(2), ["a"])
    with pytest.raises(ValueError, match="not the same queries"):
        paired_bootstrap(np.ones(2), np.ones(3), ["a", "b"])
