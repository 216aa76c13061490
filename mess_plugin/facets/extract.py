"""A recording → all its facets, beside the encoder or by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mess_plugin import audio
from mess_plugin.audio.resampling import resample
from mess_plugin.facets import (
    attributes,
    energy,
    harmony,
    key,
    rhythm,
    scale,
    structure,
    tempo,
    timbre,
)
from mess_plugin.facets.loudness import LoudnessMeter
from mess_plugin.facets.statistics import FACET_RATE_HZ, Sketch, Sketcher
from mess_plugin.facets.values import Facet, Loudness, Measures, TrackFacets
from mess_plugin.model import Float32, Interval, Waveform

_DESCRIBERS = {
    Facet.TIMBRE: timbre.describe,
    Facet.RHYTHM: rhythm.describe,
    Facet.ENERGY: energy.describe,
    Facet.STRUCTURE: structure.describe,
}


class FacetListener:
    """Listens in on a decoding: `meter.push` takes frames, `overhear` blocks at FACET_RATE_HZ."""

    def __init__(self) -> None:
        self.meter = LoudnessMeter()
        self._sketcher = Sketcher()

    def overhear(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Pass blocks on unchanged, and take them in."""
        return self._sketcher.overhear(blocks)

    def finish(self) -> TrackFacets | None:
        """What was heard; None where there was only silence or less than half a second."""
        sketch = self._sketcher.finish()
        return None if sketch is None else summarise(sketch, self.meter.finish())


def hear_facets(
    path: Path, limit_s: float | None = None, interval: Interval | None = None
) -> TrackFacets | None:
    """The facets of a file or of a stretch of it, without any encoder.

    Raises AudioError; None as `FacetListener`.
    """
    listener = FacetListener()
    with audio.decode(
        path, FACET_RATE_HZ, interval=interval, limit_s=limit_s, tap=listener.meter.push
    ) as decoding:
        for _block in listener.overhear(decoding):
            pass
    return listener.finish()


def hear_sound(waveform: Waveform, rate_hz: int) -> TrackFacets | None:
    """The facets of sound at any rate, of unknown loudness; None as `FacetListener`."""
    sketcher = Sketcher()
    for block in resample(waveform, rate_hz, FACET_RATE_HZ):
        sketcher.add(block)
    sketch = sketcher.finish()
    return None if sketch is None else summarise(sketch, Loudness(None, None))


def summarise(sketch: Sketch, loudness: Loudness) -> TrackFacets:
    """All facets and measures of a sketch."""
    vectors = {
        facet: scale.standardised(facet, describe(sketch)[None])[0]
        for facet, describe in _DESCRIBERS.items()
    }
    vectors[Facet.HARMONY] = harmony.describe(sketch)
    measures = Measures(
        tempo=tempo.estimate(sketch.onsets),
        key=key.estimate(sketch.chroma, sketch.tonalness),
        loudness=loudness,
        activity=scale.activity(energy.activity_signs(sketch)),
        brightness=attributes.brightness(sketch),
        drive=attributes.drive(sketch),
    )
    return TrackFacets(vectors, measures, energy.course_of(sketch))


def described(sketch: Sketch) -> dict[Facet, Float32]:
    """The facets in their own units, before `scale` (for fitting it); harmony needs none."""
    return {facet: np.asarray(describe(sketch)) for facet, describe in _DESCRIBERS.items()}
