"""Confidence intervals by resampling groups, because tracks of one album are not independent.

B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993): percentile intervals, whole
groups (albums) drawn with replacement, all queries of a drawn group together.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from mess_plugin.evaluation.metrics import Floats

DRAWS = 2000
CONFIDENCE = 0.95


class Estimate(msgspec.Struct, frozen=True):
    """A mean over queries with its confidence interval; all NaN where there are no queries."""

    value: float
    low: float
    high: float
    n_queries: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero: for differences."""
        return self.low > 0 or self.high < 0


def bootstrap(
    values: Floats, groups: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Mean of the values with a 95 % interval over groups.

    values: (n,) per query, NaN where a query has no answer: it is left out. groups: n names.
    """
    if len(values) != len(groups):
        raise ValueError(f"{len(values)} values of {len(groups)} groups")
    defined = ~np.isnan(values)
    if not defined.any():
        return Estimate(np.nan, np.nan, np.nan, 0)
    values = np.asarray(values, np.float64)[defined]
    names = np.array(groups, dtype=object)[defined].astype(str)
    _, group = np.unique(names, return_inverse=True)
    sums, counts = np.bincount(group, values), np.bincount(group)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    means = (drawn @ sums) / (drawn @ counts)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


def paired_bootstrap(
    ours: Floats, theirs: Floats, groups: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Mean of ours - theirs over the same queries, with a 95 % interval over groups."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} values beside {len(theirs)}: not the same queries")
    return bootstrap(np.subtract(ours, theirs), groups, draws=draws, seed=seed)
