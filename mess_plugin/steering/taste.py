"""What a listener's verdicts say about how much each aspect counts.

A regularised logistic regression on pairs: for two answers to the same seed of which one was liked
and the other not, the weighted likenesses of the liked one should be larger (a pairwise ranking
model; R. Herbrich et al., "Large margin rank boundaries for ordinal regression", 2000). The weights
are drawn towards those that count without any taste, and are never negative. Whether they are used
is decided on seeds that the fit did not see: where they order fewer of these pairs rightly than the
plain feel does, or no more, the taste stays off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mess_plugin.model import Space
from mess_plugin.steering.candidates import Table, table
from mess_plugin.steering.query import ASPECTS, DEFAULT_WEIGHTS
from mess_plugin.steering.scoring import alike
from mess_plugin.store import Store
from mess_plugin.store.verdicts import Verdict

LEAST_PAIRS = 12  # of liked and disliked answers to one seed
FOLDS = 5
_PULL = 2.0  # strength of the pull towards the plain weights
_STEPS = 200
_WORTH = {"like": 1.0, "skip": -0.5, "dislike": -1.0}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Taste:
    """A listener's weights and whether they are used.

    weights: aspect → weight, adding up to 1. plain_right, fitted_right: shares of held-out pairs
    that are ordered rightly without and with the taste; None below LEAST_PAIRS.
    """

    listener: str
    n_verdicts: int
    n_pairs: int
    weights: Mapping[str, float]
    plain_right: float | None
    fitted_right: float | None

    @property
    def is_on(self) -> bool:
        """Whether the weights are used: they must have done better on pairs they did not see."""
        if self.plain_right is None or self.fitted_right is None:
            return False
        return self.fitted_right > self.plain_right

    @property
    def state(self) -> str:
        """One sentence for people."""
        if self.plain_right is None or self.fitted_right is None:
            return (
                f"off: {self.n_pairs} pairs of a liked and a not liked answer to one seed; "
                f"at least {LEAST_PAIRS} are needed"
            )
        compared = (
            f"{self.fitted_right:.0%} of held-out pairs in the right order, "
            f"{self.plain_right:.0%} without"
        )
        return f"on: {compared}" if self.is_on else f"off, it does not help: {compared}"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Preferences of one answer over another to the same seed.

    differences: (n, n_aspects) of likeness, better minus worse; seed_ids: (n,); worth: (n,), how
    much each counts.
    """

    differences: Floats
    seed_ids: npt.NDArray[np.int64]
    worth: Floats


def taste_of(store: Store, space: Space, listener: str) -> Taste:
    """What a listener's verdicts add up to, fitted afresh; plain where there is nothing to fit."""
    verdicts = store.verdicts.of(listener)
    ids = {i for verdict in verdicts for i in (verdict.seed_id, verdict.track_id)}
    known = table(store, space, sorted(ids), ASPECTS)
    return fit_taste(listener, verdicts, known)


def fit_taste(listener: str, verdicts: Sequence[Verdict], known: Table) -> Taste:
    """Fit on verdicts about the tracks of a table that holds all aspects."""
    pairs = preferences(verdicts, known)
    n = len(pairs.worth)
    if n < LEAST_PAIRS:
        return Taste(listener, len(verdicts), n, dict(DEFAULT_WEIGHTS), None, None)
    plain = plain_weights()
    right_plain = right_fitted = 0.0
    for fold in folds(pairs):
        fitted = fit_weights(_rows(pairs, ~fold), plain)
        held_out = _rows(pairs, fold)
        right_plain += _right(held_out, plain)
        right_fitted += _right(held_out, fitted)
    total = float(pairs.worth.sum())
    weights = fit_weights(pairs, plain)
    return Taste(
        listener,
        len(verdicts),
        n,
        {aspect: float(w) for aspect, w in zip(ASPECTS, weights, strict=True) if w > 1e-6},
        right_plain / total,
        right_fitted / total,
    )


def preferences(verdicts: Sequence[Verdict], known: Table) -> Pairs:
    """All pairs of answers to one seed of which the first was judged better than the second."""
    place = {track_id: row for row, track_id in enumerate(known.track_ids)}
    by_seed: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.seed_id in place and verdict.track_id in place:
            by_seed.setdefault(verdict.seed_id, []).append(verdict)
    differences, seeds, worth = [], [], []
    for seed_id, said in by_seed.items():
        rows = [place[verdict.track_id] for verdict in said]
        likeness = np.stack(
            [
                alike(known.vectors[aspect][place[seed_id]], known.vectors[aspect][rows], aspect)
                for aspect in ASPECTS
            ],
            axis=1,
        ).astype(np.float64)
        for i, better in enumerate(said):
            for j, worse in enumerate(said):
                gap = _WORTH[better.word] - _WORTH[worse.word]
                if better.word == "like" and gap > 0:
                    differences.append(likeness[i] - likeness[j])
                    seeds.append(seed_id)
                    worth.append(gap / 2)
    return Pairs(
        np.array(differences).reshape(-1, len(ASPECTS)),
        np.array(seeds, dtype=np.int64),
        np.array(worth, dtype=np.float64),
    )


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


def folds(pairs: Pairs) -> list[npt.NDArray[np.bool_]]:
    """Masks of held-out pairs: whole seeds where there are several, else every FOLDS-th pair."""
    seeds = np.unique(pairs.seed_ids)
    if len(seeds) >= 2:
        groups = np.searchsorted(seeds, pairs.seed_ids) % min(FOLDS, len(seeds))
    else:
        groups = np.arange(len(pairs.worth)) % FOLDS
    return [groups == fold for fold in range(int(groups.max()) + 1)]


def _rows(pairs: Pairs, mask: npt.NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.differences[mask], pairs.seed_ids[mask], pairs.worth[mask])


def _right(pairs: Pairs, weights: Floats) -> float:
    """Worth of the pairs in the right order; a tie is half right."""
    margins = pairs.differences @ weights
    return float((pairs.worth * ((margins > 1e-12) + 0.5 * (np.abs(margins) <= 1e-12))).sum())
