"""Decides whether two recordings are the same music, and in which way.

Two things must agree: the windows align in time (`time_alignment.py`), and the harmonies follow each
other in the same way (`mess_plugin.facets.harmony`), at one transposition. How well that separates
duplicates from other tracks of an album: docs/measurements/duplicates.md.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np

from mess_plugin.duplicates.time_alignment import TimeAlignment, align
from mess_plugin.facets import harmony
from mess_plugin.model import Float32, LevelVectors, Tags
from mess_plugin.store.duplicates import LinkEvidence

REVISION = "2"
"""Changes whenever a pair of recordings would be judged otherwise."""

LEAST_COVERAGE = 0.75  # of the longer recording
LEAST_HARMONY = 0.93
ALTERED_LEAD = 0.18  # where speed or pitch explain why the windows are less alike
VERSION_LEAD = 0.30
SAME_LEAD, SAME_LIKENESS = 0.55, 0.80
SAME_SPEED = 0.015  # a share: speeds are tried in hundredths
SAME_RANGE_LU = 0.25
WHOLE = 0.985  # coverage from which loudness ranges can be compared: what is cut off changes them
REMASTER_LEAD = 0.80  # less than this with another range may be another performance

_TAG_WORDS = {
    "live": re.compile(r"\blive\b", re.IGNORECASE),
    "remaster": re.compile(r"\bre-?master(ed)?\b", re.IGNORECASE),
}
_ALLOWED_BY_EAR = {"live": ("version", "altered"), "remaster": ("same",)}


class DuplicateFeatures(msgspec.Struct, frozen=True):
    """The stored features of a recording by which duplicates are recognised."""

    windows: LevelVectors
    """In order of time."""
    harmony: Float32
    """The facet, (dim,)."""
    range_lu: float | None = None
    """Loudness range; None where there is none."""


def transposition(one: Float32, other: Float32) -> tuple[float, int]:
    """(cosine of two harmonies, (dim,) each, at the best transposition; semitones of that, -5 to 6).

    The semitones are those by which the other is higher.
    """
    moved = np.concatenate([harmony.transposed(one[None], roll) for roll in range(12)])
    cosines = moved @ other
    roll = int(np.argmax(cosines))
    return float(cosines[roll]), roll if roll <= 6 else roll - 12


def compare(
    one: DuplicateFeatures, other: DuplicateFeatures
) -> tuple[TimeAlignment, LinkEvidence] | None:
    """The evidence that two recordings are the same music; None where one is too short."""
    alignment = align(one.windows, other.windows)
    if alignment is None:
        return None
    likeness, semitones = transposition(one.harmony, other.harmony)
    evidence = LinkEvidence(
        likeness=alignment.likeness,
        coverage=alignment.coverage,
        speed=alignment.speed,
        offset_s=alignment.offset_s,
        harmony=likeness,
        semitones=semitones,
        range_lu=_apart(one.range_lu, other.range_lu),
    )
    return alignment, evidence


def _apart(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else abs(one - other)


def kind_of(alignment: TimeAlignment, evidence: LinkEvidence) -> str | None:
    """ "same", "remaster", "altered" or "version"; None where they are not the same music.

    same: one recording, perhaps encoded, cut or levelled differently. remaster: the same with another
    loudness range. altered: at another speed or pitch. version: the same progression and harmony with
    another sound, such as another mix or performance.
    """
    if evidence.coverage < LEAST_COVERAGE or evidence.harmony < LEAST_HARMONY:
        return None
    if abs(evidence.speed - 1) > SAME_SPEED or evidence.semitones:
        return "altered" if alignment.lead >= ALTERED_LEAD else None
    if alignment.lead >= SAME_LEAD and evidence.likeness >= SAME_LIKENESS:
        if not _is_mastered_otherwise(evidence):
            return "same"
        return "remaster" if alignment.lead >= REMASTER_LEAD else "version"
    return "version" if alignment.lead >= VERSION_LEAD else None


def _is_mastered_otherwise(evidence: LinkEvidence) -> bool:
    """Whether loudness ranges differ by more than encoding, levelling and cutting explain.

    Spectral balance is not used: encoding at low rates changes it as much
    (docs/measurements/duplicates.md).
    """
    if evidence.range_lu is None or evidence.coverage < WHOLE:
        return False
    return evidence.range_lu > SAME_RANGE_LU


def kind_with_tags(kind: str, one: Tags, other: Tags) -> str:
    """ "live" or "remaster" where the tags of only one say so and its sound allows it, else kind.

    Tags alone link nothing.
    """
    for word, kinds in _ALLOWED_BY_EAR.items():
        if kind in kinds and _says(one, word) != _says(other, word):
            return word
    return kind


def _says(tags: Tags, word: str) -> bool:
    return any(_TAG_WORDS[word].search(text or "") for text in (tags.title, tags.album))
