"""A readable name for a cluster, from what distinguishes it: activity, tempo, loudness, mode, tags.

Each word compares the cluster with the whole library; a cluster without such a word is "mixed".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

from mess_plugin.store.filters import Facts

_SHIFT = 0.5  # standard deviations of the library by which a group's median must differ
_SHARE = 0.5  # of a group, that must have a tag …
_LIFT = 1.5  # … and this many times its share in the library
_MINOR = 0.25  # more (or less) of a mode than in the library
_WORDS = 3
_MEASURED: tuple[tuple[Callable[[Facts], float | None], str, str], ...] = (
    (lambda one: one.activity, "driving", "calm"),
    (lambda one: one.tempo_bpm, "fast", "slow"),
    (lambda one: one.loudness_lufs, "loud", "quiet"),
)


def names_of(facts: Sequence[Facts], groups: Sequence[Sequence[int]]) -> list[str]:
    """One distinct name for each group of places in `facts`."""
    names: list[str] = []
    for places in groups:
        words = [*_tagged(facts, places), *_measured(facts, places), *_mode(facts, places)]
        name = ", ".join(words[:_WORDS]) or "mixed"
        if name in names and len(words) > _WORDS:
            name = ", ".join(words)
        names.append(name if name not in names else _numbered(name, names))
    return names


def _numbered(name: str, taken: Sequence[str]) -> str:
    return next(text for n in count(2) if (text := f"{name} ({n})") not in taken)


def _measured(facts: Sequence[Facts], places: Sequence[int]) -> list[str]:
    """Words for what lies off the library's median, the furthest first."""
    found: list[tuple[float, str]] = []
    for value, more, less in _MEASURED:
        everyone = [v for one in facts if (v := value(one)) is not None]
        own = [v for place in places if (v := value(facts[place])) is not None]
        if not own or 2 * len(own) < len(places) or (spread := float(np.std(everyone))) < 1e-6:
            continue
        shift = (float(np.median(own)) - float(np.median(everyone))) / spread
        if abs(shift) >= _SHIFT:
            found.append((abs(shift), more if shift > 0 else less))
    return [word for _shift, word in sorted(found, key=lambda one: -one[0])]


def _mode(facts: Sequence[Facts], places: Sequence[int]) -> list[str]:
    everyone = [one.mode for one in facts if one.mode]
    own = [mode for place in places if (mode := facts[place].mode)]
    if not own:
        return []
    more_minor = own.count("minor") / len(own) - everyone.count("minor") / len(everyone)
    if abs(more_minor) < _MINOR:
        return []
    return ["minor" if more_minor > 0 else "major"]


def _tagged(facts: Sequence[Facts], places: Sequence[int]) -> list[str]:
    """The genre, else the artist, else the decade that most of a group has and the rest has not."""
    for values in (_genres, _artist, _decade):
        library = Counter(text for one in facts for text in values(one))
        own = Counter(text for place in places for text in values(facts[place]))
        # In an order that does not depend on how sets are laid out in this process.
        for text, times in sorted(own.items(), key=lambda item: (-item[1], item[0])):
            share, usual = times / len(places), library[text] / len(facts)
            if share >= _SHARE and share >= _LIFT * usual:
                return [text]
    return []


def _genres(one: Facts) -> set[str]:
    parts = (one.genre or "").replace("/", ";").replace(",", ";").split(";")
    return {part.strip().casefold() for part in parts if part.strip()}


def _artist(one: Facts) -> set[str]:
    return {one.artist} if one.artist else set()


def _decade(one: Facts) -> set[str]:
    return {f"{one.year // 10 * 10}s"} if one.year else set()
