"""Subscribers, and what is new in the library: asked for only while somebody listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable

from mess_integrations.osc import replies
from mess_integrations.osc.db_threads import StoreThreads
from mess_integrations.osc.peers import Peer
from mess_integrations.osc.requests import BadRequest
from mess_integrations.rate_limit import ExpiringTable
from mess_plugin.errors import MessError
from mess_plugin.model import Track
from mess_plugin.store import Store

LIFETIME_S = 600.0
_LOOK_EVERY_S = 1.0
_MOST_SUBSCRIBERS = 64
_MOST_SUBSCRIBERS_EACH = 16
_MOST_AT_ONCE = 100
_LATE = 200  # ids are given before they are committed: so far back a late one is still found
_log = logging.getLogger(__name__)


class Subscriptions:
    """Tells subscribers of each new track once. A subscription lasts ten minutes unless renewed."""

    def __init__(self, threads: StoreThreads) -> None:
        self._threads = threads
        self._subscribers: ExpiringTable[Hashable, tuple[Peer, Hashable]] = ExpiringTable(
            _MOST_SUBSCRIBERS, LIFETIME_S
        )
        self._told: set[int] = set()
        self._newest: int | None = None

    def subscribe(self, peer: Peer, client: Hashable) -> None:
        """Add or renew a subscriber. Raises BadRequest where there are too many."""
        self._subscribers.expire()
        if self._subscribers.get(peer.key) is None:
            each = sum(its == client for _, its in self._subscribers.values())
            if each >= _MOST_SUBSCRIBERS_EACH or len(self._subscribers) >= _MOST_SUBSCRIBERS:
                raise BadRequest(503, "too many have subscribed: try again later")
        self._subscribers.put(peer.key, (peer, client))

    def unsubscribe(self, peer: Peer) -> None:
        """Remove a subscriber."""
        self._subscribers.drop(peer.key)

    async def watch(self) -> None:
        """Look and tell until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            subscribers = self._subscribers.values()
            if not subscribers:
                self._newest = None
                continue
            try:
                tracks = await self._threads.run(self._look)
            except MessError as error:
                _log.warning("cannot look for new tracks: %s", error)
                continue
            for track in tracks:
                for peer, _ in subscribers:
                    peer.send(replies.indexed(track))

    def _look(self, store: Store) -> list[Track]:
        """What came since the last look; nothing at the first one."""
        if self._newest is None:
            self._newest = store.library.newest()
            self._told = set(store.library.after(self._newest - _LATE, _LATE))
            return []
        found = store.library.after(self._newest - _LATE, _LATE + _MOST_AT_ONCE)
        new = [track_id for track_id in found if track_id not in self._told]
        tracks = store.library.get(new)
        self._told.update(tracks)
        self._newest = max([self._newest, *tracks])
        self._told = {track_id for track_id in self._told if track_id > self._newest - 2 * _LATE}
        return [tracks[track_id] for track_id in new if track_id in tracks]
