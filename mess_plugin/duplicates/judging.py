"""Two recordings → what they are to each other.

Two things must agree: the windows run along a line (`course.py`), and the harmonies follow each
other in the same way (`mess_plugin.facets.harmony`), at one transposition. How surely that tells
duplicates from other tracks of an album is measured in docs/quality.md.
"""

from __future__ import annotations

import numpy as np

from mess_plugin.duplicates.course import Course, follow
from mess_plugin.facets import harmony
from mess_plugin.model import Float32, LevelVectors
from mess_plugin.store.duplicates import Evidence

REVISION = "1"
"""Changes whenever a pair of recordings would be judged otherwise."""

LEAST_COVERAGE = 0.75  # of the longer recording
LEAST_HARMONY = 0.93
ALTERED_LEAD = 0.18  # where speed or pitch explain why the windows are less alike
VERSION_LEAD = 0.30
SAME_LEAD, SAME_LIKENESS = 0.55, 0.80
SAME_SPEED = 0.015  # a share: speeds are tried in hundredths


def transposition(one: Float32, other: Float32) -> tuple[float, int]:
    """(cosine of two harmonies, (dim,) each, at the best transposition; semitones of that, -5 to 6).

    The semitones are those by which the other is higher.
    """
    moved = np.concatenate([harmony.transposed(one[None], roll) for roll in range(12)])
    cosines = moved @ other
    roll = int(np.argmax(cosines))
    return float(cosines[roll]), roll if roll <= 6 else roll - 12


def heard(
    one: LevelVectors, other: LevelVectors, one_harmony: Float32, other_harmony: Float32
) -> tuple[Course, Evidence] | None:
    """What speaks for two recordings being the same music; None where one is too short.

    one, other: their windows; the harmonies: their facet, (dim,) each.
    """
    course = follow(one, other)
    if course is None:
        return None
    likeness, semitones = transposition(one_harmony, other_harmony)
    evidence = Evidence(
        likeness=course.likeness,
        coverage=course.coverage,
        speed=course.speed,
        offset_s=course.offset_s,
        harmony=likeness,
        semitones=semitones,
    )
    return course, evidence


def kind_of(course: Course, evidence: Evidence) -> str | None:
    """ "same", "altered" or "version"; None where they are not the same music.

    same: one recording, perhaps encoded, cut, levelled or mastered otherwise. altered: at another
    speed or pitch. version: the same course and harmony with another sound, such as another mix or
    performance.
    """
    if evidence.coverage < LEAST_COVERAGE or evidence.harmony < LEAST_HARMONY:
        return None
    if abs(evidence.speed - 1) > SAME_SPEED or evidence.semitones:
        return "altered" if course.lead >= ALTERED_LEAD else None
    if course.lead >= SAME_LEAD and evidence.likeness >= SAME_LIKENESS:
        return "same"
    return "version" if course.lead >= VERSION_LEAD else None
