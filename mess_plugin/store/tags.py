"""Tags that heads read, by track."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from mess_plugin.model import Float32, Space
from mess_plugin.store.session import DbSession


class TrackTags(msgspec.Struct, frozen=True):
    """What a head reads of a track."""

    tags: tuple[str, ...]
    """Those that are said, folded, the likeliest first."""
    raw: Float32
    """(n_labels,) the values behind all."""


class HeardTags:
    """The tags of all tracks, and what is known of the heads that read them."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save(self, head: str, rows: Iterable[tuple[int, Sequence[str], Float32]]) -> None:
        """Keep (track id, tags, values behind all labels) in the place of older ones."""
        for track_id, tags, raw in rows:
            self._session.execute(
                "save_tags", track_id=track_id, head=head, tags=list(tags), raw=_bytes(raw)
            )

    def of(self, track_ids: Sequence[int]) -> dict[int, TrackTags]:
        """The tags of those tracks that have some kept."""
        rows = self._session.rows("get_tags", track_ids=list(track_ids))
        return {track_id: TrackTags(tuple(tags), _floats(raw)) for track_id, tags, raw in rows}

    def missing(self, space: Space, head: str) -> list[int]:
        """Tracks of a space that the head has not read, in order."""
        rows = self._session.rows("tracks_without_tags", space_id=space.id, head=head)
        return [int(row[0]) for row in rows]

    def is_filled(self, space: Space, head: str) -> bool:
        """Whether all tracks of a space had their tags once."""
        return bool(self._session.row("has_all_tags", space_id=space.id, head=head)[0])

    def note_filled(self, space: Space, head: str) -> None:
        """All tracks of a space have their tags; new ones get theirs when they are indexed."""
        self._session.execute("note_all_tags", space_id=space.id, head=head)

    def raw(self, head: str) -> tuple[list[int], Float32]:
        """What a head read of all tracks: ids, ascending, and (n, n_labels)."""
        rows = self._session.rows("raw_tags", head=head)
        if not rows:
            return [], np.zeros((0, 0), dtype=np.float32)
        return [int(track_id) for track_id, _ in rows], np.stack([_floats(raw) for _, raw in rows])

    def distilled(self, space: Space, head: str) -> tuple[Float32, Float32, Float32] | None:
        """(mean, matrix, offset) of a head that was distilled for a space."""
        rows = self._session.rows("get_distilled_head", space_id=space.id, head=head)
        if not rows or rows[0][0] is None:
            return None
        weights = _floats(rows[0][0])
        n_labels = (len(weights) - space.dim) // (space.dim + 1)
        mean, matrix, offset = np.split(weights, np.cumsum([space.dim, space.dim * n_labels]))
        return mean, matrix.reshape(space.dim, n_labels), offset

    def save_distilled(
        self, space: Space, head: str, mean: Float32, matrix: Float32, offset: Float32
    ) -> None:
        """Keep a head for a space; mean: (dim,), matrix: (dim, n_labels), offset: (n_labels,)."""
        weights = np.concatenate([mean, matrix.ravel(), offset])
        self._session.execute(
            "save_distilled_head", space_id=space.id, head=head, weights=_bytes(weights)
        )


def _bytes(values: Float32) -> bytes:
    return values.astype("<f4").tobytes()


def _floats(data: bytes) -> Float32:
    return np.frombuffer(data, dtype="<f4").astype(np.float32)
