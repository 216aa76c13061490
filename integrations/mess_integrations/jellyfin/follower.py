"""Following one Jellyfin for its users: hints by webhook, looks, and a whole reading each night.

Hints get lost, come in bursts and name items that are only half read, so each is taken as a reason
to look, never as the truth.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from mess_integrations.jellyfin import specs
from mess_integrations.jellyfin.accounts import Link
from mess_integrations.jellyfin.api import Account, Playlist, plain
from mess_integrations.jellyfin.debounce import Hints, Pace, Watched
from mess_integrations.jellyfin.reconciler import Keeper, Outcome
from mess_integrations.jellyfin.sync import look_at, look_for_new, rematch, sync
from mess_plugin.config import Settings
from mess_plugin.store import Store
from mess_plugin.store.hosts import Hint

log = logging.getLogger(__name__)

_NIGHT_HOUR = 3
_SKEW = timedelta(hours=1)  # the server's clock may be wrong by as much; looking twice is cheap


@dataclass(slots=True)
class Follower:
    """Call `tick` again and again. Raises ServiceError, StoreError, UsageError; then call it again.

    accounts: users of the same server. links: all users' links on all servers.
    """

    store: Store
    settings: Settings
    accounts: Sequence[Account]
    links: Sequence[Link]
    pace: Pace = field(default_factory=Pace)
    _hints: Hints = field(default_factory=Hints)
    _seen_event: int | None = None
    _library: Watched = field(default_factory=Watched)
    _playlists: dict[str, frozenset[Playlist]] = field(default_factory=dict)
    _names_s: float = float("-inf")
    _all_s: float = float("-inf")
    _new_at: datetime | None = None

    def tick(self) -> bool:
        """Look once and act where it is time to. Returns whether playlists were kept."""
        now_s, now = monotonic(), datetime.now().astimezone()
        self._listen(now_s)
        state = (self.store.library.mark(), specs.mark(self.store, self.settings.home))
        self._library.look(state, now_s)
        told = self._hints.timer.is_over(now_s, self.pace)
        nightly = self._wants_reading(now)
        if not (
            told or nightly or self._library.timer.is_over(now_s, self.pace) or self._is_due(now_s)
        ):
            return False
        self._match(told=told, nightly=nightly)
        self._keep(now_s)
        self._note(answered=told or nightly)
        self._new_at = now if not told else self._new_at
        return True

    @property
    def _server(self) -> str:
        return self.accounts[0].link.server

    def _listen(self, now_s: float) -> None:
        if self._seen_event is None:
            self._seen_event = self.store.hosts.last_reading(self._server)[1]
        hints = self.store.hosts.hints("jellyfin", self._seen_event)
        if hints:
            self._seen_event = hints[-1].id
        self._hints.take([hint for hint in hints if self._is_ours(hint)], now_s)

    def _is_ours(self, hint: Hint) -> bool:
        """Whether it came from this server, as far as it says from where."""
        return plain(str(hint.body.get("ServerId") or self._server)) == self._server

    def _wants_reading(self, now: datetime) -> bool:
        """Whether the list was not read to its end since last night."""
        night = now.replace(hour=_NIGHT_HOUR, minute=0, second=0, microsecond=0)
        last_night = night if night <= now else night - timedelta(days=1)
        finished_at = self.store.hosts.last_reading(self._server)[0]
        return finished_at is None or finished_at < last_night.astimezone(UTC)

    def _match(self, *, told: bool, nightly: bool) -> None:
        """Find out what the server's items are, as far as that may have changed."""
        hints = self._hints
        if nightly or (told and hints.want_reading):
            # What went on after the last whole reading began is not known to be in it.
            report = sync(self.store, self.accounts, fresh=hints.want_reading)
            log.info("%d items read, %d gone", len(report.items), report.gone)
        elif told:
            if items := hints.items:
                look_at(self.store, self.accounts, items)
            rematch(self.store, self.accounts[0].link)
        else:
            n_new = look_for_new(self.store, self.accounts, self._looked_at() - _SKEW)
            if n_new or self._library.acted != self._library.seen:
                rematch(self.store, self.accounts[0].link)

    def _looked_at(self) -> datetime:
        """When we last knew all that the server had; _match is not called before a whole reading."""
        finished_at = self.store.hosts.last_reading(self._server)[0]
        assert finished_at is not None
        return max(finished_at, self._new_at or finished_at)

    def _is_due(self, now_s: float) -> bool:
        """Whether playlists were made or renamed in Jellyfin, or it is time to look at all again."""
        if now_s - self._all_s >= self.pace.all_s:
            return True
        if now_s - self._names_s < self.pace.names_s:
            return False
        self._names_s = now_s
        return any(
            frozenset(account.host.playlists()) != self._playlists.get(account.link.user_id)
            for account in self.accounts
        )

    def _keep(self, now_s: float) -> None:
        for account in self.accounts:
            keeper = Keeper(self.store, self.settings, account, self.links)
            for outcome in keeper.keep_all():
                _tell(outcome)
            self._playlists[account.link.user_id] = frozenset(keeper.seen)
        self._names_s = self._all_s = now_s

    def _note(self, *, answered: bool) -> None:
        """All is done. What was seen before it began is settled; what came meanwhile is a change."""
        self._library.settle()
        if answered and self._hints.hints:
            self.store.hosts.note_hints(self._server, self._hints.hints[-1].id)
            self._hints = Hints()


def _tell(outcome: Outcome) -> None:
    if outcome.state == "wrong":
        log.warning("playlist %s of %s: %s", outcome.name, outcome.user, outcome.reason)
    elif outcome.state in ("created", "updated"):
        log.info("playlist %s of %s: %d tracks", outcome.name, outcome.user, len(outcome.items))
