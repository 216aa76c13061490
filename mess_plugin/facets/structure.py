"""Structure: which parts of a recording return, and when, whatever they are made of.

The self-similarity of a recording in relative time, so that two recordings of different length with
the same form come out alike (after J. P. Bello, "Measuring structural similarity in music", IEEE
TASLP 19, 2011, who compares recurrence plots), with its sections.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.sections import find_sections
from mess_plugin.facets.statistics import COURSE_HZ, Sketch
from mess_plugin.model import Float32, Timeline

STEPS = 24  # of relative time
_PAIRS = np.triu_indices(STEPS, k=1)


def describe(sketch: Sketch) -> Float32:
    """(STEPS * (STEPS - 1) / 2 + 4,) float32.

    Likeness of every two steps of relative time; then sections per minute, the share of sections
    that repeat an earlier one, the share of the longest, and how uneven their lengths are.
    """
    frames = _standardised(sketch.course)
    edges = np.linspace(0, len(frames), STEPS + 1)
    steps = np.stack(
        [
            frames[min(int(a), len(frames) - 1) : max(int(b), int(a) + 1)].mean(axis=0)
            for a, b in pairwise(edges)
        ]
    )
    likeness = unit(steps.astype(np.float32))
    pairs = (likeness @ likeness.T)[_PAIRS]
    return np.concatenate([pairs, _form(sketch, frames)]).astype(np.float32)


def _form(sketch: Sketch, frames: Float32) -> Float32:
    level_db = sketch.level_db[: len(frames)]
    sections = find_sections(Timeline(frames, COURSE_HZ, level_db, sketch.duration_s))
    lengths = np.diff(sections.intervals, axis=1)[:, 0] / max(sketch.duration_s, 1e-9)
    n = len(sections.labels)
    return np.array(
        [
            n / max(sketch.duration_s / 60, 1e-9),
            1 - len(set(sections.labels)) / n,
            lengths.max(),
            lengths.std() * np.sqrt(n),
        ],
        dtype=np.float32,
    )


def _standardised(course: Float32) -> Float32:
    spread = course.std(axis=0)
    floor = max(1e-3 * float(spread.max(initial=0.0)), 1e-9)
    return np.asarray((course - course.mean(axis=0)) / np.maximum(spread, floor), np.float32)
