"""Hearing a file: decoded once, and given to the encoder and to the facets. Nothing is stored."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mess_plugin import audio
from mess_plugin.analysis.hierarchy import Analysis, analyse, listen, summarise
from mess_plugin.encoders.base import Encoder
from mess_plugin.facets import TrackFacets
from mess_plugin.facets.extract import FacetListener, hear_facets
from mess_plugin.facets.statistics import FACET_RATE_HZ
from mess_plugin.model import Interval
from mess_plugin.spaces.recipe import Recipe


class Heard(msgspec.Struct, frozen=True):
    """A file after listening: what it is and what was heard in it."""

    analysis: Analysis
    damage: str | None
    """What was lost of it, in words; None where nothing was."""
    facets: TrackFacets | None
    """None where too little sounds for them, or where they were not asked for."""


def hear(
    path: Path,
    encoder: Encoder,
    recipe: Recipe,
    limit_s: float | None,
    interval: Interval | None = None,
) -> Heard:
    """Decode and analyse one file, or one stretch of it as if it were all there is.

    Facets are for the library: `hear_whole` adds them. Raises AudioError with the reason where the
    file cannot become music.
    """
    rate_hz = encoder.info.rate_hz
    with audio.decode(path, rate_hz, interval=interval, limit_s=limit_s) as decoding:
        analysis = analyse(
            decoding,
            encoder,
            window_s=recipe.window_s,
            hop_s=recipe.hop_s,
            source=str(path),
            coverage=recipe.coverage,
        )
        return Heard(analysis, decoding.damage, None)


def hear_whole(path: Path, encoder: Encoder, recipe: Recipe, limit_s: float | None) -> Heard:
    """Decode a file once and hear it with the encoder and for its facets; errors as for `hear`."""
    rate_hz = encoder.info.rate_hz
    listener = FacetListener()
    with audio.decode(path, rate_hz, limit_s=limit_s, tap=listener.meter.push) as decoding:
        blocks = listener.overhear(decoding) if rate_hz == FACET_RATE_HZ else decoding
        timeline = listen(blocks, encoder, str(path), recipe.coverage)
        damage = decoding.damage
    # Before sections and pooling, which need the memory that the facets of hours take up.
    facets = listener.finish() if rate_hz == FACET_RATE_HZ else hear_facets(path, limit_s)
    analysis = summarise(
        timeline, encoder.info.pooling, window_s=recipe.window_s, hop_s=recipe.hop_s
    )
    return Heard(analysis, damage, facets)
