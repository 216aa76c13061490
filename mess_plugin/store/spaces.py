"""Spaces, their projections and their indexes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from msgspec.structs import replace
from psycopg import sql

from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.model import Level, Projection, Space
from mess_plugin.store.session import DbSession
from mess_plugin.store.statements import template

MAX_INDEXED_DIM = 4000  # what an HNSW index over halfvec takes


class Spaces:
    """Where vectors live."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def raw(
        self, recipe: str, info: EncoderInfo, dim: int, window_s: float, hop_s: float, shipped: str
    ) -> Space:
        """The space of what an encoder gives, made on first use.

        dim: of the stored vectors; shipped: version of the encoder's own projection, or "none".
        A space with a shipped projection answers questions itself and is indexed at once.
        """
        space = self._save(
            recipe,
            Space(
                0,
                info.name,
                info.revision,
                info.layers,
                info.pooling,
                window_s,
                hop_s,
                dim,
                shipped,
            ),
            fitted_on=0,
            state="active",
        )
        if shipped != "none":
            self.create_indexes(space)
        return space

    def add_projected(
        self, recipe: str, base: Space, projections: Mapping[Level, Projection], fitted_on: int
    ) -> Space:
        """A new space computed from a base, not yet active, with its maps stored."""
        first = next(iter(projections.values()))
        space = Space(
            0, base.encoder, base.revision, base.layers, base.pooling, base.window_s,
            base.hop_s, first.matrix.shape[1], first.version, base.id,
        )  # fmt: skip
        with self._session.connection.transaction():  # no writer sees the space without its maps
            space = self._save(recipe, space, fitted_on=fitted_on, state="building")
            for level, projection in projections.items():
                self._session.execute(
                    "save_projection",
                    space_id=space.id,
                    level=level.value,
                    mean=projection.mean.astype("<f4").tobytes(),
                    matrix=projection.matrix.astype("<f4").tobytes(),
                )
        self.create_indexes(space)
        return space

    def searchable(self, recipe: str) -> Space | None:
        """The space that answers questions for a recipe."""
        return self._one("searchable_space", recipe=recipe)

    def plain(self, recipe: str) -> Space | None:
        """The space that would answer without any metric."""
        return self._one("plain_space", recipe=recipe)

    def base(self, recipe: str) -> Space | None:
        """The raw space of a recipe."""
        return self._one("base_space", recipe=recipe)

    def projected(self, base: Space) -> list[Space]:
        """Spaces computed from a base that new tracks must enter."""
        return [Space(*row) for row in self._session.rows("projected_spaces", space_id=base.id)]

    def all(self) -> list[tuple[Space, dict[str, Any]]]:
        """Every space with its recipe, state, fitted_on and n_tracks."""
        names = ("recipe", "state", "fitted_on", "n_tracks")
        return [
            (Space(*row[:10]), dict(zip(names, row[10:], strict=True)))
            for row in self._session.rows("list_spaces")
        ]

    def active(self) -> list[Space]:
        """Every space that is not being built."""
        return [Space(*row) for row in self._session.rows("active_spaces")]

    def projections(self, space: Space) -> dict[Level, Projection]:
        """The maps of a projected space; empty for a raw one."""
        return {
            Level(level): _projection(mean, matrix, space.projection)
            for level, mean, matrix in self._session.rows("get_projections", space_id=space.id)
        }

    def fit_progress(self, base: Space) -> tuple[int, int]:
        """(tracks the projection in use was fitted on, tracks in the base now)."""
        fitted_on, n_tracks = self._session.rows("fit_progress", space_id=base.id)[0]
        return fitted_on, n_tracks

    def share_lock(self, base: Space) -> None:
        """Until the end of the transaction, no switch to a new projection happens."""
        self._session.rows("share_space_lock", space_id=base.id)

    def switch(self, base: Space, space: Space) -> None:
        """From now on a projected space answers; the ones before it are dropped.

        To be called in a transaction that holds `own_lock`.
        """
        self._session.execute("activate_space", space_id=space.id)
        self._drop("delete_projected_spaces", base_id=base.id, keep=space.id)

    def activate(self, space: Space) -> None:
        """A space that was filled can answer from now on."""
        self._session.execute("activate_space", space_id=space.id)

    def drop(self, space: Space) -> None:
        """Delete a space with its vectors and indexes."""
        with self._session.connection.transaction():
            self._drop("delete_space", space_id=space.id)

    def own_lock(self, base: Space) -> None:
        """Until the end of the transaction, nobody writes into the spaces of this base."""
        self._session.rows("own_space_lock", space_id=base.id)

    @contextmanager
    def fitting(self, base: Space) -> Iterator[bool]:
        """Whether this session may fit a projection on a base; False where another one does.

        What a fit that died has left is removed first.
        """
        if not self._session.row("lock_fit", space_id=base.id)[0]:
            yield False
            return
        try:
            with self._session.connection.transaction():
                self.own_lock(base)
                self._drop("delete_unfinished_spaces", base_id=base.id)
            yield True
        finally:
            if not self._session.connection.closed:
                self._session.row("unlock_fit", space_id=base.id)

    def _drop(self, name: str, **parameters: object) -> None:
        for (space_id,) in self._session.rows(name, **parameters):
            for level in Level:
                index = sql.Identifier(index_name(level, space_id))
                self._session.connection.execute(template("drop_index", index=index))

    def create_indexes(self, space: Space, levels: Collection[Level] = tuple(Level)) -> None:
        """The approximate indexes of levels, where the space has not too many dimensions."""
        if space.dim > MAX_INDEXED_DIM:
            return
        for level in levels:
            self._session.connection.execute(
                template(
                    "create_index",
                    index=sql.Identifier(index_name(level, space.id)),
                    table=sql.Identifier(f"{level.value}_embeddings"),
                    dim=sql.Literal(space.dim),
                    space=sql.Literal(space.id),
                    every=sql.Literal(space.searched_every(level)),
                )
            )

    def _save(self, recipe: str, space: Space, *, fitted_on: int, state: str) -> Space:
        values: dict[str, object] = {
            name: getattr(space, name) for name in Space.__struct_fields__ if name != "id"
        }
        values["recipe"] = recipe
        rows = self._session.rows("find_space", **values) or self._session.rows(
            "save_space", fitted_on=fitted_on, state=state, **values
        )
        rows = rows or self._session.rows("find_space", **values)  # another session was faster
        return replace(space, id=rows[0][0])

    def _one(self, name: str, **parameters: object) -> Space | None:
        rows = self._session.rows(name, **parameters)
        return Space(*rows[0]) if rows else None


def index_name(level: Level, space_id: int) -> str:
    """The name of the approximate index of a level of a space."""
    return f"{level.value}_embeddings_space_{space_id}"


def _projection(mean: bytes, matrix: bytes, version: str) -> Projection:
    offset = np.frombuffer(mean, dtype="<f4").astype(np.float32)
    table = np.frombuffer(matrix, dtype="<f4").astype(np.float32)
    return Projection(offset, table.reshape(len(offset), -1), version)
