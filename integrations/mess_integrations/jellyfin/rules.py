"""What a smart playlist is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from mess_plugin.model import Interval
from mess_plugin.search.query import Query

MOST_TRACKS = 500
Refresh = Literal["auto", "daily", "weekly", "once"]
_EVERY = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


class Seed(msgspec.Struct, frozen=True):
    """What a playlist is to feel like.

    kind: "tracks" (names: references such as `search.similar` takes; interval: a section of the only
    one), "playlist" (names: the one name of a playlist), "favourites", "recent" (what was played
    last) or "these" (the tracks that the listener put into the playlist).
    """

    kind: Literal["tracks", "playlist", "favourites", "recent", "these"]
    names: tuple[str, ...] = ()
    interval: Interval | None = None


class Rule(msgspec.Struct, frozen=True):
    """A playlist by its name in Jellyfin, and what it holds.

    query: what else is wished for; nothing with a section. size: tracks, those that the listener
    added included. refresh: "auto": whenever the library, the seed or the feedback has changed;
    "once": filled one time.
    """

    name: str
    seed: Seed
    size: int = 50
    query: Query = msgspec.field(default_factory=Query)
    refresh: Refresh = "auto"

    def is_due(self, refreshed_at: datetime | None, now: datetime) -> bool:
        """Whether it is time to fill the playlist again."""
        if refreshed_at is None or self.refresh == "auto":
            return True
        return self.refresh in _EVERY and now - refreshed_at >= _EVERY[self.refresh]
