"""Reasons: the numbers behind a match, and the same for people.

Kinds of parts: the views of the feel ("song", "windows", "course"), the facets, "blend", "leaning" and
"unlike"; their values add up to the score. Kinds of facts: "section", "repeats", "alike", "tags",
"tempo" and "key".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mess_plugin.facets import Facet
from mess_plugin.facets.key import compatible, relation
from mess_plugin.facets.values import SAME_TEMPO
from mess_plugin.model import Interval, LevelVectors, Reason
from mess_plugin.search.rerank import COURSE, SONG, WINDOWS

_TELLING = 0.1
_STRIKING, _MOST_NAMED = 0.95, 2  # how alike in a facet is worth naming it, and how many are named
_FINE = 0.99  # likeness from which tenths of a percent are told
_MOST_TAGS = 3  # are named
_EQUAL_TEMPO = 1.02  # tempi that nobody tells apart
_IN_WORDS = {SONG: "as wholes", WINDOWS: "part by part", COURSE: "in their course"}


def part_reason(what: str, likeness: float, share: float, *, unheard: bool = False) -> Reason:
    """A part of a score: of one view of the feel, or of one facet. value: share * likeness.

    unheard: nothing of a facet was heard in one of the two, so that the views stand in for it.
    """
    text = f"{_IN_WORDS.get(what, what)}{' (unheard)' if unheard else ''} {likeness:.2f}"
    return Reason(what, share * likeness, text if share == 1 else f"{text} × {share:.2f}", likeness)


def alike_reason(shares: Mapping[str, float]) -> Reason | None:
    """The facets in which two are strikingly alike, if any. value: how many there are.

    shares: facet → the share of random pairs of the library that are less alike in it.
    """
    striking = [facet for facet, share in shares.items() if share >= _STRIKING]
    if not striking:
        return None
    best = sorted(striking, key=lambda facet: -shares[facet])[:_MOST_NAMED]
    return Reason("alike", float(len(striking)), f"alike in {' and '.join(best)}")


def tags_reason(own: Sequence[str], other: Sequence[str]) -> Reason | None:
    """The tags that are heard in both, if any. value: how many there are."""
    both = [tag for tag in own if tag in other]
    if not both:
        return None
    return Reason("tags", float(len(both)), f"both {', '.join(both[:_MOST_TAGS])}")


def in_words(reasons: Sequence[Reason]) -> str:
    """What is alike, in a few words for people: "both 96 bpm · both A minor · alike in timbre"."""
    said = [
        one.text
        for one in reasons
        if (one.kind in ("tempo", "key") and one.likeness)
        or one.kind in ("repeats", "alike", "tags")
    ]
    return " · ".join(said) or "the overall sound"


def percent(likeness: float) -> str:
    """A likeness for people: "99.8 %". More than can be told from a sample is never "100 %"."""
    if likeness < _FINE:
        return f"{likeness * 100:.0f} %"
    return f"{min(likeness * 100, 99.9):.1f} %"


def told(reasons: Sequence[Reason], score: float) -> str:
    """Reasons in a line for people, without parts that make up less than a tenth of the score."""
    small = {*_IN_WORDS, *Facet, "leaning"}
    return "; ".join(
        one.text for one in reasons if one.kind not in small or abs(one.value) >= _TELLING * score
    )


def section_reason(own: Interval, other: Interval, similarity: float, share: float = 1.0) -> Reason:
    """Which stretches are alike, and how much. value: share * similarity."""
    text = f"{clock(own)} ↔ {clock(other)}: {similarity:.2f}"
    text = text if share == 1 else f"{text} × {share:.2f}"
    return Reason("section", share * similarity, text, similarity)


def blended(source: str, value: float, share: float) -> Reason:
    """What a score from elsewhere adds. value: share * value."""
    return Reason("blend", share * value, f"{Path(source).name} {value:.2f} × {share:.2f}")


def leaning(value: float) -> Reason:
    """What the listener's leaning in timbre adds, or takes away where it is negative."""
    return Reason("leaning", value, f"timbre {'liked' if value > 0 else 'disliked'} {value:+.2f}")


def unlike(taken: float) -> Reason:
    """What likeness to the negative seeds takes away. value: negative."""
    return Reason("unlike", -taken, f"like what it should not be −{taken:.2f}")


def tempo_reason(own_bpm: float, other_bpm: float) -> Reason:
    """How two tempi stand to each other. value: ratio of the faster to the slower, at the octave.

    likeness: 1 within 6 %, else 0.
    """
    octave = min(
        (0.5, 1.0, 2.0), key=lambda o: max(other_bpm * o, own_bpm) / min(other_bpm * o, own_bpm)
    )
    ratio = max(other_bpm * octave, own_bpm) / min(other_bpm * octave, own_bpm)
    pair = f"{own_bpm:.0f} and {other_bpm:.0f} bpm"
    if octave == 1.0:
        text = f"both {own_bpm:.0f} bpm" if round(own_bpm) == round(other_bpm) else pair
    elif ratio <= _EQUAL_TEMPO:
        text = f"{pair}, {'half' if octave == 2.0 else 'double'} time"
    else:
        text = pair
    return Reason("tempo", ratio, text, float(ratio <= SAME_TEMPO))


def key_reason(own: tuple[int, str], other: tuple[int, str]) -> Reason:
    """How two keys stand to each other. value: semitones between the tonics, 0 to 6.

    likeness: 1 where they mix (`mess_plugin.facets.key.compatible`), else 0.
    """
    apart = abs((own[0] - other[0] + 6) % 12 - 6)
    return Reason("key", float(apart), relation(own, other), float(compatible(own, other)))


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
