"""Names of clusters, from the words that distinguish their tracks from the rest of the library.

A track has words: its moods, tags, tempo, loudness and mode as they were heard, and what is written in
its file. A word weighs
its share in the cluster times the logarithm of how much larger that is than its share in the library
(term frequency times inverse document frequency; K. Spärck Jones, Journal of Documentation 28, 1972).
No two clusters have the same name, nor the same words in another order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from math import log

from mess_plugin.search.query import moods_of
from mess_plugin.store.filters import Facts

_SHARE = 0.4  # of a cluster, that must have a word …
_LIFT = 1.25  # … and this many times its share in the library
_WORDS = 2  # of a name, more where two clusters would be called the same
_SLOW_BPM, _FAST_BPM = 80.0, 130.0
_QUIET_LUFS, _LOUD_LUFS = -20.0, -11.0


def names_of(facts: Sequence[Facts], groups: Sequence[Sequence[int]]) -> list[str]:
    """A name for each group of places in `facts`, the most central place first; no two are equal."""
    words = [frozenset(_words(one)) for one in facts]
    usual = Counter(word for own in words for word in own)
    names: list[tuple[str, ...]] = []
    for places in groups:
        telling = _telling([words[place] for place in places], usual, len(facts))
        taken = {frozenset(name) for name in names}
        titles = [facts[place].name for place in places]
        names.append(next(name for name in _names(telling, titles) if frozenset(name) not in taken))
    return [", ".join(name) for name in names]


def _telling(own: Sequence[frozenset[str]], usual: Counter[str], n_tracks: int) -> list[str]:
    """The words that tell a group from the library, the most telling first."""
    weights = {}
    for word, times in Counter(word for one in own for word in one).items():
        share, lift = times / len(own), times / len(own) / (usual[word] / n_tracks)
        if share >= _SHARE and lift >= _LIFT:
            weights[word] = share * log(lift)
    return sorted(weights, key=lambda word: (-weights[word], word))


def _names(telling: Sequence[str], titles: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Names without end, the shortest first: words, then the titles of central tracks as well."""
    if telling:
        yield from (tuple(telling[:n]) for n in range(min(_WORDS, len(telling)), len(telling) + 1))
    start = tuple(telling[:_WORDS])
    yield from ((*start, f"like “{title}”") for title in titles)
    yield from ((*start, f"like “{titles[0]}”", str(n)) for n in count(2))


def _words(one: Facts) -> Iterator[str]:
    """What people say of a track."""
    yield from moods_of(one)
    yield from one.heard_tags
    yield from _genres(one)
    if one.artist:
        yield one.artist
    if one.year:
        yield f"{one.year // 10 * 10}s"
    if one.mode:
        yield one.mode
    if one.tempo_bpm and one.tempo_bpm >= _FAST_BPM:
        yield "fast"
    if one.tempo_bpm and one.tempo_bpm <= _SLOW_BPM:
        yield "slow"
    if one.loudness_lufs is not None and one.loudness_lufs >= _LOUD_LUFS:
        yield "loud"
    if one.loudness_lufs is not None and one.loudness_lufs <= _QUIET_LUFS:
        yield "quiet"


def _genres(one: Facts) -> list[str]:
    parts = (one.genre or "").replace("/", ";").replace(",", ";").split(";")
    return sorted({part.strip().casefold() for part in parts if part.strip()})
