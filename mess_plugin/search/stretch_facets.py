"""Facets of a stretch, computed from its sound: the store keeps those of whole tracks."""

from __future__ import annotations

from pathlib import Path

from mess_plugin.config import Settings
from mess_plugin.errors import AudioError
from mess_plugin.facets import Facet, TrackFacets
from mess_plugin.library.pathmap import PathMap
from mess_plugin.model import Float32, Interval, Track
from mess_plugin.search.seeds import Seed
from mess_plugin.store import Store


class StretchFacets:
    """Computes facets for one question, each stretch once."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit_s = settings.file_limit_s
        self._paths = PathMap.parse(settings.path_map)
        self._known: dict[tuple[str, Interval], dict[str, Float32]] = {}

    def of_seed(self, seed: Seed, interval: Interval) -> dict[str, Float32]:
        """Facet → vector for a stretch of what was asked about; without those that do not sound.

        Raises AudioError where its file cannot be decoded.
        """
        if seed.sound is not None:
            key = (seed.ref, interval)
            if key not in self._known:
                from mess_plugin.facets.extract import hear_sound  # noqa: PLC0415

                first, last = (
                    round(at * seed.sound.rate_hz) for at in (interval.start_s, interval.end_s)
                )
                heard = hear_sound(seed.sound.waveform[first:last], seed.sound.rate_hz)
                self._known[key] = _vectors(heard)
            return self._known[key]
        assert seed.path is not None
        return self._of_file(self._paths.local(seed.path), interval)

    def of_track(self, track: Track, interval: Interval) -> dict[str, Float32]:
        """The same for a track of the library.

        Where no file of it can be decoded here, such as on a machine without the music, the facets
        of the whole track stand in for those of the stretch.
        """
        for path in track.paths:
            try:
                return self._of_file(self._paths.local(path), interval)
            except AudioError:
                continue
        several = self._store.facets.several(Facet, [track.id])
        return {facet.value: of[track.id] for facet, of in several.items() if track.id in of}

    def _of_file(self, path: str, interval: Interval) -> dict[str, Float32]:
        key = (path, interval)
        if key not in self._known:
            from mess_plugin.facets.extract import hear_facets  # noqa: PLC0415  loads the decoder

            self._known[key] = _vectors(hear_facets(Path(path), self._limit_s, interval))
        return self._known[key]


def _vectors(heard: TrackFacets | None) -> dict[str, Float32]:
    if heard is None:
        return {}
    return {facet.value: vector for facet, vector in heard.vectors.items() if vector.any()}
