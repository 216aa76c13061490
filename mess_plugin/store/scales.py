"""How alike tracks are that were drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from mess_plugin.model import Float32, Space
from mess_plugin.store.session import DbSession

_KEPT = 50  # scales a space; each set of weights has its own


class StoredScale(msgspec.Struct, frozen=True):
    """Scores of random pairs, and how old they are."""

    scores: Float32 | None
    """(n,) sorted; None where there are none yet."""
    last_track: int
    """The newest track when they were computed; 0 where there are none yet."""
    newest_track: int
    """The newest track now."""


class LikenessScales:
    """Scales by space and by what counts in the scores."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def get(self, space: Space, compared: str) -> StoredScale:
        """A scale, as far as there is one."""
        scores, last, newest = self._session.row(
            "get_likeness_scale", space_id=space.id, compared=compared
        )
        found = None if scores is None else np.frombuffer(scores, dtype="<f4").astype(np.float32)
        return StoredScale(found, last or 0, newest)

    def save(self, space: Space, compared: str, last_track: int, scores: Float32) -> None:
        """Keep a scale; scores: (n,) sorted."""
        self._session.execute(
            "save_likeness_scale",
            space_id=space.id,
            compared=compared,
            last_track=last_track,
            scores=scores.astype("<f4").tobytes(),
        )
        self._session.execute("delete_old_likeness_scales", space_id=space.id, kept=_KEPT)

    def sample(self, space: Space, n: int) -> Sequence[int]:
        """At most n tracks, the same ones each time; a growing library changes few of them."""
        return [int(row[0]) for row in self._session.rows("sample_tracks", space_id=space.id, n=n)]
