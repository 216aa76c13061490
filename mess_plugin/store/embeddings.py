"""Vectors: written by track and space, read by track, found by nearness."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import numpy as np
from pgvector import HalfVector
from psycopg import sql

from mess_plugin.model import Float32, Interval, Level, LevelVectors, Space
from mess_plugin.store.paths import to_text
from mess_plugin.store.session import DbSession
from mess_plugin.store.statements import statement, template

_HEADER_BYTES = 4  # of a halfvec on the wire: its dimension and two unused bytes
_COPY_TYPES = ["text", "int4", "int8", "int4", "float8", "float8", "text", "halfvec"]


class Neighbour(msgspec.Struct, frozen=True):
    """A stored vector near a query: similarity is the cosine, in [-1, 1]."""

    track_id: int
    ordinal: int
    interval: Interval
    label: str
    similarity: float


class Embeddings:
    """Vectors of all levels and spaces."""

    def __init__(self, session: DbSession) -> None:
        self._session = session
        self._larger: set[tuple[int, Level, int]] = set()

    def write(self, space: Space, track_id: int, levels: Mapping[Level, LevelVectors]) -> None:
        """Replace all vectors of a track in a space. To be called in a transaction."""
        with self._session.connection.cursor() as cursor:
            cursor.execute(
                statement("delete_embeddings"), {"space_id": space.id, "track_id": track_id}
            )
            with cursor.copy(statement("copy_embeddings")) as copy:
                copy.set_types(_COPY_TYPES)
                for level, vectors in levels.items():
                    for row in _rows_to_copy(level, space.id, track_id, vectors):
                        copy.write_row(row)

    def has(self, space: Space, track_id: int) -> bool:
        """Whether a track has been encoded into a space."""
        row = self._session.rows("has_embeddings", space_id=space.id, track_id=track_id)[0]
        return bool(row[0])

    def of_track(self, space: Space, level: Level, track_id: int) -> LevelVectors:
        """One level of a track in order of time; empty where there is nothing."""
        return self.of_tracks(space, level, [track_id])[track_id]

    def of_tracks(
        self, space: Space, level: Level, track_ids: Sequence[int]
    ) -> dict[int, LevelVectors]:
        """One level of several tracks; empty for a track that has nothing there."""
        return self.levels(space, [level], track_ids)[level]

    def levels(
        self, space: Space, levels: Collection[Level], track_ids: Sequence[int]
    ) -> dict[Level, dict[int, LevelVectors]]:
        """Some levels of several tracks, in one question; empty where a track has nothing."""
        nothing = LevelVectors(
            np.zeros((0, 2), dtype=np.float32), np.zeros((0, space.dim), dtype=np.float32)
        )
        found = {level: dict.fromkeys(track_ids, nothing) for level in levels}
        for level, track_id, starts_s, ends_s, labels, packed in self._session.binary_rows(
            "get_embeddings",
            space_id=space.id,
            levels=[level.value for level in levels],
            track_ids=list(track_ids),
        ):
            intervals = np.array((starts_s, ends_s), dtype=np.float32).T
            vectors = unpacked_rows(packed, space.dim)
            found[Level(level)][track_id] = LevelVectors(intervals, vectors, tuple(labels))
        return found

    def export(self, space: Space, level: Level) -> Iterator[tuple[str, float, float, Float32]]:
        """(path, start_s, end_s, vector) of a whole level, in order of path and time."""
        with (
            self._session.connection.transaction(),
            self._session.connection.cursor(name="export") as cursor,
        ):
            cursor.execute(
                statement("export_embeddings"), {"space_id": space.id, "level": level.value}
            )
            for path, start_s, end_s, vector in cursor:
                yield to_text(path), start_s, end_s, vector.to_numpy().astype(np.float32)

    def tracks(self, space: Space) -> list[int]:
        """The tracks of a space, in order of id."""
        return [row[0] for row in self._session.rows("list_tracks_of_space", space_id=space.id)]

    def sample(self, space: Space, level: Level, limit: int) -> tuple[Float32, int]:
        """Up to `limit` vectors of a level, always the same ones, and how many tracks they are of."""
        rows = self._session.rows(
            "sample_embeddings", space_id=space.id, level=level.value, limit=limit
        )
        if not rows:
            return np.zeros((0, space.dim), dtype=np.float32), 0
        return _stack([row[1] for row in rows]), len({row[0] for row in rows})

    def missing(self, base: Space, space: Space) -> list[int]:
        """Tracks that a projected space lacks."""
        rows = self._session.rows("missing_in_space", base_id=base.id, space_id=space.id)
        return [row[0] for row in rows]

    def count_up_to(self, space: Space, level: Level, limit: int) -> int:
        """How many vectors a level has; stops counting at the limit."""
        rows = self._session.rows("count_up_to", space_id=space.id, level=level.value, limit=limit)
        return int(rows[0][0])

    def is_larger(self, space: Space, level: Level, limit: int) -> bool:
        """Whether a level has more than `limit` vectors.

        Once it has, it is not counted again: libraries rarely shrink, and each window of a question
        would pay for it.
        """
        key = (space.id, level, limit)
        if key not in self._larger and self.count_up_to(space, level, limit + 1) > limit:
            self._larger.add(key)
        return key in self._larger

    def nearest(
        self,
        space: Space,
        level: Level,
        vector: Float32,
        limit: int,
        *,
        excluded_tracks: Sequence[int] = (),
        allowed_tracks: Sequence[int] | None = None,
        exact: bool,
    ) -> list[Neighbour]:
        """The vectors nearest to one, (dim,), nearest first; ties in order of track and time.

        Of those that are searched (`Space.searched_every`). exact: look at every one of them instead
        of the approximate index. allowed_tracks: only these, None for all; it goes with exact alone.
        """
        assert exact or allowed_tracks is None
        query = template(
            "nearest_exactly" if exact else "nearest_by_index",
            table=sql.Identifier(f"{level.value}_embeddings"),
            dim=sql.Literal(space.dim),
            space=sql.Literal(space.id),
            every=sql.Literal(space.searched_every(level)),
        )
        parameters: dict[str, object] = {
            "vector": HalfVector(vector),
            "excluded": list(excluded_tracks),
            "limit": limit,
        }
        if exact:
            parameters["allowed"] = None if allowed_tracks is None else list(allowed_tracks)
        with self._session.connection.cursor() as cursor:
            rows = cursor.execute(query, parameters).fetchall()
        return [
            Neighbour(track_id, ordinal, Interval(start_s, end_s), label, _similarity(distance))
            for track_id, ordinal, start_s, end_s, label, distance in rows
        ]


def _similarity(distance: float) -> float:
    """The cosine; 0 for a vector of no length, whose distance is no number."""
    return 0.0 if math.isnan(distance) else 1.0 - distance


def _rows_to_copy(
    level: Level, space_id: int, track_id: int, vectors: LevelVectors
) -> Iterator[tuple[object, ...]]:
    for ordinal, ((start_s, end_s), vector) in enumerate(
        zip(vectors.intervals.tolist(), vectors.vectors, strict=True)
    ):
        label = vectors.labels[ordinal] if vectors.labels else ""
        yield (
            level.value, space_id, track_id, ordinal, start_s, end_s, label, HalfVector(vector)
        )  # fmt: skip


def unpacked_rows(packed: bytes, dim: int) -> Float32:
    """Vectors as `halfvec_send` writes them one after the other: a header, then big-endian halves."""
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, _HEADER_BYTES + 2 * dim)
    halves = np.ascontiguousarray(rows[:, _HEADER_BYTES:]).view(">f2")
    return halves.astype(np.float32)


def _stack(vectors: Sequence[HalfVector]) -> Float32:
    return np.stack([vector.to_numpy() for vector in vectors]).astype(np.float32)
