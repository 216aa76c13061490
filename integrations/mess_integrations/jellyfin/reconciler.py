"""Keeping the smart playlists of one user: made, filled, brought up to date, and otherwise left alone.

Every write is noted before and after, so that a program that dies in between neither takes its own
tracks for the listener's nor writes a list twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from mess_integrations.jellyfin import naming, specs
from mess_integrations.jellyfin.accounts import Link
from mess_integrations.jellyfin.api import Account, Host, Playlist
from mess_integrations.jellyfin.client import Unlinked
from mess_integrations.jellyfin.editing import PINNED, REMOVED, observe
from mess_integrations.jellyfin.filling import answers, current_items
from mess_integrations.jellyfin.resolve import references
from mess_integrations.jellyfin.rules import Rule
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.spaces.active_encoder import settled
from mess_plugin.store import Store
from mess_plugin.store.hosts import Edit, Kept


class Outcome(msgspec.Struct, frozen=True):
    """What became of one playlist.

    state: "created", "updated", "unchanged", "not due" or "wrong" (reason says why; it is left as it
    is). items: what it holds now. added, dropped: items, compared with before. user: whose it is.
    """

    name: str
    state: str
    items: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    reason: str = ""
    user: str = ""


@dataclass(slots=True)
class Keeper:
    """Keeps the playlists of one linked user. force: also those that are not due yet.

    links: all users' links, for whoever declares a playlist says whose. seen: the playlists that it
    found and those that it made, after `keep_all`.
    """

    store: Store
    settings: Settings
    account: Account
    links: Sequence[Link]
    dry_run: bool = False
    force: bool = False
    seen: list[Playlist] = field(default_factory=list, init=False)

    @property
    def host(self) -> Host:
        """The server as the user sees it."""
        return self.account.host

    @property
    def link(self) -> Link:
        """The user's link."""
        return self.account.link

    def keep_all(self) -> list[Outcome]:
        """Bring every smart playlist up to date. Raises ServiceError, StoreError, ConfigError."""
        self.settings = settled(self.store, self.settings)
        with self.store.hosts.alone(self.link.server):
            self.seen = self.host.playlists()
            found = tuple(self.seen)
            self._drop_deleted(found)
            outcomes = [self._keep(wish, found) for wish in self._wishes(found)]
        return [replace(outcome, user=self.link.user) for outcome in outcomes]

    def _drop_deleted(self, seen: Sequence[Playlist]) -> None:
        there = {one.id for one in seen}
        for kept in self._kept():
            if kept.playlist not in there and not self.dry_run:
                self.store.hosts.drop(self.link.server, self.link.user_id, kept.playlist)

    def _kept(self) -> list[Kept]:
        return self.store.hosts.kept(self.link.server, self.link.user_id)

    def _wishes(self, seen: Sequence[Playlist]) -> Iterator[tuple[str, Rule | UsageError, str]]:
        """(name, rule or what is wrong with it, playlist id or "" for one to be made)."""
        known = {kept.playlist for kept in self._kept()}
        by_name = {kept.name: kept.playlist for kept in self._kept()}
        there = {one.id for one in seen}
        for wish in specs.wishes(self.store, self.settings.home, self.links):
            if wish.link != self.link:
                continue
            playlist = by_name.get(wish.name, "")
            if isinstance(wish.rule, UsageError) or playlist in there:
                yield wish.name, wish.rule, playlist
            else:
                yield wish.name, *self._vacant(wish.rule, seen)
        for one in seen:
            if naming.is_rule(one.name) and (one.id in known or self.host.owns(one.id)):
                try:
                    yield one.name, naming.parse(one.name), one.id
                except UsageError as error:
                    yield one.name, error, one.id

    def _vacant(self, rule: Rule, seen: Sequence[Playlist]) -> tuple[Rule | UsageError, str]:
        """A declared playlist that we do not keep yet. An empty one of that name is taken over."""
        for one in seen:
            if one.name == rule.name and self.host.owns(one.id):
                if not self.host.contents(one.id):
                    return rule, one.id
                taken = "there is a playlist of this name already: rename or delete one of them"
                return UsageError(taken), one.id
        return rule, ""

    def _keep(self, wish: tuple[str, Rule | UsageError, str], seen: Sequence[Playlist]) -> Outcome:
        name, rule, playlist = wish
        try:
            if isinstance(rule, UsageError):
                raise rule
            return self._update(rule, playlist, seen)
        except (ConfigError, Unlinked):
            raise  # these are not about one playlist
        except UsageError as error:
            return Outcome(name, "wrong", reason=str(error))

    def _update(self, rule: Rule, playlist: str, seen: Sequence[Playlist]) -> Outcome:
        kept = next((one for one in self._kept() if playlist and one.playlist == playlist), None)
        kept = kept or Kept(playlist, rule.name, (), None, None)
        if not (self.force or rule.is_due(kept.refreshed_at, datetime.now(UTC))):
            return Outcome(rule.name, "not due", kept.written)
        current = list(dict.fromkeys(self.host.contents(playlist))) if playlist else []
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
        playlist = self.host.create(name, [])
        self.seen.append(Playlist(playlist, name))
        return playlist

    def _edits(self, kept: Kept, current: Sequence[str]) -> list[Edit]:
        place = (self.link.server, self.link.user_id, kept.playlist)
        before = self.store.hosts.edits(*place)
        items = {*current, *kept.written, *(edit.item for edit in before)}
        return observe(
            kept,
            current,
            before,
            lambda lacking: {item.id for item in self.host.lookup(lacking)},
            self.store.hosts.tracks_of(self.link.server, items),
        )

    def _wanted(self, rule: Rule, edits: Sequence[Edit], seen: Sequence[Playlist]) -> list[str]:
        """Pinned items first, then answers. Raises UsageError where there would be none."""
        pins = [edit for edit in edits if edit.edit == PINNED]
        own = current_items(self.store, self.link, pins)
        refs = references(self.store, self.host, self.link, rule.seed, own, seen)
        unwanted = [*edits, *(Edit(item, None, REMOVED) for item in own)]
        found = answers(
            self.store, self.settings, self.account, rule, refs, rule.size - len(own), unwanted
        )
        if not found and not own:
            raise UsageError("no track of Jellyfin answers: see `mess jellyfin sync`")
        return [*own, *found]

    def _write(
        self,
        rule: Rule,
        playlist: str,
        edits: Sequence[Edit],
        items: Sequence[str],
        *,
        changed: bool,
    ) -> list[str]:
        """Note, write, look, note. Returns what the server shows then: it may refuse some items."""
        place = (self.link.server, self.link.user_id, playlist)
        with self.store.transaction():
            self.store.hosts.keep(*place, rule.name)
            self.store.hosts.save_edits(*place, edits)
            if changed:
                self.store.hosts.intend(*place, items)
        if changed:
            self.host.replace(playlist, items)
        held = list(dict.fromkeys(self.host.contents(playlist))) if changed else list(items)
        self.store.hosts.settle(*place, held)
        return held
