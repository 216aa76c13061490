"""Two recordings → what they are to each other.

Two things must agree: the windows run along a line (`course.py`), and the harmonies follow each
other in the same way (`mess_plugin.facets.harmony`), at one transposition. How surely that tells
duplicates from other tracks of an album is measured in docs/quality.md.
"""

from __future__ import annotations

import msgspec
import numpy as np

from mess_plugin.duplicates.time_alignment import Course, follow
from mess_plugin.facets import harmony
from mess_plugin.model import Float32, LevelVectors
from mess_plugin.store.duplicates import Evidence

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


class Portrait(msgspec.Struct, frozen=True):
    """What is stored of a recording that duplicates are told by.

    windows: in order of time. harmony: the facet, (dim,). range_lu: the loudness range, None where
    there is none.
    """

    windows: LevelVectors
    harmony: Float32
    range_lu: float | None = None


def transposition(one: Float32, other: Float32) -> tuple[float, int]:
    """(cosine of two harmonies, (dim,) each, at the best transposition; semitones of that, -5 to 6).

    The semitones are those by which the other is higher.
    """
    moved = np.concatenate([harmony.transposed(one[None], roll) for roll in range(12)])
    cosines = moved @ other
    roll = int(np.argmax(cosines))
    return float(cosines[roll]), roll if roll <= 6 else roll - 12


def heard(one: Portrait, other: Portrait) -> tuple[Course, Evidence] | None:
    """What speaks for two recordings being the same music; None where one is too short."""
    course = follow(one.windows, other.windows)
    if course is None:
        return None
    likeness, semitones = transposition(one.harmony, other.harmony)
    evidence = Evidence(
        likeness=course.likeness,
        coverage=course.coverage,
        speed=course.speed,
        offset_s=course.offset_s,
        harmony=likeness,
        semitones=semitones,
        range_lu=_apart(one.range_lu, other.range_lu),
    )
    return course, evidence


def _apart(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else abs(one - other)


def kind_of(course: Course, evidence: Evidence) -> str | None:
    """ "same", "remaster", "altered" or "version"; None where they are not the same music.

    same: one recording, perhaps encoded, cut or levelled otherwise. remaster: the same with another
    loudness range. altered: at another speed or pitch. version: the same course
    and harmony with another sound, such as another mix or performance.
    """
    if evidence.coverage < LEAST_COVERAGE or evidence.harmony < LEAST_HARMONY:
        return None
    if abs(evidence.speed - 1) > SAME_SPEED or evidence.semitones:
        return "altered" if course.lead >= ALTERED_LEAD else None
    if course.lead >= SAME_LEAD and evidence.likeness >= SAME_LIKENESS:
        if not _is_mastered_otherwise(evidence):
            return "same"
        return "remaster" if course.lead >= REMASTER_LEAD else "version"
    return "version" if course.lead >= VERSION_LEAD else None


def _is_mastered_otherwise(evidence: Evidence) -> bool:
    """Whether loudness ranges differ by more than encoding, levelling and cutting explain.

    Spectral balance is not asked: encoding at low rates changes it as much (docs/quality.md).
    """
    if evidence.range_lu is None or evidence.coverage < WHOLE:
        return False
    return evidence.range_lu > SAME_RANGE_LU
