"""Words for people."""

from __future__ import annotations

import pytest

from mess_plugin.model import Interval, Tags, Track
from mess_plugin.search.explain import clock, part_reason, section_reason, told


@pytest.mark.parametrize(
    ("start_s", "end_s", "text"),
    [
        (0, 59.4, "0:00–0:59"),
        (59.6, 60.5, "1:00–1:00"),
        (72, 100, "1:12–1:40"),
        (3599.6, 36000, "1:00:00–10:00:00"),
    ],
)
def test_clock(start_s: float, end_s: float, text: str) -> None:
    assert clock(Interval(start_s, end_s)) == text


def test_reasons_carry_the_number_that_they_tell() -> None:
    alone = part_reason("song", 0.876, 1.0)
    assert (alone.kind, alone.value, alone.text) == ("song", 0.876, "as wholes 0.88")
    share = part_reason("timbre", 0.5, 0.25)
    assert (share.kind, share.value, share.text) == ("timbre", 0.125, "timbre 0.50 × 0.25")
    assert part_reason("course", 0.4, 0.5).text == "in their course 0.40 × 0.50"
    reason = section_reason(Interval(0, 10), Interval(60, 70), 0.5)
    assert (reason.kind, reason.value) == ("section", 0.5)
    assert reason.text == "0:00–0:10 ↔ 1:00–1:10: 0.50"


def test_people_are_told_what_made_the_score_and_the_facts() -> None:
    reasons = [
        part_reason("song", 0.8, 0.5),
        part_reason("timbre", 0.5, 0.04),
        part_reason("rhythm", 0.9, 0.5, unheard=True),
        section_reason(Interval(0, 10), Interval(60, 70), 0.01),
    ]
    assert told(reasons, 0.8) == (
        "as wholes 0.80 × 0.50; rhythm (unheard) 0.90 × 0.50; 0:00–0:10 ↔ 1:00–1:10: 0.01"
    )


def test_a_track_is_called_by_what_is_known() -> None:
    assert Track(1, 1.0, Tags(title="T", artist="A", album="L")).describe() == "A – T (L)"
    assert Track(1, 1.0, Tags(title="T")).describe() == "T"
    assert Track(1, 1.0, Tags(artist="A"), ("/m/t.mp3",)).describe() == "A – t.mp3"
    assert Track(7, 1.0, Tags()).describe() == "track 7"


def test_intervals() -> None:
    assert Interval(2, 5).duration_s == 3
    assert Interval(0, 5).overlap_s(Interval(3, 9)) == 2
    assert Interval(0, 5).overlap_s(Interval(5, 9)) == 0
