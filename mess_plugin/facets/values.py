"""The values that describe a recording facet by facet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from mess_plugin.model import Float32

REVISION = "2"
"""Changes whenever a facet or a measure of the same sound changes."""


class Facet(StrEnum):
    """One aspect of the feel of music."""

    TIMBRE = "timbre"
    HARMONY = "harmony"
    RHYTHM = "rhythm"
    ENERGY = "energy"
    STRUCTURE = "structure"


class TempoEstimate(msgspec.Struct, frozen=True):
    """Beats per minute and how far they stand out, in [0, 1]: 0 where nothing recurs."""

    bpm: float
    confidence: float


class KeyEstimate(msgspec.Struct, frozen=True):
    """tonic: 0 is C, 11 is B; mode: "major" or "minor"; confidence in [0, 1]."""

    tonic: int
    mode: str
    confidence: float


class Loudness(msgspec.Struct, frozen=True):
    """EBU R128: integrated loudness in LUFS and loudness range in LU; None below the gate."""

    integrated_lufs: float | None
    range_lu: float | None


class Measures(msgspec.Struct, frozen=True):
    """What people ask for by number. tempo, key: None where there is none to be heard.

    activity: how much happens, in [0, 1], the share of a calibration library that is calmer; see
    `mess_plugin.facets.energy`. brightness, drive: shares of that library as well, see
    `mess_plugin.facets.attributes`; None where an older MESS heard the track.
    """

    tempo: TempoEstimate | None
    key: KeyEstimate | None
    loudness: Loudness
    activity: float
    brightness: float | None = None
    drive: float | None = None


@dataclass(frozen=True, slots=True)
class TrackFacets:
    """All of one recording: per facet a float32 vector of unit length, and the measures.

    curve: (n,) float32, the course of energy over the recording in even steps, in [0, 1].
    """

    vectors: Mapping[Facet, Float32]
    measures: Measures
    curve: Float32 = field(repr=False)
