"""Album retrieval by leave-albums-out cross-validation: the figure that decides between recipes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is known of n recordings: (n,) arrays.

    mixed: the album gathers several composers, so the recording is never a query.
    """

    albums: npt.NDArray[np.str_]
    artists: npt.NDArray[np.str_]
    packages: npt.NDArray[np.str_]
    mixed: npt.NDArray[np.bool_]

    def ignored(self, query: int) -> npt.NDArray[np.bool_]:
        """What is neither right nor wrong for a query: itself and what may well be by its artist."""
        same_artist = self.artists == self.artists[query]
        elsewhere = same_artist & (self.albums != self.albums[query])
        unclear = self.mixed & (self.packages == self.packages[query])
        ignored: npt.NDArray[np.bool_] = elsewhere | unclear
        ignored[query] = True
        return ignored


def average_precision(vectors: Float32, query: int, catalogue: Catalogue) -> float:
    """Of one query among unit vectors (n, d); nan where nothing is relevant."""
    kept = ~catalogue.ignored(query)
    order = np.argsort(-(vectors[kept] @ vectors[query]), kind="stable")
    relevant = (catalogue.albums[kept] == catalogue.albums[query])[order]
    if not relevant.any():
        return float("nan")
    precision = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
    return float(precision[relevant].mean())


def folds(artists: npt.NDArray[np.str_], n: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """(n_tracks,) fold of each recording; all recordings of an artist share one."""
    names = np.unique(artists)
    fold = dict(zip(np.random.default_rng(seed).permutation(names), np.arange(len(names)) % n,
                    strict=True))  # fmt: skip
    return np.array([fold[name] for name in artists])


def bootstrap(
    values: Floats, albums: npt.NDArray[np.str_], seed: int = 0, draws: int = 2000
) -> tuple[float, float]:
    """95 % interval of the mean when albums are drawn with replacement."""
    rng = np.random.default_rng(seed)
    groups = [values[albums == name] for name in np.unique(albums)]
    means = [
        np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]).mean()
        for _ in range(draws)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
