"""Following one user's Jellyfin: hints by webhook, a look now and then, a whole reading each night.

Hints get lost, come in bursts and name items that are only half read, so each is taken as a reason
to look, never as the truth.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from mess_integrations.jellyfin.bursts import Hints, Pace, Watched
from mess_integrations.jellyfin.host import Host, Playlist
from mess_integrations.jellyfin.keeping import Keeper
from mess_integrations.jellyfin.link import Link
from mess_integrations.jellyfin.sync import look_at, rematch, sync
from mess_plugin.config import Settings
from mess_plugin.store import Store

log = logging.getLogger(__name__)

_NIGHT_HOUR = 3


@dataclass(slots=True)
class Follower:
    """Call `tick` again and again. Raises ServiceError, StoreError, UsageError; then call it again."""

    store: Store
    settings: Settings
    host: Host
    link: Link
    pace: Pace = field(default_factory=Pace)
    _hints: Hints = field(default_factory=Hints)
    _seen_event: int | None = None
    _library: Watched = field(default_factory=Watched)
    _playlists: frozenset[Playlist] = frozenset()
    _names_s: float = float("-inf")
    _all_s: float = float("-inf")

    def tick(self) -> bool:
        """Look once and act where it is time to. Returns whether playlists were kept."""
        now_s = monotonic()
        self._listen(now_s)
        self._library.look(self.store.library.mark(), now_s)
        told = self._hints.timer.is_over(now_s, self.pace)
        nightly = self._wants_reading(datetime.now().astimezone())
        if not (
            told or nightly or self._library.timer.is_over(now_s, self.pace) or self._is_due(now_s)
        ):
            return False
        self._match(told=told, nightly=nightly)
        self._keep(now_s)
        self._note(answered=told or nightly)
        return True

    def _listen(self, now_s: float) -> None:
        if self._seen_event is None:
            self._seen_event = self.store.hosts.last_reading(self.link.server)[1]
        hints = self.store.hosts.hints("jellyfin", self._seen_event)
        if hints:
            self._seen_event = hints[-1].id
        self._hints.take(hints, now_s)

    def _wants_reading(self, now: datetime) -> bool:
        """Whether the list was not read to its end since last night."""
        night = now.replace(hour=_NIGHT_HOUR, minute=0, second=0, microsecond=0)
        last_night = night if night <= now else night - timedelta(days=1)
        finished_at = self.store.hosts.last_reading(self.link.server)[0]
        return finished_at is None or finished_at < last_night.astimezone(UTC)

    def _match(self, *, told: bool, nightly: bool) -> None:
        """Find out what the server's items are, as far as that may have changed."""
        hints = self._hints
        if nightly or (told and hints.want_reading):
            # What went on after the last whole reading began is not known to be in it.
            report = sync(self.store, self.host, self.link, fresh=hints.want_reading)
            log.info("%d items read, %d gone", len(report.items), report.gone)
        elif told:
            if items := hints.items:
                look_at(self.store, self.host, self.link, items)
            rematch(self.store, self.link)
        elif self._library.acted != self._library.seen:
            rematch(self.store, self.link)

    def _is_due(self, now_s: float) -> bool:
        """Whether playlists were made or renamed in Jellyfin, or it is time to look at all again."""
        if now_s - self._all_s >= self.pace.all_s:
            return True
        if now_s - self._names_s < self.pace.names_s:
            return False
        self._names_s = now_s
        return frozenset(self.host.playlists()) != self._playlists

    def _keep(self, now_s: float) -> None:
        keeper = Keeper(self.store, self.settings, self.host, self.link)
        for outcome in keeper.keep_all():
            if outcome.state == "wrong":
                log.warning("playlist %s: %s", outcome.name, outcome.reason)
            elif outcome.state in ("created", "updated"):
                log.info("playlist %s: %d tracks", outcome.name, len(outcome.items))
        self._playlists = frozenset(keeper.seen)
        self._names_s = self._all_s = now_s

    def _note(self, *, answered: bool) -> None:
        """All is done. What was seen before it began is settled; what came meanwhile is a change."""
        self._library.settle()
        if answered and self._hints.hints:
            self.store.hosts.note_hints(self.link.server, self._hints.hints[-1].id)
            self._hints = Hints()
