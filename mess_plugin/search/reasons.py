"""Why a track answered: the parts of its score, which add up to it, and facts beside them.

Kinds of parts: the views of the feel ("song", "windows", "course"; `mess_plugin.search.explain`),
the facets, "blend", "leaning" and "unlike"; their values add up to the score. Kinds of facts:
"section", "tempo" and "key".
"""

from __future__ import annotations

from pathlib import Path

from mess_plugin.facets.key import relation
from mess_plugin.model import Reason

_SAME = 1.02  # tempi that nobody tells apart


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
    """How two tempi stand to each other. value: ratio of the faster to the slower, at the octave."""
    octave = min(
        (0.5, 1.0, 2.0), key=lambda o: max(other_bpm * o, own_bpm) / min(other_bpm * o, own_bpm)
    )
    ratio = max(other_bpm * octave, own_bpm) / min(other_bpm * octave, own_bpm)
    pair = f"{own_bpm:.0f} and {other_bpm:.0f} bpm"
    if octave == 1.0:
        text = f"both {own_bpm:.0f} bpm" if round(own_bpm) == round(other_bpm) else pair
    elif ratio <= _SAME:
        text = f"{pair}, {'half' if octave == 2.0 else 'double'} time"
    else:
        text = pair
    return Reason("tempo", ratio, text)


def key_reason(own: tuple[int, str], other: tuple[int, str]) -> Reason:
    """How two keys stand to each other. value: semitones between the tonics, 0 to 6."""
    apart = abs((own[0] - other[0] + 6) % 12 - 6)
    return Reason("key", float(apart), relation(own, other))
