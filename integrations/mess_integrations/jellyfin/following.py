"""Following one user's Jellyfin: hints by webhook, a look now and then, a whole reading each night.

Hints get lost, come in bursts and name items that are only half read, so each is taken as a reason
to look, never as the truth.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from mess_integrations.jellyfin.host import Host, plain
from mess_integrations.jellyfin.keeping import Keeper
from mess_integrations.jellyfin.link import Link
from mess_integrations.jellyfin.sync import look_at, rematch, sync
from mess_plugin.config import Settings
from mess_plugin.store import Store
from mess_plugin.store.hosts import Hint

log = logging.getLogger(__name__)

_NIGHT_HOUR = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a burst of hints is waited for, and how often playlists are looked at.

    quiet_s: no hint for so long ends a burst; longest_s ends it in any case. names_s: between two
    looks at the names of playlists; all_s: at all that they hold.
    """

    quiet_s: float = 10.0
    longest_s: float = 120.0
    names_s: float = 60.0
    all_s: float = 900.0


@dataclass(slots=True)
class Burst:
    """Hints that came together."""

    first_s: float = 0.0
    last_s: float = 0.0
    hints: list[Hint] = field(default_factory=list)

    def take(self, hints: Sequence[Hint], now_s: float) -> None:
        """More hints."""
        if hints and not self.hints:
            self.first_s = now_s
        if hints:
            self.last_s = now_s
            self.hints += hints

    def is_over(self, now_s: float, pace: Pace) -> bool:
        """Whether it is time to act."""
        quiet = now_s - self.last_s >= pace.quiet_s
        return bool(self.hints) and (quiet or now_s - self.first_s >= pace.longest_s)

    @property
    def wants_reading(self) -> bool:
        """Whether only a whole reading tells what happened.

        Jellyfin 10.11 says of a deleted album nothing about its tracks.
        """
        return any(
            hint.kind == "TaskCompleted"
            or (hint.kind == "ItemDeleted" and hint.body.get("ItemType") == "MusicAlbum")
            for hint in self.hints
        )

    @property
    def items(self) -> list[str]:
        """The audio items that were added or deleted."""
        named = [
            plain(str(hint.body.get("ItemId") or ""))
            for hint in self.hints
            if hint.kind in ("ItemAdded", "ItemDeleted") and hint.body.get("ItemType") == "Audio"
        ]
        return list(dict.fromkeys(filter(None, named)))


@dataclass(slots=True)
class Follower:
    """Call `tick` again and again. Raises ServiceError, StoreError, UsageError; then call it again."""

    store: Store
    settings: Settings
    host: Host
    link: Link
    pace: Pace = field(default_factory=Pace)
    _burst: Burst = field(default_factory=Burst)
    _seen_event: int | None = None
    _library: tuple[object, ...] = ()
    _library_s: float = 0.0
    _library_changed: bool = False
    _names: object = None
    _names_s: float = float("-inf")
    _all_s: float = float("-inf")

    def tick(self) -> bool:
        """Look once and act where it is time to. Returns whether playlists were kept."""
        now_s = monotonic()
        self._listen(now_s)
        reading = self._wants_reading(datetime.now().astimezone())
        burst = self._burst.is_over(now_s, self.pace)
        if reading or burst:
            self._answer(whole=reading or self._burst.wants_reading)
        elif self._has_library_changed(now_s):
            rematch(self.store, self.link)
        elif not self._is_due(now_s):
            return False
        self._keep(now_s)
        return True

    def _listen(self, now_s: float) -> None:
        if self._seen_event is None:
            self._seen_event = self.store.hosts.last_reading(self.link.server)[1]
        hints = self.store.hosts.hints("jellyfin", self._seen_event)
        if hints:
            self._seen_event = hints[-1].id
        self._burst.take(hints, now_s)

    def _wants_reading(self, now: datetime) -> bool:
        """Whether the list was not read to its end since last night."""
        night = now.replace(hour=_NIGHT_HOUR, minute=0, second=0, microsecond=0)
        last_night = night if night <= now else night - timedelta(days=1)
        finished_at = self.store.hosts.last_reading(self.link.server)[0]
        return finished_at is None or finished_at < last_night.astimezone(UTC)

    def _answer(self, *, whole: bool) -> None:
        if whole:
            # What went on after the last whole reading began is not known to be in it.
            report = sync(self.store, self.host, self.link, fresh=self._burst.wants_reading)
            log.info("%d items read, %d gone", len(report.items), report.gone)
        else:
            if items := self._burst.items:
                look_at(self.store, self.host, self.link, items)
            rematch(self.store, self.link)
        if self._burst.hints:
            self.store.hosts.note_hints(self.link.server, self._burst.hints[-1].id)
        self._burst = Burst()

    def _has_library_changed(self, now_s: float) -> bool:
        """Whether tracks came or went, and no more did for a while."""
        library = (self.store.library.newest(), *self.store.library.count())
        if library != self._library:
            self._library_changed = bool(self._library)
            self._library, self._library_s = library, now_s
        settled = self._library_changed and now_s - self._library_s >= self.pace.quiet_s
        if settled:
            self._library_changed = False
        return settled

    def _is_due(self, now_s: float) -> bool:
        """Whether playlists were made or renamed in Jellyfin, or it is time to look at all again."""
        if now_s - self._all_s >= self.pace.all_s:
            return True
        if now_s - self._names_s < self.pace.names_s:
            return False
        self._names_s = now_s
        return self.host.playlists() != self._names

    def _keep(self, now_s: float) -> None:
        keeper = Keeper(self.store, self.settings, self.host, self.link)
        for outcome in keeper.keep_all():
            if outcome.state == "wrong":
                log.warning("playlist %s: %s", outcome.name, outcome.reason)
            elif outcome.state in ("created", "updated"):
                log.info("playlist %s: %d tracks", outcome.name, len(outcome.items))
        self._names = self.host.playlists()
        self._names_s = self._all_s = now_s
