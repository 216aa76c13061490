"""Tracks by what is sung: `mess find --lyrics`, `GET /v1/lyrics`."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mess_plugin.errors import UsageError
from mess_plugin.model import Track
from mess_plugin.search.filters import passing
from mess_plugin.search.query import Filters
from mess_plugin.store import Store
from mess_plugin.store.lyrics import LyricsHit

MOST_FOUND = 1000
MOST_WORDS = 400
"""Letters of a question."""
_QUOTED_OR_AND = re.compile(r'"[^"]*"|\bAND\b')


class LyricsFound(msgspec.Struct, frozen=True):
    """Tracks whose lyrics match, the best first."""

    hits: tuple[LyricsHit, ...]
    tracks: Mapping[int, Track]
    total: int
    """How many tracks match."""
    n_with_lyrics: int
    """How many tracks have lyrics."""


def find_lyrics(
    store: Store, words: str, filters: Filters | None = None, *, k: int = 10
) -> LyricsFound:
    """Tracks whose lyrics match and that pass the filters.

    words: all of them; "in quotes" one after the other, `OR` between alternatives, `-` before what
    must not be there, as Postgres' `websearch_to_tsquery` reads them; `AND` says what goes without
    saying. Each is found as it is and by its stem in the language of the lyrics. Raises UsageError.
    """
    if not 1 <= k <= MOST_FOUND:
        raise UsageError(f"k is {k}: wanted 1 to {MOST_FOUND}")
    if len(words) > MOST_WORDS:
        raise UsageError(f"the question has {len(words)} letters: wanted {MOST_WORDS} at most")
    asked = _QUOTED_OR_AND.sub(lambda one: " " if one[0] == "AND" else one[0], words)
    asked = asked.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    if not any(char.isalnum() for char in asked):
        raise UsageError(f'lyrics {words!r}: there is no word in it; try "rain -love"')
    among = passing(store, filters, None) if filters is not None and filters.any else None
    hits, total = store.lyrics.search(asked, among, limit=k)
    tracks = store.library.get([hit.track_id for hit in hits])
    kept = tuple(hit for hit in hits if hit.track_id in tracks)
    return LyricsFound(kept, tracks, total, store.lyrics.count())
