"""Reasons: the numbers behind a match, and the same for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mess_plugin.facets import Facet
from mess_plugin.model import Interval, LevelVectors, Reason
from mess_plugin.search.passages import FoundPassage
from mess_plugin.search.rerank import COURSE, SONG, WINDOWS

_TELLING = 0.1
_IN_WORDS = {SONG: "as wholes", WINDOWS: "part by part", COURSE: "in their course"}


def part_reason(what: str, likeness: float, share: float, *, unheard: bool = False) -> Reason:
    """A part of a score: of one view of the feel, or of one facet. value: share * likeness.

    unheard: nothing of a facet was heard in one of the two, so that the views stand in for it.
    """
    text = f"{_IN_WORDS.get(what, what)}{' (unheard)' if unheard else ''} {likeness:.2f}"
    return Reason(what, share * likeness, text if share == 1 else f"{text} × {share:.2f}")


def told(reasons: Sequence[Reason], score: float) -> str:
    """Reasons in a line for people, without parts that make up less than a tenth of the score."""
    small = {*_IN_WORDS, *Facet, "leaning"}
    return "; ".join(
        one.text for one in reasons if one.kind not in small or abs(one.value) >= _TELLING * score
    )


def passage_reasons(asked: Interval, found: FoundPassage) -> tuple[Reason, ...]:
    """Where the passage is, and how often it comes."""
    where = section_reason(asked, found.passage.interval, found.passage.similarity)
    if not found.repeats:
        return (where,)
    times = len(found.repeats) + 1
    return where, Reason("repeats", float(times), f"comes {times} times")


def section_reason(own: Interval, other: Interval, similarity: float) -> Reason:
    """Which stretches are alike, and how much."""
    return Reason("section", similarity, f"{clock(own)} ↔ {clock(other)}: {similarity:.2f}")


def best_pair(own: LevelVectors, other: LevelVectors) -> tuple[Interval, Interval, float] | None:
    """The two most similar sections of two tracks and their cosine; None where one has none."""
    if not len(own.vectors) or not len(other.vectors):
        return None
    cosines = own.vectors @ other.vectors.T
    i, j = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
    return (
        Interval(*own.intervals[i].tolist()),
        Interval(*other.intervals[j].tolist()),
        float(cosines[i, j]),
    )


def clock(interval: Interval) -> str:
    """An interval as minutes and seconds: "1:12–1:40"."""
    return f"{timestamp(interval.start_s)}–{timestamp(interval.end_s)}"


def timestamp(seconds: float) -> str:
    """A moment as minutes and seconds, with hours where there are any: "1:12", "1:00:05"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
