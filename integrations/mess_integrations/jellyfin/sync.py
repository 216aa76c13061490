"""Syncing the map from items to tracks: read the server's list page by page and match each item.

An interrupted sync resumes where it stopped. Pages overlap, because a deletion on the server moves
the rest of the list forward.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount, JellyfinApi
from mess_integrations.jellyfin.file_index import FileIndex, path_map
from mess_plugin.errors import ServiceError
from mess_plugin.store import Store
from mess_plugin.store.hosts import HostItem, Identified, Reading

PAGE = 500
_SMALLEST_PAGE = 50
_RESUME_S = 3600.0


class SyncReport(msgspec.Struct, frozen=True):
    """The result of a sync."""

    items: tuple[Identified, ...]
    gone: int = 0
    """Number of items that the server no longer has."""

    @property
    def matched(self) -> dict[str, int]:
        """Number of items by the way they were matched."""
        return dict(Counter(one.matched_by for one in self.items if one.matched_by))

    @property
    def unmatched(self) -> dict[str, list[Identified]]:
        """Items without a track, by the first word of the reason."""
        groups: dict[str, list[Identified]] = {}
        for one in self.items:
            if one.unmatched:
                groups.setdefault(one.unmatched.partition(":")[0], []).append(one)
        return groups

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "items": len(self.items),
            "gone": self.gone,
            "matched": self.matched,
            "unmatched": [
                {
                    "item": one.item.id,
                    "name": one.item.name,
                    "path": one.item.path,
                    "kind": kind,
                    "reason": (one.unmatched or "").partition(": ")[2],
                }
                for kind, group in sorted(self.unmatched.items())
                for one in group
            ],
        }


def sync(
    store: Store,
    accounts: Sequence[JellyfinAccount],
    *,
    fresh: bool = False,
    page: int = PAGE,
    progress: Callable[[int], None] = lambda _count: None,
) -> SyncReport:
    """Read the whole list of a server and match it. fresh: from the start.

    accounts: users of one server; they may see different items, so the list of each is read. Raises
    ServiceError, StoreError.
    """
    link = accounts[0].link
    reading = store.hosts.begin(link.server, fresh=fresh, resume_s=_RESUME_S)
    listeners = [account.link.user_id for account in accounts]
    first = listeners.index(reading.listener) if reading.listener in listeners else 0
    for place, account in enumerate(accounts[first:]):
        start = reading.next_start if place == 0 and reading.listener in listeners else 0
        _read(store, account, reading.number, start, page, progress)
    unseen = store.hosts.unseen(link.server, reading.number)
    gone = _forget_gone(store, accounts, unseen, reading.number)
    store.hosts.finish(link.server, reading.number)
    return SyncReport(rematch(store, link), gone)


def _read(
    store: Store,
    account: JellyfinAccount,
    number: int,
    start: int,
    page: int,
    progress: Callable[[int], None],
) -> None:
    """Read what one user sees, beginning at `start`."""
    link, more = account.link, True
    while more:
        items, listed, page = _page(account.api, start, page)
        more = listed == page
        start += listed - (page // 20 if more else 0)
        with store.transaction():
            store.hosts.save(link.server, number, items)
            store.hosts.advance(link.server, Reading(number, start, link.user_id))
        progress(start)


def refresh_items(store: Store, accounts: Sequence[JellyfinAccount], ids: Sequence[str]) -> None:
    """Fetch some items only: save the new ones, delete those that are gone."""
    number = store.hosts.last_reading(accounts[0].link.server)[2]
    _forget_gone(store, accounts, ids, number)


def fetch_new(store: Store, accounts: Sequence[JellyfinAccount], since: datetime) -> int:
    """Fetch the items that the server saved since then, without matching; returns how many."""
    server, count, size = accounts[0].link.server, 0, PAGE
    number = store.hosts.last_reading(server)[2]
    for account in accounts:
        start, more = 0, True
        while more:
            items, listed, size = _page(account.api, start, size, since)
            store.hosts.save(server, number, items)
            more, start, count = listed == size, start + listed, count + len(items)
    return count


def rematch(store: Store, link: JellyfinLink) -> tuple[Identified, ...]:
    """Match every known item again, without asking the server."""
    index = FileIndex(store.hosts.known_files(), path_map(link.paths))
    before = store.hosts.items(link.server)
    after = tuple(index.match(one.item) for one in before)
    changed = [new for new, old in zip(after, before, strict=True) if new != old]
    with store.transaction():
        store.hosts.match(link.server, changed)
        store.hosts.attribute_feedback("jellyfin", link.server)
    return after


def _page(
    api: JellyfinApi, start: int, size: int, since: datetime | None = None
) -> tuple[list[HostItem], int, int]:
    """A page, its length, and the page size, which shrinks where the server fails on large ones."""
    while True:
        try:
            items, listed = api.page(start, size, since)
        except ServiceError:
            if size <= _SMALLEST_PAGE:
                raise
            size = max(_SMALLEST_PAGE, size // 3)
        else:
            return items, listed, size


def _forget_gone(
    store: Store, accounts: Sequence[JellyfinAccount], doubtful: Sequence[str], number: int
) -> int:
    """Delete items only when none of the users sees them any more."""
    server, lost = accounts[0].link.server, set(doubtful)
    there: list[HostItem] = []
    for account in accounts:
        there += account.api.lookup(sorted(lost))
        lost -= {item.id for item in there}
    with store.transaction():
        store.hosts.save(server, number, there)
        store.hosts.delete(server, sorted(lost))
    return len(lost)
