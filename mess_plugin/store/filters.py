"""Which tracks may answer, what lies near among them, and facts of all tracks at once."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets import REVISION
from mess_plugin.folding import fold
from mess_plugin.model import Float32, Space
from mess_plugin.store.embeddings import unpacked_rows
from mess_plugin.store.facets import unpacked
from mess_plugin.store.paths import containing, to_bytes, to_text
from mess_plugin.store.session import Session

Ids = npt.NDArray[np.int64]
Limits = tuple[float, float] | None
_ANY = (0.0, 1e9)
_NOTHING = "\x01"  # matches no folded text: these hold no control characters


class Conditions(msgspec.Struct, frozen=True):
    """Filters as the database judges them; None and empty do not filter. Limits are (low, high)."""

    tempo_bpm: Limits = None
    duration_s: Limits = None
    year: Limits = None
    activity: Limits = None
    brightness: Limits = None
    drive: Limits = None
    loudness_lufs: Limits = None
    genre: str | None = None
    artist: str | None = None
    album: str | None = None
    folder: str | None = None
    excluded_words: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    rating: Limits = None
    unplayed_days: float | None = None


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


class Filtering:
    """Which tracks pass filters, and bulk reads over them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def allowed(self, conditions: Conditions) -> list[Allowed]:
        """The tracks that pass all conditions, in order of id."""
        limits: dict[str, float | None] = {}
        for name, column in (
            ("tempo", conditions.tempo_bpm),
            ("duration", conditions.duration_s or _ANY),
            ("year", conditions.year),
            ("activity", conditions.activity),
            ("brightness", conditions.brightness),
            ("drive", conditions.drive),
            ("loudness", conditions.loudness_lufs),
            ("rating", conditions.rating),
        ):
            limits[f"{name}_low"], limits[f"{name}_high"] = column or (None, None)
        rows = self._session.rows(
            "allowed_tracks",
            revision=REVISION,
            genre=_contains(conditions.genre),
            artist=_contains(conditions.artist),
            album=_contains(conditions.album),
            folder=_below(conditions.folder),
            excluded_words=[containing(word) for word in conditions.excluded_words],
            languages=[fold(one) for one in conditions.languages] or None,
            unplayed_days=conditions.unplayed_days,
            **limits,
        )
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

    def landscape(self, space: Space) -> tuple[list[Facts], Float32]:
        """Every track of a space that lies somewhere: its facts, and (n, dim) song vectors."""
        facts, vectors = [], []
        for data, track_id, path, *rest in self._session.rows(
            "landscape", revision=REVISION, space_id=space.id
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


def _contains(text: str | None) -> str | None:
    if text and not fold(text):
        return _NOTHING
    return None if text is None else containing(text)


def _below(folder: str | None) -> bytes | None:
    if folder is None:
        return None
    return to_bytes(folder.rstrip(os.sep) + os.sep)
