"""The nearest of millions of made-up windows, exactly: all of them are made again and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.synthetic_music import HOP_S, WINDOW_S, Music
from mess_plugin.model import Float32, Interval
from mess_plugin.store.embeddings import Neighbour

MOST = 1000  # neighbours kept of each query


@dataclass(frozen=True, slots=True)
class ExactWindows:
    """The MOST nearest windows of each query, best first: numbers and similarities (n, MOST).

    Windows count through the library: track * n_windows + ordinal, tracks from 0.
    """

    n_windows: int
    numbers: npt.NDArray[np.int64]
    similarities: Float32

    @classmethod
    def find(cls, music: Music, queries: Float32) -> ExactWindows:
        """Look at every window, as rounded as it is stored. queries: (n, dim)."""
        best = np.full((len(queries), MOST), -np.inf, dtype=np.float32)
        numbers = np.zeros((len(queries), MOST), dtype=np.int64)
        for batch in batches(len(music.songs), 200):
            rows = np.concatenate([music.windows(track) for track in batch]).astype(np.float16)
            first = batch.start * music.n_windows
            here = np.broadcast_to(np.arange(first, first + len(rows)), (len(queries), len(rows)))
            both = np.concatenate((best, queries @ rows.astype(np.float32).T), axis=1)
            kept = np.argpartition(-both, MOST - 1, axis=1)[:, :MOST]
            best = np.take_along_axis(both, kept, axis=1)
            numbers = np.take_along_axis(np.concatenate((numbers, here), axis=1), kept, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        return cls(
            music.n_windows,
            np.take_along_axis(numbers, order, axis=1),
            np.take_along_axis(best, order, axis=1),
        )

    def neighbours(self, query: int, own_track: int) -> list[Neighbour]:
        """What `Embeddings.nearest` would say, the track that asks left out. Ids count from 1."""
        found = []
        for number, similarity in zip(
            self.numbers[query].tolist(), self.similarities[query].tolist(), strict=True
        ):
            track, ordinal = divmod(number, self.n_windows)
            start_s = ordinal * HOP_S
            where = Interval(start_s, start_s + WINDOW_S)
            if track != own_track and np.isfinite(similarity):
                found.append(Neighbour(track + 1, ordinal, where, "", similarity))
        return found

    def candidates(
        self, queries: Float32, own_track: int, first: int, k: int
    ) -> Callable[[Float32, int], list[Neighbour]]:
        """For `find_passages`: the nearest of vectors that are rows of `queries`, from row `first`."""
        row_of = {vector.tobytes(): first + row for row, vector in enumerate(queries)}

        def nearest(vector: Float32, limit: int) -> list[Neighbour]:
            found = self.neighbours(row_of[vector.tobytes()], own_track)
            while len({hit.track_id for hit in found[:limit]}) < k and limit < len(found):
                limit *= 4
            return found[:limit]

        return nearest


def batches(n: int, size: int) -> Iterator[range]:
    """0 … n - 1 in ranges."""
    for start in range(0, n, size):
        yield range(start, min(n, start + size))
