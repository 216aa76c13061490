"""Tracks by words and filters, without a question about sound: `mess ls`, `GET /v1/tracks`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mess_plugin.errors import UsageError
from mess_plugin.facets import Measures
from mess_plugin.model import Track
from mess_plugin.search.filters import passing
from mess_plugin.search.query import Filters
from mess_plugin.store import Store
from mess_plugin.store.tags import TrackTags

MOST = 1000
"""How many tracks a page holds at most."""


class TrackPage(msgspec.Struct, frozen=True):
    """A page of tracks, by artist, album and number."""

    tracks: tuple[Track, ...]
    total: int
    """How many there are with these words and filters."""
    offset: int
    measures: Mapping[int, Measures]
    """What was heard, by track; tracks that were not heard for it are left out."""
    tags: Mapping[int, TrackTags]
    """The tags that are heard, by track; tracks that no head has read are left out."""

    @property
    def n_after(self) -> int:
        """How many tracks come after the page."""
        return max(0, self.total - self.offset - len(self.tracks))


def list_tracks(
    store: Store, words: str = "", filters: Filters | None = None, *, k: int = 100, offset: int = 0
) -> TrackPage:
    """The tracks whose tags or file names contain all the words and that pass all filters.

    words: "" for any. k: 1 to MOST. offset: how many to leave out. Raises UsageError for a k or an
    offset that cannot be, and for a tempo or key that is the "same" as that of no track.
    """
    if not 1 <= k <= MOST:
        raise UsageError(f"k is {k}: wanted 1 to {MOST}")
    if not 0 <= offset < 2**63:
        raise UsageError(f"offset is {offset}: wanted 0 or more")
    among = passing(store, filters, None) if filters is not None and filters.any else None
    tracks, total = store.library.page(words, among, limit=k, offset=offset)
    ids = [track.id for track in tracks]
    heard = {i: one[0] for i, one in store.facets.measures(ids).items()}
    return TrackPage(tuple(tracks), total, offset, heard, store.tags.of(ids))
