"""Cross-validates a metric: does it beat plain cosine on tracks it did not see?

Tracks connected by being called similar form groups, as long as that leaves several groups; the
groups are divided into folds. Each comparison is predicted by a map fitted without any comparison
that contains the anchors of its fold. Groups are the independent observations, because
comparisons of one group share tracks.
"""

from __future__ import annotations

import msgspec
import numpy as np

from mess_plugin.metric.judgements import Comparisons, Ints
from mess_plugin.metric.linear_map import Floats, fit_linear_map, leads
from mess_plugin.model import Float32
from mess_plugin.search.preferences import certainty

FOLDS = 5
LEAST_GROUPS = 8  # of tracks that belong together
LEAST_COMPARISONS = 24
CERTAIN = 2.0  # standard errors by which the mean gain of the groups must exceed 0
PULLS = (30.0, 10.0, 3.0, 1.0, 0.3)  # towards the identity, the strongest first


class Trial(msgspec.Struct, frozen=True):
    """How a metric did compared with plain cosine, on comparisons of tracks it did not see."""

    n_comparisons: int
    n_groups: int
    plain_right: float
    """Share of comparisons that plain cosine orders correctly, mean over groups, in [0, 1]."""
    fitted_right: float
    """The same with the metric."""
    certainty: float
    """The gain in its standard errors."""
    pull: float
    """Strength of the regularisation towards the identity."""

    @property
    def helps(self) -> bool:
        """Whether the gain is beyond chance."""
        return self.certainty >= CERTAIN


def enough(comparisons: Comparisons) -> tuple[int, int]:
    """(comparisons, groups of tracks): below LEAST_COMPARISONS or LEAST_GROUPS nothing is learned."""
    return len(comparisons.nearer), len(np.unique(groups_of(comparisons)))


def cross_validated(vectors: Float32, comparisons: Comparisons) -> Trial:
    """Try on FOLDS parts; the pull is chosen inside of each, on comparisons of the fit alone.

    vectors: (n, dim); comparisons: by row. Call with `enough` comparisons.
    """
    groups = groups_of(comparisons)
    plain = _right(leads(vectors, comparisons))
    fitted = np.zeros(len(groups))
    counted = np.zeros(len(groups), dtype=np.bool_)
    for fitting, asked in folds(comparisons, groups):
        pull = best_pull(vectors, _rows(comparisons, fitting))
        matrix = fit_linear_map(vectors, _rows(comparisons, fitting), pull)
        fitted[asked] = _right(leads(vectors, _rows(comparisons, asked), matrix))
        counted[asked] = True
    names = np.unique(groups[counted])
    without = np.array([plain[(groups == name) & counted].mean() for name in names])
    with_ = np.array([fitted[(groups == name) & counted].mean() for name in names])
    gains = with_ - without
    return Trial(
        int(counted.sum()),
        len(names),
        float(without.mean()),
        float(with_.mean()),
        certainty(gains),
        best_pull(vectors, comparisons),
    )


def best_pull(vectors: Float32, comparisons: Comparisons) -> float:
    """The pull with which held-out comparisons are ordered best; the strongest of equals."""
    groups = groups_of(comparisons)
    parts = folds(comparisons, groups, 3)[:1]  # one part of three is enough to choose by
    right = []
    for pull in PULLS:
        found = []
        for fitting, asked in parts:
            matrix = fit_linear_map(vectors, _rows(comparisons, fitting), pull)
            found.append(_right(leads(vectors, _rows(comparisons, asked), matrix)))
        right.append(float(np.concatenate(found).mean()) if found else 0.0)
    return PULLS[int(np.argmax(right))]


def folds(comparisons: Comparisons, groups: Ints, n_folds: int = FOLDS) -> list[tuple[Ints, Ints]]:
    """(rows to fit on, rows to ask): no asked anchor is in the fit."""
    names = np.unique(groups)
    found = []
    for fold in range(min(n_folds, len(names))):
        asked = np.flatnonzero(np.isin(groups, names[fold::n_folds]))
        tracks = np.unique(comparisons.nearer[asked][:, 0])
        touched = np.isin(comparisons.nearer, tracks).any(axis=1)
        touched |= np.isin(comparisons.farther, tracks).any(axis=1)
        fitting = np.flatnonzero(~touched)
        if len(asked) and len(fitting):
            found.append((fitting, asked))
    return found


def groups_of(comparisons: Comparisons) -> Ints:
    """A number for each comparison, equal where they are tied by nearer pairs: (n,).

    Where everything is tied to everything, only comparisons of one anchor are.
    """
    parent: dict[int, int] = {}

    def root(track: int) -> int:
        while parent.setdefault(track, track) != track:
            track = parent[track]
        return track

    anchors = comparisons.nearer[:, 0]
    for one, other in comparisons.nearer.tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    tied = np.array([root(one) for one in anchors.tolist()], dtype=np.int64)
    largest = np.unique(tied, return_counts=True)[1].max(initial=0)
    return anchors if largest * FOLDS > len(anchors) else tied


def _rows(comparisons: Comparisons, rows: Ints) -> Comparisons:
    return Comparisons(comparisons.nearer[rows], comparisons.farther[rows])


def _right(gaps: Floats) -> Floats:
    """1 where the order is right, a half for a tie."""
    return (gaps > 1e-12) + 0.5 * (np.abs(gaps) <= 1e-12)
