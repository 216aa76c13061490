"""Reconciling the smart playlists of one user: create, fill, update, and otherwise leave alone.

Every write is recorded before and after, so that a program killed in between neither mistakes its own
tracks for the listener's nor writes a playlist twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from mess_integrations.jellyfin import naming, specs
from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount, JellyfinApi, JellyfinPlaylist
from mess_integrations.jellyfin.client import Unlinked
from mess_integrations.jellyfin.manual_edits import PINNED, REMOVED, manual_edits
from mess_integrations.jellyfin.resolve import current_items, resolve_items, resolve_seed
from mess_integrations.jellyfin.rules import Rule
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.store import Store
from mess_plugin.store.hosts import Kept, PlaylistEdit


class Outcome(msgspec.Struct, frozen=True):
    """The result for one playlist."""

    name: str
    state: str
    """ "created", "updated", "unchanged", "not due", or "wrong": left as it is, see `reason`."""
    items: tuple[str, ...] = ()
    """What it holds now."""
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    reason: str = ""
    user: str = ""
    """Its owner."""


@dataclass(slots=True)
class Reconciler:
    """Brings the smart playlists of one linked user up to date."""

    store: Store
    settings: Settings
    account: JellyfinAccount
    links: Sequence[JellyfinLink]
    """All linked users: a declared playlist names its owner."""
    dry_run: bool = False
    force: bool = False
    """Also playlists that are not due yet."""
    seen: list[JellyfinPlaylist] = field(default_factory=list, init=False)
    """After `reconcile`: the playlists found and those created."""

    @property
    def api(self) -> JellyfinApi:
        """The API with the user's token."""
        return self.account.api

    @property
    def link(self) -> JellyfinLink:
        """The user's link."""
        return self.account.link

    def reconcile(self) -> list[Outcome]:
        """Bring every smart playlist up to date. Raises ServiceError, StoreError, ConfigError."""
        self.settings = resolve_settings(self.store, self.settings)
        with self.store.hosts.alone(self.link.server):
            self.seen = self.api.playlists()
            found = tuple(self.seen)
            self._drop_deleted(found)
            outcomes = [self._keep(wish, found) for wish in self._wishes(found)]
        return [replace(outcome, user=self.link.user) for outcome in outcomes]

    def _drop_deleted(self, seen: Sequence[JellyfinPlaylist]) -> None:
        there = {one.id for one in seen}
        for kept in self._kept():
            if kept.playlist not in there and not self.dry_run:
                self.store.hosts.drop(self.link.server, self.link.user_id, kept.playlist)

    def _kept(self) -> list[Kept]:
        return self.store.hosts.kept(self.link.server, self.link.user_id)

    def _wishes(
        self, seen: Sequence[JellyfinPlaylist]
    ) -> Iterator[tuple[str, Rule | UsageError, str]]:
        """(name, rule or what is wrong with it, playlist id or "" for one to be made)."""
        known = {kept.playlist for kept in self._kept()}
        by_name = {kept.name: kept.playlist for kept in self._kept()}
        there = {one.id for one in seen}
        for wish in specs.declared_rules(self.store, self.settings.home, self.links):
            if wish.link != self.link:
                continue
            playlist = by_name.get(wish.name, "")
            if isinstance(wish.rule, UsageError) or playlist in there:
                yield wish.name, wish.rule, playlist
            else:
                yield wish.name, *self._vacant(wish.rule, seen)
        for one in seen:
            if naming.is_rule(one.name) and (one.id in known or self.api.owns(one.id)):
                try:
                    yield one.name, naming.parse(one.name), one.id
                except UsageError as error:
                    yield one.name, error, one.id

    def _vacant(
        self, rule: Rule, seen: Sequence[JellyfinPlaylist]
    ) -> tuple[Rule | UsageError, str]:
        """A declared playlist that MESS does not manage yet. An empty one of that name is adopted."""
        for one in seen:
            if one.name == rule.name and self.api.owns(one.id):
                if not self.api.contents(one.id):
                    return rule, one.id
                taken = "there is a playlist of this name already: rename or delete one of them"
                return UsageError(taken), one.id
        return rule, ""

    def _keep(
        self, wish: tuple[str, Rule | UsageError, str], seen: Sequence[JellyfinPlaylist]
    ) -> Outcome:
        name, rule, playlist = wish
        try:
            if isinstance(rule, UsageError):
                raise rule
            return self._update(rule, playlist, seen)
        except (ConfigError, Unlinked):
            raise  # these are not about one playlist
        except UsageError as error:
            return Outcome(name, "wrong", reason=str(error))

    def _update(self, rule: Rule, playlist: str, seen: Sequence[JellyfinPlaylist]) -> Outcome:
        kept = next((one for one in self._kept() if playlist and one.playlist == playlist), None)
        kept = kept or Kept(playlist, rule.name, (), None, None)
        if not (self.force or rule.is_due(kept.refreshed_at, datetime.now(UTC))):
            return Outcome(rule.name, "not due", kept.written)
        current = list(dict.fromkeys(self.api.contents(playlist))) if playlist else []
        edits = self._edits(kept, current)
        wanted = self._wanted(rule, edits, seen)
        same = set(wanted) == set(current) and (wanted == current or current != list(kept.written))
        same = same and kept.intended is None
        state = "unchanged" if same else "updated" if playlist else "created"
        if not self.dry_run:
            playlist = playlist or self._create(rule.name)
            held = self._write(rule, playlist, edits, current if same else wanted, changed=not same)
        else:
            held = current if same else wanted
        return Outcome(
            rule.name,
            state,
            tuple(held),
            tuple(item for item in held if item not in set(current)),
            tuple(item for item in current if item not in set(held)),
        )

    def _create(self, name: str) -> str:
        playlist = self.api.create(name, [])
        self.seen.append(JellyfinPlaylist(playlist, name))
        return playlist

    def _edits(self, kept: Kept, current: Sequence[str]) -> list[PlaylistEdit]:
        place = (self.link.server, self.link.user_id, kept.playlist)
        before = self.store.hosts.edits(*place)
        items = {*current, *kept.written, *(edit.item for edit in before)}
        return manual_edits(
            kept,
            current,
            before,
            lambda lacking: {item.id for item in self.api.lookup(lacking)},
            self.store.hosts.tracks_of(self.link.server, items),
        )

    def _wanted(
        self, rule: Rule, edits: Sequence[PlaylistEdit], seen: Sequence[JellyfinPlaylist]
    ) -> list[str]:
        """Pinned items first, then answers. Raises UsageError where there would be none."""
        pins = [edit for edit in edits if edit.edit == PINNED]
        own = current_items(self.store, self.link, pins)
        refs = resolve_seed(self.store, self.api, self.link, rule.seed, own, seen)
        unwanted = [*edits, *(PlaylistEdit(item, None, REMOVED) for item in own)]
        found = resolve_items(
            self.store, self.settings, self.account, rule, refs, rule.size - len(own), unwanted
        )
        if not found and not own:
            raise UsageError("no track of Jellyfin answers: see `mess jellyfin sync`")
        return [*own, *found]

    def _write(
        self,
        rule: Rule,
        playlist: str,
        edits: Sequence[PlaylistEdit],
        items: Sequence[str],
        *,
        changed: bool,
    ) -> list[str]:
        """Record, write, read back, record. Returns what the server holds: it may refuse some items."""
        place = (self.link.server, self.link.user_id, playlist)
        with self.store.transaction():
            self.store.hosts.keep(*place, rule.name)
            self.store.hosts.save_edits(*place, edits)
            if changed:
                self.store.hosts.intend(*place, items)
        if changed:
            self.api.replace(playlist, items)
        held = list(dict.fromkeys(self.api.contents(playlist))) if changed else list(items)
        self.store.hosts.settle(*place, held)
        return held
