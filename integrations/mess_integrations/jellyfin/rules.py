"""What a smart playlist is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from mess_plugin.model import Interval
from mess_plugin.playlists.radio import RadioStyle
from mess_plugin.search.query import Query

MAX_TRACKS = 500
Refresh = Literal["auto", "daily", "weekly", "once"]
_EVERY = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


class RuleSeed(msgspec.Struct, frozen=True):
    """The tracks that a playlist starts from."""

    kind: Literal["tracks", "playlist", "favourites", "recent", "these"]
    """ "recent": played last. "these": the tracks that the listener put into the playlist."""
    names: tuple[str, ...] = ()
    """Of "tracks": references, as the search takes them. Of "playlist": its name."""
    interval: Interval | None = None
    """A section of the only track."""


class Rule(msgspec.Struct, frozen=True):
    """A smart playlist."""

    name: str
    """Its name in Jellyfin."""
    seed: RuleSeed
    size: int = 50
    """Tracks, pinned ones included."""
    query: Query = msgspec.field(default_factory=Query)
    """Weights and filters; the default with a section."""
    refresh: Refresh = "auto"
    """ "auto": when the library, the seed or the feedback has changed; "once": filled one time."""
    radio: RadioStyle | None = None
    """A radio from the seed, another one each day; None: what is similar to it, best first."""

    def is_due(self, refreshed_at: datetime | None, now: datetime) -> bool:
        """Whether it is time to refresh the playlist."""
        if refreshed_at is None or self.refresh == "auto":
            return True
        return self.refresh in _EVERY and now - refreshed_at >= _EVERY[self.refresh]
