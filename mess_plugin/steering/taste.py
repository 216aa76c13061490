"""What a listener says and does says about how much each aspect counts.

A regularised logistic regression on pairs: for two answers to the same seed of which one was liked
and the other not, the weighted likenesses of the liked one should be larger (a pairwise ranking
model; R. Herbrich et al., "Large margin rank boundaries for ordinal regression", 2000). The weights
are drawn towards those that count without any taste, and are never negative. Whether they are used
is decided on seeds that the fit did not see: unless they order more of their pairs rightly than the
plain feel does, by more than chance explains, the taste stays off. The seeds are the independent
observations there, because the pairs of one seed share their answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.model import Space
from mess_plugin.steering.candidates import Table, table
from mess_plugin.steering.evidence import Evidence, evidence_of
from mess_plugin.steering.query import ASPECTS, DEFAULT_WEIGHTS
from mess_plugin.steering.scoring import alike
from mess_plugin.store import Store

LEAST_PAIRS = 12  # of liked and disliked answers to one seed
LEAST_SEEDS = 4
CERTAIN = 3.0  # standard errors by which the mean gain of held-out seeds must exceed 0
FOLDS = 5
_PULL = 2.0  # strength of the pull towards the plain weights
_STEPS = 200
Floats = npt.NDArray[np.float64]


class Taste(msgspec.Struct, frozen=True):
    """A listener's weights and whether they are used.

    sources: how much evidence there is of each source (`evidence.py`). n_pairs: of better and worse
    answers to one seed; n_seeds: seeds that have such pairs. weights: aspect → weight, adding up to
    1. plain_right, fitted_right: shares of held-out pairs that are ordered rightly without and with
    the taste, the mean over seeds; None below LEAST_PAIRS or LEAST_SEEDS. certainty: the gain in its
    standard errors.
    """

    listener: str
    sources: Mapping[str, int]
    n_pairs: int
    n_seeds: int
    weights: Mapping[str, float]
    plain_right: float | None
    fitted_right: float | None
    certainty: float = 0.0

    @property
    def n_verdicts(self) -> int:
        """How many verdicts were given outright."""
        return self.sources.get("verdict", 0)

    @property
    def is_on(self) -> bool:
        """Whether the weights are used: they must have done better on seeds they did not see."""
        return self.certainty >= CERTAIN

    @property
    def state(self) -> str:
        """One sentence for people."""
        if self.plain_right is None or self.fitted_right is None:
            return (
                f"off: {self.n_pairs} pairs of a liked and a not liked answer for {self.n_seeds} "
                f"seeds; at least {LEAST_PAIRS} pairs for {LEAST_SEEDS} seeds are needed"
            )
        compared = (
            f"{self.fitted_right:.0%} of held-out pairs in the right order, "
            f"{self.plain_right:.0%} without"
        )
        return f"on: {compared}" if self.is_on else f"off, it does not help for certain: {compared}"


class Pairs(msgspec.Struct, frozen=True):
    """Preferences of one answer over another to the same seed.

    differences: (n, n_aspects) of likeness, better minus worse; seed_ids: (n,); worth: (n,), how
    much each counts.
    """

    differences: Floats
    seed_ids: npt.NDArray[np.int64]
    worth: Floats


def taste_of(store: Store, space: Space, listener: str) -> Taste:
    """What a listener said and did adds up to, fitted afresh; plain where there is nothing to fit."""
    found = evidence_of(store, listener)
    ids = {i for one in found if one.seed_id is not None for i in (one.seed_id, one.track_id)}
    known = table(store, space, sorted(ids), ASPECTS)
    return fit_taste(listener, found, known)


def fit_taste(listener: str, found: Sequence[Evidence], known: Table) -> Taste:
    """Fit on evidence about the tracks of a table that holds all aspects."""
    sources = dict(Counter(one.source for one in found))
    pairs = preferences(found, known)
    n, n_seeds = len(pairs.worth), len(np.unique(pairs.seed_ids))
    if n < LEAST_PAIRS or n_seeds < LEAST_SEEDS:
        plain = dict(DEFAULT_WEIGHTS)
        return Taste(listener, sources, n, n_seeds, plain, None, None)
    plain_right, fitted_right = held_out(pairs)
    weights = zip(ASPECTS, fit_weights(pairs, plain_weights()).tolist(), strict=True)
    return Taste(
        listener,
        sources,
        n,
        n_seeds,
        {aspect: weight for aspect, weight in weights if weight > 1e-6},
        float(plain_right.mean()),
        float(fitted_right.mean()),
        _certainty(fitted_right - plain_right),
    )


def held_out(pairs: Pairs) -> tuple[Floats, Floats]:
    """Shares of rightly ordered pairs a seed, (n_seeds,), without and with weights fitted on others."""
    plain = plain_weights()
    seeds = np.unique(pairs.seed_ids)
    without, with_ = np.zeros(len(seeds)), np.zeros(len(seeds))
    groups = np.arange(len(seeds)) % min(FOLDS, len(seeds))
    for fold in np.unique(groups):
        fitted = fit_weights(_rows(pairs, ~np.isin(pairs.seed_ids, seeds[groups == fold])), plain)
        for place in np.flatnonzero(groups == fold):
            rows = _rows(pairs, pairs.seed_ids == seeds[place])
            without[place], with_[place] = _right(rows, plain), _right(rows, fitted)
    return without, with_


def _certainty(gains: Floats) -> float:
    """Mean over standard error; an equal gain of all seeds is certain, no gain is not."""
    mean = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return mean / max(error, 1e-3)


def preferences(found: Sequence[Evidence], known: Table) -> Pairs:
    """All pairs of answers to one seed of which the first is good and better than the second.

    A pair counts by how far the two are apart, at most 1, times the lesser of their weights.
    """
    place = {track_id: row for row, track_id in enumerate(known.track_ids)}
    by_seed: dict[int, list[Evidence]] = {}
    for one in found:
        if one.seed_id in place and one.track_id in place:
            by_seed.setdefault(one.seed_id, []).append(one)
    differences, seeds, worth = [], [], []
    for seed_id, said in by_seed.items():
        likeness = _likeness(known, place[seed_id], [place[one.track_id] for one in said])
        for i, better in enumerate(said):
            for j, worse in enumerate(said):
                gap = better.worth - worse.worth
                if better.worth > 0 and gap > 0:
                    differences.append(likeness[i] - likeness[j])
                    seeds.append(seed_id)
                    worth.append(gap / 2 * min(better.weight, worse.weight))
    return Pairs(
        np.array(differences).reshape(-1, len(ASPECTS)),
        np.array(seeds, dtype=np.int64),
        np.array(worth, dtype=np.float64),
    )


def _likeness(known: Table, seed: int, rows: list[int]) -> Floats:
    """Likeness of some rows to one in every aspect: (n, n_aspects)."""
    return np.stack(
        [
            alike(known.vectors[aspect][seed], known.vectors[aspect][rows], aspect)
            for aspect in ASPECTS
        ],
        axis=1,
    ).astype(np.float64)


def plain_weights() -> Floats:
    """(n_aspects,) what counts without any taste."""
    return np.array([DEFAULT_WEIGHTS.get(aspect, 0.0) for aspect in ASPECTS])


def fit_weights(pairs: Pairs, plain: Floats) -> Floats:
    """Weights that order the pairs, not negative, adding up to 1; plain where there are none.

    Projected gradient descent on the mean logistic loss with a quadratic pull to `plain`; the loss
    is convex, so the step of 1 / (its largest curvature) converges.
    """
    if not len(pairs.worth):
        return plain
    scale = 1 / max(float(pairs.differences.std()), 1e-6)
    scaled = pairs.differences * scale
    worth = pairs.worth / pairs.worth.sum()
    pull = _PULL / len(pairs.worth)
    step = 1 / (0.25 * float((worth[:, None] * scaled**2).sum()) + pull)
    weights = plain.copy()
    for _ in range(_STEPS):
        slope = -worth / (1 + np.exp(scaled @ weights))
        weights = np.maximum(0, weights - step * (scaled.T @ slope + pull * (weights - plain)))
    total = weights.sum()
    return weights / total if total > 0 else plain


def _rows(pairs: Pairs, mask: npt.NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.differences[mask], pairs.seed_ids[mask], pairs.worth[mask])


def _right(pairs: Pairs, weights: Floats) -> float:
    """Share of the pairs, by worth, in the right order; a tie is half right."""
    margins = pairs.differences @ weights
    right = (margins > 1e-12) + 0.5 * (np.abs(margins) <= 1e-12)
    return float((pairs.worth * right).sum() / pairs.worth.sum())
