"""Folds for cross-validation: whatever shares an artist shares a fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mess_plugin.evaluation.listing import ListedRecording, Role


def folds(recordings: Sequence[ListedRecording], n: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """(n_recordings,) fold of each, 0 … n - 1; artists with queries are dealt out first."""
    asking = {r.artist for r in recordings if r.role is Role.QUERY and not r.mixed}
    rng = np.random.default_rng(seed)
    dealt: list[str] = []
    for artists in (sorted(asking), sorted({r.artist for r in recordings} - asking)):
        rng.shuffle(artists)
        dealt += artists
    fold = {artist: i % n for i, artist in enumerate(dealt)}
    return np.array([fold[r.artist] for r in recordings], dtype=np.int64)
