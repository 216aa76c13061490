"""Reasons: the numbers behind a match, and the same for people."""

from __future__ import annotations

from mess_plugin.model import Interval, Reason
from mess_plugin.passages import FoundPassage
from mess_plugin.rerank import Likeness, Weights


def song_reason(similarity: float) -> Reason:
    """How alike two songs are as wholes."""
    return Reason("song", similarity, f"as wholes {similarity:.2f}")


def likeness_reasons(likeness: Likeness, weights: Weights) -> tuple[Reason, ...]:
    """The views that made the score of two songs, the ones that were not asked left out."""
    reasons = [song_reason(likeness.song)]
    if weights.windows:
        text = f"part by part {likeness.windows:.2f}"
        reasons.append(Reason("windows", likeness.windows, text))
    if weights.course:
        text = f"in their course {likeness.course:.2f}"
        reasons.append(Reason("course", likeness.course, text))
    return tuple(reasons)


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


def clock(interval: Interval) -> str:
    """An interval as minutes and seconds: "1:12–1:40"."""
    return f"{timestamp(interval.start_s)}–{timestamp(interval.end_s)}"


def timestamp(seconds: float) -> str:
    """A moment as minutes and seconds, with hours where there are any: "1:12", "1:00:05"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
