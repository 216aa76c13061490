"""What a listener says and does says about how much each aspect counts, and which timbres repel.

What is fitted, and on what: `pairs.py`. Whether it is used is decided on seeds that the fit did not
see: unless it orders more of their pairs rightly than the plain feel does, by more than chance
explains, the taste stays off. A leaning in timbre must help beside the weights, more surely still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.facets import Facet
from mess_plugin.model import Space
from mess_plugin.options import ASPECTS
from mess_plugin.search.candidates import CandidateSet, load_candidates
from mess_plugin.search.feedback import Evidence, evidence_of
from mess_plugin.search.preferences import (
    Model,
    Pairs,
    certainty,
    fit,
    held_out,
    preferences,
)
from mess_plugin.search.query import DEFAULT_WEIGHTS
from mess_plugin.search.scoring import Leaning
from mess_plugin.store import Store

LEAST_PAIRS = 12  # of liked and disliked answers to one seed
LEAST_SEEDS = 4
CERTAIN = 3.0  # standard errors by which the mean gain of held-out seeds must exceed 0
LEANING_CERTAIN = 4.0  # the same for a leaning, a second chance to be right by luck


class Taste(msgspec.Struct, frozen=True):
    """A listener's weights and whether they are used.

    sources: how much evidence there is of each source (`evidence.py`). n_pairs: of better and worse
    answers to one seed; n_seeds: seeds that have such pairs. weights: aspect → weight, adding up to
    1. plain_right, fitted_right: shares of held-out pairs that are ordered rightly without and with
    the taste, the mean over seeds; None below LEAST_PAIRS or LEAST_SEEDS. certainty: the gain in its
    standard errors. leaning: None where it does not help for certain.
    """

    listener: str
    sources: Mapping[str, int]
    n_pairs: int
    n_seeds: int
    weights: Mapping[str, float]
    plain_right: float | None
    fitted_right: float | None
    certainty: float = 0.0
    leaning: Leaning | None = None

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


def taste_of(store: Store, space: Space, listener: str) -> Taste:
    """What a listener said and did adds up to, fitted afresh; plain where there is nothing to fit."""
    found = evidence_of(store, listener)
    ids = {i for one in found if one.seed_id is not None for i in (one.seed_id, one.track_id)}
    known = load_candidates(store, space, sorted(ids), ASPECTS)
    return fit_taste(listener, found, known)


def fit_taste(listener: str, found: Sequence[Evidence], known: CandidateSet) -> Taste:
    """Fit on evidence about the tracks of a table that holds all aspects."""
    sources = dict(Counter(one.source for one in found))
    pairs = preferences(found, known)
    n, n_seeds = len(pairs.worth), len(np.unique(pairs.seed_ids))
    if n < LEAST_PAIRS or n_seeds < LEAST_SEEDS:
        return Taste(listener, sources, n, n_seeds, dict(DEFAULT_WEIGHTS), None, None)
    without, weighed, leaning = held_out(pairs)
    best = weighed if certainty(weighed - without) >= CERTAIN else without
    gains = (certainty(leaning - best), certainty(leaning - without))
    leans = min(gains) >= LEANING_CERTAIN
    model = fit(pairs, leaning=leans)
    weights = zip(ASPECTS, model.weights.tolist(), strict=True)
    right = leaning if leans else weighed
    return Taste(
        listener,
        sources,
        n,
        n_seeds,
        {aspect: weight for aspect, weight in weights if weight > 1e-6},
        float(without.mean()),
        float(right.mean()),
        certainty(right - without),
        _leaning(model, pairs, known) if leans else None,
    )


def _leaning(model: Model, pairs: Pairs, known: CandidateSet) -> Leaning:
    direction = model.direction.astype(np.float32)
    judged = np.isin(known.track_ids, pairs.track_ids)
    ids = np.array(known.track_ids)[judged]
    along = known.vectors[Facet.TIMBRE][judged] @ direction
    toward, away = int(ids[along.argmax()]), int(ids[along.argmin()])
    return Leaning(direction, model.share, toward, away)
