"""Reasons: the numbers behind a match, and the same for people."""

from __future__ import annotations

from mess_plugin.model import Interval, Reason


def song_reason(similarity: float) -> Reason:
    """How alike two songs are as wholes."""
    return Reason("song", similarity, f"as wholes {similarity:.2f}")


def section_reason(own: Interval, other: Interval, similarity: float) -> Reason:
    """Which stretches are alike, and how much."""
    return Reason("section", similarity, f"{clock(own)} ↔ {clock(other)}: {similarity:.2f}")


def clock(interval: Interval) -> str:
    """An interval as minutes and seconds: "1:12–1:40"."""
    return f"{_clock(interval.start_s)}–{_clock(interval.end_s)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
