"""Facets of a stretch, computed from its sound: the store keeps those of whole tracks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mess_plugin.config import Settings
from mess_plugin.errors import AudioError
from mess_plugin.facets import Facet, TrackFacets
from mess_plugin.library.pathmap import PathMap
from mess_plugin.model import Float32, Interval, Track
from mess_plugin.search.seeds import Seed
from mess_plugin.store import Store

_OVER = ("too-slow", "memory")  # the question may use no more, whatever file comes next


class StretchFacets:
    """Computes facets of the stretches that a question compares."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._limit_s = settings.file_limit_s
        self._paths = PathMap.parse(settings.path_map)

    def of_seed(self, seed: Seed, interval: Interval) -> Mapping[str, Float32]:
        """Facet → vector for a stretch of what was asked about; without those that do not sound.

        Raises AudioError where its file cannot be decoded.
        """
        if seed.sound is not None:
            from mess_plugin.facets.extract import hear_sound  # noqa: PLC0415  loads the decoder

            rate_hz = seed.sound.rate_hz
            first, last = round(interval.start_s * rate_hz), round(interval.end_s * rate_hz)
            return _vectors(hear_sound(seed.sound.waveform[first:last], rate_hz))
        assert seed.path is not None
        return self._of_file(self._paths.local(seed.path), interval)

    def of_track(self, track: Track, interval: Interval) -> Mapping[str, Float32]:
        """The same for a track of the library.

        Where no file of it can be decoded here, such as on a machine without the music, the facets
        of the whole track stand in for those of the stretch. Raises AudioError where the question may
        use no more time or memory.
        """
        for path in track.paths:
            try:
                return self._of_file(self._paths.local(path), interval)
            except AudioError as error:
                if error.kind in _OVER:
                    raise
        several = self._store.facets.several(Facet, [track.id])
        return {facet.value: of[track.id] for facet, of in several.items() if track.id in of}

    def _of_file(self, path: str, interval: Interval) -> Mapping[str, Float32]:
        try:
            changed_ns = os.stat(path).st_mtime_ns  # noqa: PTH116  text paths keep odd bytes
        except OSError as error:
            raise AudioError(path, "missing", f"it cannot be opened: {error.strerror}") from error
        return _of_file(path, changed_ns, interval, self._limit_s)


@lru_cache(maxsize=1000)
def _of_file(
    path: str, _changed_ns: int, interval: Interval, limit_s: float | None
) -> Mapping[str, Float32]:
    """One question after another weighs the same stretches anew; decoding them takes longer.

    _changed_ns: when the file was written, so that another content is another entry.
    """
    from mess_plugin.facets.extract import hear_facets  # noqa: PLC0415  loads the decoder

    return _vectors(hear_facets(Path(path), limit_s, interval))


def _vectors(heard: TrackFacets | None) -> Mapping[str, Float32]:
    if heard is None:
        return {}
    return {facet.value: vector for facet, vector in heard.vectors.items() if vector.any()}
