"""Key: the major or minor scale whose profile the pitch classes follow best.

C. Krumhansl's method (Cognitive Foundations of Musical Pitch, 1990) with the profiles that J.
Albrecht and D. Shanahan fitted to scores ("The use of large corpora to train a new type of
key-finding algorithm", Music Perception 31, 2013).
"""

from __future__ import annotations

import re

import numpy as np

from mess_plugin.facets.values import KeyEstimate
from mess_plugin.model import Float32

NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
_MODES = ("major", "minor")
_CERTAIN_MARGIN = 0.3  # of correlation over the runner-up
_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
_NAMED = re.compile(r"([a-hA-H])\s*([#♯b♭]?)\s*(.*)")
_WHEEL = re.compile(r"0?(\d{1,2})\s*([abmdABMD])")


def estimate(chroma: Float32, weights: Float32) -> KeyEstimate | None:
    """The key of (n, 12) chroma, C first, each row counting by its weight; None without pitch.

    confidence: the margin of correlation over the best other key, 1 from 0.3 on.
    """
    profile = weights @ np.maximum(0, chroma - chroma.mean(axis=1, keepdims=True))
    if profile.std() < 1e-6:
        return None
    templates = np.array([np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)])
    correlations = np.array([np.corrcoef(profile, template)[0, 1] for template in templates])
    best, second = np.argsort(-correlations, kind="stable")[:2]
    margin = (correlations[best] - correlations[second]) / _CERTAIN_MARGIN
    return KeyEstimate(int(best % 12), _MODES[best // 12], float(np.clip(margin, 0, 1)))


def name(tonic: int, mode: str) -> str:
    """For people: "A minor"."""
    return f"{NAMES[tonic]} {mode}"


def parse(text: str) -> tuple[int, str] | None:
    """(tonic, mode) of what people write: "Am", "F# minor", "Bb", "8A" (Camelot), "1m" (Open Key).

    None where it is no key.
    """
    text = text.strip()
    if wheel := _WHEEL.fullmatch(text):
        return _from_wheel(int(wheel[1]), wheel[2].lower())
    named = _NAMED.fullmatch(text)
    if named is None:
        return None
    tonic = _LETTERS[named[1].lower()] + {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(named[2], 0)
    mode = named[3].strip()
    if mode in {"", "M"} or mode.lower() in {"maj", "major", "dur"}:
        return tonic % 12, "major"
    if mode == "m" or mode.lower() in {"min", "minor", "moll"}:
        return tonic % 12, "minor"
    return None


def compatible(one: tuple[int, str], other: tuple[int, str]) -> bool:
    """Whether two keys mix well: the same, relative major and minor, or a fifth apart."""
    return abs((_fifths(one) - _fifths(other) + 6) % 12 - 6) <= (one[1] == other[1])


def relation(one: tuple[int, str], other: tuple[int, str]) -> str:
    """How two keys stand to each other, for people."""
    if one == other:
        return f"both {name(*one)}"
    distance = (_fifths(one) - _fifths(other) + 6) % 12 - 6
    if distance == 0:
        kind = "relative keys"
    elif one[0] == other[0]:
        kind = "parallel keys"
    elif abs(distance) == 1 and one[1] == other[1]:
        kind = "a fifth apart"
    else:
        kind = "closely related" if abs(distance) == 1 else f"{abs(distance)} fifths apart"
    return f"{name(*one)} and {name(*other)}, {kind}"


def _fifths(key: tuple[int, str]) -> int:
    """Place on the circle of fifths of the key's signature; C major and A minor are 0."""
    tonic, mode = key
    return ((tonic + (3 if mode == "minor" else 0)) * 7) % 12


def _from_wheel(hour: int, letter: str) -> tuple[int, str] | None:
    """Camelot: 8B is C major, 8A is A minor. Open Key: 1d is C major, 1m is A minor."""
    if not 1 <= hour <= 12:
        return None
    fifths = hour - 8 if letter in "ab" else hour - 1
    major = fifths * 7 % 12
    return (major, "major") if letter in "bd" else ((major + 9) % 12, "minor")
