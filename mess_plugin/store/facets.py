"""Facets and measures: written by track, read by track, found by nearness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pgvector import HalfVector

from mess_plugin.facets import (
    REVISION,
    Facet,
    KeyEstimate,
    Loudness,
    Measures,
    TempoEstimate,
    TrackFacets,
)
from mess_plugin.facets.harmony import invariants
from mess_plugin.model import Float32
from mess_plugin.store.paths import to_text
from mess_plugin.store.session import DbSession


class Facets:
    """What recordings are like, facet by facet. Rows of other revisions count as missing."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def write(self, track_id: int, heard: TrackFacets) -> None:
        """Replace all facets and measures of a track. To be called in a transaction."""
        self._session.execute("delete_facets", track_id=track_id)
        for facet, vector in heard.vectors.items():
            search = invariants(vector[None])[0] if facet is Facet.HARMONY else None
            self._session.execute(
                "save_facet",
                facet=facet.value,
                track_id=track_id,
                revision=REVISION,
                vector=HalfVector(vector),
                search=None if search is None else HalfVector(search),
            )
        measures = heard.measures
        self._session.execute(
            "save_measures",
            track_id=track_id,
            revision=REVISION,
            tempo_bpm=measures.tempo and measures.tempo.bpm,
            tempo_confidence=measures.tempo and measures.tempo.confidence,
            tonic=measures.key and measures.key.tonic,
            mode=measures.key and measures.key.mode,
            key_confidence=measures.key and measures.key.confidence,
            loudness_lufs=measures.loudness.integrated_lufs,
            loudness_range_lu=measures.loudness.range_lu,
            activity=measures.activity,
            brightness=measures.brightness,
            drive=measures.drive,
            course=heard.curve.astype("<f4").tobytes(),
        )

    def missing(self) -> list[tuple[int, str]]:
        """(track id, path) of tracks that lie somewhere but lack facets of this revision."""
        rows = self._session.rows("tracks_without_facets", revision=REVISION)
        return [(track_id, to_text(path)) for track_id, path in rows]

    def of_tracks(self, facet: Facet, track_ids: Sequence[int]) -> dict[int, Float32]:
        """One facet of several tracks, (dim,) each; those without are left out."""
        return self.several([facet], track_ids)[facet]

    def several(
        self, facets: Iterable[Facet], track_ids: Sequence[int]
    ) -> dict[Facet, dict[int, Float32]]:
        """Some facets of several tracks, in one question; tracks without are left out."""
        found: dict[Facet, dict[int, Float32]] = {facet: {} for facet in facets}
        for facet, track_id, data in self._session.binary_rows(
            "get_facets",
            facets=[facet.value for facet in found],
            revision=REVISION,
            track_ids=list(track_ids),
        ):
            found[Facet(facet)][track_id] = unpacked(data)
        return found

    def measures(self, track_ids: Sequence[int]) -> dict[int, tuple[Measures, Float32]]:
        """Measures and the course of energy of several tracks; those without are left out."""
        rows = self._session.rows("get_measures", revision=REVISION, track_ids=list(track_ids))
        return {row[0]: _measures(row) for row in rows}

    def nearest(
        self,
        facet: Facet,
        vector: Float32,
        limit: int,
        *,
        excluded: Sequence[int] = (),
        allowed: Sequence[int] | None = None,
    ) -> list[int]:
        """The tracks nearest to a facet's vector, nearest first, by looking at every one.

        Harmony is found by what transposition leaves alone; its order is settled by
        `mess_plugin.facets.scale.similarity`. allowed: only these tracks; None for all.
        """
        asked = invariants(vector[None])[0] if facet is Facet.HARMONY else vector
        rows = self._session.rows(
            "nearest_in_facet",
            facet=facet.value,
            revision=REVISION,
            vector=HalfVector(asked),
            limit=limit,
            excluded=list(excluded),
            allowed=None if allowed is None else list(allowed),
        )
        return [row[0] for row in rows]

    def nearest_harmonies(self, vector: Float32, limit: int, excluded: Sequence[int]) -> list[int]:
        """The tracks nearest in harmony, (dim,), at any transposition; by index if there are many."""
        rows = self._session.rows(
            "nearest_in_harmony",
            revision=REVISION,
            vector=HalfVector(invariants(vector[None])[0]),
            limit=limit,
            excluded=list(excluded),
        )
        return [row[0] for row in rows]


def unpacked(data: bytes) -> Float32:
    """What `halfvec_send` gives (two big-endian int16, then half floats): (dim,) float32."""
    return np.frombuffer(data, dtype=">f2", offset=4).astype(np.float32)


def _measures(row: tuple[Any, ...]) -> tuple[Measures, Float32]:
    _, bpm, bpm_confidence, tonic, mode, key_confidence, lufs, range_lu, activity, course, *more = (
        row
    )
    measures = Measures(
        tempo=None if bpm is None else TempoEstimate(bpm, bpm_confidence),
        key=None if tonic is None else KeyEstimate(tonic, mode, key_confidence),
        loudness=Loudness(lufs, range_lu),
        activity=activity,
        brightness=more[0],
        drive=more[1],
    )
    return measures, np.frombuffer(course, dtype="<f4").astype(np.float32)
