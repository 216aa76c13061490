"""Which tracks may answer, what lies near among them, and facts of all tracks at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets import REVISION
from mess_plugin.facets.values import SURE
from mess_plugin.folding import fold
from mess_plugin.model import Float32, Space
from mess_plugin.options import FILTERS, LIMITS, Kind
from mess_plugin.store.embeddings import unpacked_rows
from mess_plugin.store.facets import unpacked
from mess_plugin.store.paths import containing, to_bytes, to_text
from mess_plugin.store.session import DbSession

Ids = npt.NDArray[np.int64]


class Allowed(msgspec.Struct, frozen=True):
    """A track that passed, with its key as tagged and as (tonic, mode) heard; None where unknown."""

    track_id: int
    tagged_key: str | None
    heard_key: tuple[int, str] | None


class Facts(msgspec.Struct, frozen=True):
    """What people know of a track by name and number; None where it is not known."""

    track_id: int
    path: str
    title: str | None
    artist: str | None
    genre: str | None
    year: int | None
    tempo_bpm: float | None
    mode: str | None
    activity: float | None
    loudness_lufs: float | None
    tonic: int | None = None
    album: str | None = None
    brightness: float | None = None
    drive: float | None = None
    heard_tags: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The title, else the file's name; never a whole path."""
        return self.title or Path(self.path).name

    def describe(self) -> str:
        """ "Artist – Title", with the file's name in place of a missing title."""
        return f"{self.artist} – {self.name}" if self.artist else self.name


class Filtering:
    """Which tracks pass filters, and bulk reads over them."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def allowed(self, conditions: Mapping[str, Any]) -> list[Allowed]:
        """The tracks that pass all conditions, in order of id.

        conditions: value by field of a filter (`mess_plugin.options`), those that are set; limits are
        (low, high), other values as in `Filters`. "not_languages": what a track must not be in.
        """
        parameters: dict[str, object] = {}
        for option in FILTERS:
            value = conditions.get(option.target)
            if option.kind in LIMITS:
                low, high = value or (None, None)
                parameters |= {f"{option.target}_low": low, f"{option.target}_high": high}
            elif option.kind is not Kind.KEY:  # keys are spelt in many ways: judged by the caller
                parameters[option.target] = None if value is None else _SQL[option.kind](value)
        without = conditions.get("not_languages")  # beside the row of `languages`
        parameters["not_languages"] = _SQL[Kind.NAMES](without or ())
        rows = self._session.rows("allowed_tracks", revision=REVISION, sure=SURE, **parameters)
        return [
            Allowed(track_id, tagged, None if tonic is None else (tonic, mode))
            for track_id, tagged, tonic, mode in rows
        ]

    def songs(self, space: Space, track_ids: Sequence[int]) -> tuple[Ids, Float32]:
        """Those of some tracks that are in a space: ids, ascending, and (n, dim) of unit length."""
        ids, packed = self._session.binary_rows(
            "songs_among", space_id=space.id, track_ids=list(track_ids)
        )[0]
        if ids is None:
            return np.zeros(0, dtype=np.int64), np.zeros((0, space.dim), dtype=np.float32)
        return np.array(ids, dtype=np.int64), unit(unpacked_rows(packed, space.dim))

    def activities(self, space: Space) -> tuple[list[int], Float32]:
        """Every track of a space with how much happens in it: ids and (n,) float32 in [0, 1]."""
        ids, activities = self._session.binary_rows(
            "activities", revision=REVISION, space_id=space.id
        )[0]
        return (
            np.frombuffer(ids, dtype=">i8").tolist(),
            np.frombuffer(activities, dtype=">f4").astype(np.float32),
        )

    def song_features(self, space: Space) -> tuple[list[Facts], Float32]:
        """Every track of a space that lies somewhere: its facts, and (n, dim) song vectors."""
        facts, vectors = [], []
        for data, track_id, path, *rest in self._session.rows(
            "song_features", revision=REVISION, sure=SURE, space_id=space.id
        ):
            facts.append(Facts(track_id, to_text(path), *rest))
            vectors.append(unpacked(data))
        return facts, np.stack(vectors) if vectors else np.zeros((0, space.dim), np.float32)

    def edges(self, space: Space, track_ids: Sequence[int]) -> dict[int, tuple[Float32, Float32]]:
        """Vectors of the first and the last section of tracks, (dim,) each."""
        found: dict[int, list[Float32]] = {}
        for track_id, _ordinal, data in self._session.rows(
            "edge_sections", space_id=space.id, track_ids=list(track_ids)
        ):
            found.setdefault(track_id, []).append(unpacked(data))
        return {track_id: (edges[0], edges[-1]) for track_id, edges in found.items()}


def _below(folder: str) -> bytes:
    return to_bytes(folder.rstrip(os.sep) + os.sep)


_SQL: Mapping[Kind, Callable[[Any], object]] = {
    Kind.TEXT: containing,
    Kind.TEXTS: lambda texts: [containing(text) for text in texts] or None,
    Kind.NAMES: lambda names: [fold(name) for name in names] or None,
    Kind.FOLDER: _below,
    Kind.AGE: float,
}
"""Kind of a filter → its value as a parameter of the statement."""
