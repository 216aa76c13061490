"""Which answers a playlist takes: the one place that knows what can be asked beside the seed.

Conditions look at what the tags say. A condition that needs more than a match carries belongs into
the search, as an argument where `filling` asks it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mess_plugin.model import Match, Track
from mess_plugin.store.paths import words


@dataclass(frozen=True, slots=True)
class Span:
    """From low to high, both included; None is open."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a track must be. Empty: anything. Texts are contained in the tag, case does not matter.

    without: in neither artist, title nor album. per_artist: at most so many of one; tracks that name
    no artist are not counted together.
    """

    genre: str | None = None
    artist: str | None = None
    without: tuple[str, ...] = ()
    year: Span | None = None
    length_s: Span | None = None
    per_artist: int | None = None

    def take(self, matches: Iterable[Match]) -> Iterator[Match]:
        """The matches that fit, in their order."""
        taken: Counter[str] = Counter()
        for match in matches:
            artist = words(match.track.tags.artist or "")
            if self._fits(match.track) and not (
                self.per_artist and artist and taken[artist] >= self.per_artist
            ):
                taken[artist] += 1
                yield match

    def _fits(self, track: Track) -> bool:
        tags = track.tags
        said = words(" ".join(filter(None, (tags.artist, tags.title, tags.album))))
        return (
            _within(self.genre, tags.genre)
            and _within(self.artist, tags.artist)
            and not any(words(text) in said for text in self.without)
            and (self.year is None or (tags.year is not None and self.year.holds(tags.year)))
            and (self.length_s is None or self.length_s.holds(track.duration_s))
        )


def _within(wanted: str | None, tag: str | None) -> bool:
    return wanted is None or words(wanted) in words(tag or "")
