"""Facets: what a recording is like in one respect, measured from the sound itself.

    extract.py     blocks of sound → everything below, in one pass and bounded memory
    statistics.py  what all of it is computed from
    timbre.py      what it sounds like, whatever is played
    harmony.py     which chords follow which, in any key or in the exact one
    rhythm.py      the periods of its onsets
    energy.py      how loudness and activity are spread, and their course
    attributes.py  how bright it sounds, how much it drives
    structure.py   which parts return, and when
    tempo.py, key.py, loudness.py   three numbers that people know, each with its confidence
    scale.py       typical values, so that facets can be weighed against each other

They do not depend on the encoder: a track has one of each, and a new encoder changes none.
"""

from mess_plugin.facets.values import (
    REVISION,
    Facet,
    KeyEstimate,
    Loudness,
    Measures,
    TempoEstimate,
    TrackFacets,
)

__all__ = [
    "REVISION",
    "Facet",
    "KeyEstimate",
    "Loudness",
    "Measures",
    "TempoEstimate",
    "TrackFacets",
]
