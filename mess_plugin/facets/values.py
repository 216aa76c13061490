"""The values that describe a recording facet by facet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from mess_plugin.model import Float32

REVISION = "2"
"""Changes whenever a facet or a measure of the same sound changes."""


SURE = 0.25
"""The confidence from which a tempo or a key counts: in reasons, filters, playlists and tags. Below it
it is as good as guessed (docs/measurements/facets.md)."""


SAME_TEMPO = 1.06
"""The ratio of two tempi that DJs bridge without anybody noticing."""


class Facet(StrEnum):
    """One aspect of the feel of music."""

    TIMBRE = "timbre"
    HARMONY = "harmony"
    RHYTHM = "rhythm"
    ENERGY = "energy"
    STRUCTURE = "structure"


class TempoEstimate(msgspec.Struct, frozen=True):
    """A tempo and how sure it is."""

    bpm: float
    confidence: float
    """How far the beat stands out, in [0, 1]: 0 where nothing recurs."""

    @property
    def is_sure(self) -> bool:
        """Whether it is more than a guess."""
        return self.confidence >= SURE


class KeyEstimate(msgspec.Struct, frozen=True):
    """A key and how sure it is."""

    tonic: int
    """0 is C, 11 is B."""
    mode: str
    """ "major" or "minor"."""
    confidence: float
    """In [0, 1]."""

    @property
    def is_sure(self) -> bool:
        """Whether it is more than a guess."""
        return self.confidence >= SURE


class Loudness(msgspec.Struct, frozen=True):
    """EBU R128; None below the gate, or where it was not metered."""

    integrated_lufs: float | None
    range_lu: float | None


class Measures(msgspec.Struct, frozen=True):
    """What people ask for by number."""

    tempo: TempoEstimate | None
    """None where nothing recurs."""
    key: KeyEstimate | None
    """None where there is no pitch."""
    loudness: Loudness
    activity: float
    """How much happens: the share of a calibration library that is calmer, in [0, 1]; see
    `mess_plugin.facets.energy`."""
    brightness: float | None = None
    """Share of that library that is darker; None where an older MESS heard the track."""
    drive: float | None = None
    """Share of that library that drives less; see `mess_plugin.facets.attributes`."""

    @property
    def sure_tempo_bpm(self) -> float | None:
        """The tempo where it is more than a guess."""
        return self.tempo.bpm if self.tempo and self.tempo.is_sure else None

    @property
    def sure_key(self) -> tuple[int, str] | None:
        """(tonic, mode) where the key is more than a guess."""
        return (self.key.tonic, self.key.mode) if self.key and self.key.is_sure else None


@dataclass(frozen=True, slots=True)
class TrackFacets:
    """All of one recording."""

    vectors: Mapping[Facet, Float32]
    """Per facet a vector of unit length."""
    measures: Measures
    curve: Float32 = field(repr=False)
    """(n,) the course of energy over the recording in even steps, in [0, 1]."""
