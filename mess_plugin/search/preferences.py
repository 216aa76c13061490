"""Pairs of a better and a worse answer to one seed, and what orders them rightly.

A regularised logistic regression: the score of the better answer should be larger (a pairwise ranking
model; R. Herbrich et al., "Large margin rank boundaries for ordinal regression", 2000). Two things can
make up a score:

weights   how much likeness to the seed counts in each aspect; drawn towards those that count without
          any taste, and never negative
leaning   which timbres are good or bad answers whatever they answer to, as by a listener who dislikes
          seeds: a direction in the space of the facet, drawn towards none

Whether they help is tried on seeds that the fit did not see. These are the independent observations
there, because the pairs of one seed share their answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.facets import Facet
from mess_plugin.options import ASPECTS
from mess_plugin.search.candidates import CandidateSet
from mess_plugin.search.feedback import Evidence
from mess_plugin.search.query import DEFAULT_WEIGHTS
from mess_plugin.search.scoring import alike

FOLDS = 5
_PULL = 2.0  # strength of the pull towards the plain weights
_LEANING_PULL = 8.0  # and of that towards no leaning, which has many more ways to be wrong
_STEPS = 100
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Pairs(msgspec.Struct, frozen=True):
    """Preferences of one answer over another to the same seed, n of them.

    likeness: (n, n_aspects), better minus worse; timbre: (n, dim), the same of their vectors.
    seed_ids: (n,); track_ids: (n, 2) better and worse; worth: (n,), how much each counts.
    """

    likeness: Floats
    timbre: Floats
    seed_ids: Ints
    track_ids: Ints
    worth: Floats

    def at(self, rows: npt.NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(*(getattr(self, name)[rows] for name in self.__struct_fields__))


class Model(msgspec.Struct, frozen=True):
    """What makes up a score: (1 - share) * weights · likeness + share * direction · timbre.

    weights: (n_aspects,), not negative, adding up to 1. direction: (dim,) of unit length; share: what
    the leaning makes up of the score, in [0, 1); 0 where there is none.
    """

    weights: Floats
    direction: Floats
    share: float

    def right(self, pairs: Pairs) -> float:
        """Share of the pairs, by worth, in the right order; a tie is half right."""
        margins = (1 - self.share) * (pairs.likeness @ self.weights)
        margins += self.share * (pairs.timbre @ self.direction)
        right = (margins > 1e-12) + 0.5 * (np.abs(margins) <= 1e-12)
        return float((pairs.worth * right).sum() / pairs.worth.sum())


def preferences(found: Sequence[Evidence], known: CandidateSet) -> Pairs:
    """All pairs of answers to one seed of which the first is good and better than the second.

    A pair counts by how far the two are apart, at most 1, times the lesser of their weights. known:
    a table that holds all aspects.
    """
    place = {track_id: row for row, track_id in enumerate(known.track_ids)}
    by_seed: dict[int, list[Evidence]] = {}
    for one in found:
        if one.seed_id in place and one.track_id in place:
            by_seed.setdefault(one.seed_id, []).append(one)
    timbres = known.vectors[Facet.TIMBRE].astype(np.float64)
    likeness, timbre, seeds, tracks, worth = [], [], [], [], []
    for seed_id, said in by_seed.items():
        rows = [place[one.track_id] for one in said]
        alike_to_seed = _likeness(known, place[seed_id], rows)
        for i, better in enumerate(said):
            for j, worse in enumerate(said):
                gap = better.worth - worse.worth
                if better.worth > 0 and gap > 0:
                    likeness.append(alike_to_seed[i] - alike_to_seed[j])
                    timbre.append(timbres[rows[i]] - timbres[rows[j]])
                    seeds.append(seed_id)
                    tracks.append((better.track_id, worse.track_id))
                    worth.append(gap / 2 * min(better.weight, worse.weight))
    return Pairs(
        np.array(likeness).reshape(-1, len(ASPECTS)),
        np.array(timbre).reshape(-1, timbres.shape[1]),
        np.array(seeds, dtype=np.int64),
        np.array(tracks, dtype=np.int64).reshape(-1, 2),
        np.array(worth, dtype=np.float64),
    )


def _likeness(known: CandidateSet, seed: int, rows: list[int]) -> Floats:
    """Likeness of some rows to one in every aspect: (n, n_aspects)."""
    return np.stack(
        [
            alike(known.vectors[aspect][seed], known.vectors[aspect][rows], aspect)
            for aspect in ASPECTS
        ],
        axis=1,
    ).astype(np.float64)


def plain(pairs: Pairs) -> Model:
    """What counts without any taste."""
    weights = np.array([DEFAULT_WEIGHTS.get(aspect, 0.0) for aspect in ASPECTS])
    return Model(weights, np.zeros(pairs.timbre.shape[1]), 0.0)


def fit(pairs: Pairs, *, leaning: bool = False) -> Model:
    """What orders the pairs: weights, and with them a leaning if asked for; plain without pairs."""
    start = plain(pairs)
    if not len(pairs.worth):
        return start
    n_aspects = len(start.weights)
    scale = max(float(pairs.likeness.std()), 1e-6)
    spread = max(float(pairs.timbre.std()), 1e-6) / scale
    features, least, pulls = pairs.likeness, np.zeros(n_aspects), np.full(n_aspects, _PULL)
    if leaning:
        dim = pairs.timbre.shape[1]
        features = np.hstack((features, pairs.timbre / spread))
        least = np.append(least, np.full(dim, -np.inf))
        pulls = np.append(pulls, np.full(dim, _LEANING_PULL))
    prior = np.zeros(len(pulls))
    prior[:n_aspects] = start.weights
    found = _descend(features / scale, pairs.worth, prior, pulls / len(pairs.worth), least)
    weights, direction = found[:n_aspects], found[n_aspects:] / spread
    liking, length = float(weights.sum()), float(np.linalg.norm(direction))
    return Model(
        weights / liking if liking > 0 else start.weights,
        direction / length if length > 0 else start.direction,
        length / (liking + length) if length > 0 else 0.0,
    )


def _descend(
    features: Floats, worth: Floats, prior: Floats, pulls: Floats, least: Floats
) -> Floats:
    """What orders the pairs, each feature above its least value.

    Projected gradient descent on the mean logistic loss with a quadratic pull to the prior; the loss
    is convex, so the step of 1 / (its largest curvature) converges.
    """
    worth = worth / worth.sum()
    curvature = np.linalg.eigvalsh(features.T @ (worth[:, None] * features))[-1] / 4
    step = 1 / (float(curvature) + float(pulls.max()))
    found = prior.copy()
    for _ in range(_STEPS):
        slope = -worth / (1 + np.exp(features @ found))
        found = np.maximum(least, found - step * (features.T @ slope + pulls * (found - prior)))
    return found


def held_out(pairs: Pairs) -> tuple[Floats, Floats, Floats]:
    """Shares of rightly ordered pairs a seed, (n_seeds,), of seeds that the fit did not see.

    Of plain scores, of fitted weights, and of weights with a leaning. A leaning is about tracks,
    whatever they answer to, so its fit sees no track either that it is tried on.
    """
    seeds = np.unique(pairs.seed_ids)
    right = np.zeros((3, len(seeds)))
    groups = np.arange(len(seeds)) % min(FOLDS, len(seeds))
    for fold in np.unique(groups):
        tried = np.isin(pairs.seed_ids, seeds[groups == fold])
        seen = np.isin(pairs.track_ids, pairs.track_ids[tried]).any(axis=1)
        models = (
            plain(pairs),
            fit(pairs.at(~tried)),
            fit(pairs.at(~tried & ~seen), leaning=True),
        )
        for place in np.flatnonzero(groups == fold):
            rows = pairs.at(pairs.seed_ids == seeds[place])
            right[:, place] = [model.right(rows) for model in models]
    return right[0], right[1], right[2]


def certainty(gains: Floats) -> float:
    """The mean gain of held-out groups, (n,), in its standard errors, n at least 2.

    An equal gain of all groups is certain, no gain is not: the error is at least .001.
    """
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return float(gains.mean()) / max(error, 1e-3)
