"""Following one Jellyfin: webhooks, polling, and a full sync each night.

Webhooks get lost, come in bursts and name items whose metadata is not complete yet, so each one is a
reason to ask the server and never taken at its word.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from mess_integrations.jellyfin import specs
from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount, JellyfinPlaylist
from mess_integrations.jellyfin.debounce import DebouncedState, FollowerTimes, PendingHints
from mess_integrations.jellyfin.reconciler import Outcome, Reconciler
from mess_integrations.jellyfin.sync import fetch_new, refresh_items, rematch, sync
from mess_plugin.config import Settings
from mess_plugin.library.nightly import last_night
from mess_plugin.store import Store
from mess_plugin.store.hosts import Hint, normalise_id

log = logging.getLogger(__name__)

_SKEW = timedelta(hours=1)  # the server's clock may be wrong by as much; looking twice is cheap


@dataclass(slots=True)
class Follower:
    """Call `tick` again and again. Raises ServiceError, StoreError, UsageError; then call it again."""

    store: Store
    settings: Settings
    accounts: Sequence[JellyfinAccount]
    """Users of the same server."""
    links: Sequence[JellyfinLink]
    """All linked users of all servers."""
    times: FollowerTimes = field(default_factory=FollowerTimes)
    _hints: PendingHints = field(default_factory=PendingHints)
    _seen_event: int | None = None
    _library: DebouncedState = field(default_factory=DebouncedState)
    _playlists: dict[str, frozenset[JellyfinPlaylist]] = field(default_factory=dict)
    _names_s: float = float("-inf")
    _all_s: float = float("-inf")
    _new_at: datetime | None = None

    def tick(self) -> bool:
        """Poll once and act on what is due. Returns whether playlists were reconciled."""
        now_s, now = monotonic(), datetime.now().astimezone()
        self._listen(now_s)
        state = (self.store.library.mark(), specs.change_token(self.store, self.settings.home))
        self._library.update(state, now_s)
        told = self._hints.timer.is_over(now_s, self.times)
        nightly = self._wants_reading(now)
        if not (
            told or nightly or self._library.timer.is_over(now_s, self.times) or self._is_due(now_s)
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
        self._hints.add([hint for hint in hints if self._is_ours(hint)], now_s)

    def _is_ours(self, hint: Hint) -> bool:
        """Whether it came from this server; a hint without a server id counts as ours."""
        return normalise_id(str(hint.body.get("ServerId") or self._server)) == self._server

    def _wants_reading(self, now: datetime) -> bool:
        """Whether no full sync has finished since last night."""
        finished_at = self.store.hosts.last_reading(self._server)[0]
        return finished_at is None or finished_at < last_night(now).astimezone(UTC)

    def _match(self, *, told: bool, nightly: bool) -> None:
        """Update the map from items to tracks as far as it may have changed."""
        hints = self._hints
        if nightly or (told and hints.need_full_sync):
            # The last full sync may lack whatever changed after it began.
            report = sync(self.store, self.accounts, fresh=hints.need_full_sync)
            log.info("%d items read, %d gone", len(report.items), report.gone)
        elif told:
            if items := hints.items:
                refresh_items(self.store, self.accounts, items)
            rematch(self.store, self.accounts[0].link)
        else:
            n_new = fetch_new(self.store, self.accounts, self._looked_at() - _SKEW)
            if n_new or self._library.acted != self._library.seen:
                rematch(self.store, self.accounts[0].link)

    def _looked_at(self) -> datetime:
        """When the map was last complete; _match is not called before the first full sync."""
        finished_at = self.store.hosts.last_reading(self._server)[0]
        assert finished_at is not None
        return max(finished_at, self._new_at or finished_at)

    def _is_due(self, now_s: float) -> bool:
        """Whether playlists were made or renamed in Jellyfin, or `all_s` has passed."""
        if now_s - self._all_s >= self.times.all_s:
            return True
        if now_s - self._names_s < self.times.names_s:
            return False
        self._names_s = now_s
        return any(
            frozenset(account.api.playlists()) != self._playlists.get(account.link.user_id)
            for account in self.accounts
        )

    def _keep(self, now_s: float) -> None:
        for account in self.accounts:
            keeper = Reconciler(self.store, self.settings, account, self.links)
            for outcome in keeper.reconcile():
                _tell(outcome)
            self._playlists[account.link.user_id] = frozenset(keeper.seen)
        self._names_s = self._all_s = now_s

    def _note(self, *, answered: bool) -> None:
        """Mark what was seen before the work began as done; what came meanwhile is a new change."""
        self._library.settle()
        if answered and self._hints.hints:
            self.store.hosts.note_hints(self._server, self._hints.hints[-1].id)
            self._hints = PendingHints()


def _tell(outcome: Outcome) -> None:
    if outcome.state == "wrong":
        log.warning("playlist %s of %s: %s", outcome.name, outcome.user, outcome.reason)
    elif outcome.state in ("created", "updated"):
        log.info("playlist %s of %s: %d tracks", outcome.name, outcome.user, len(outcome.items))
