"""Reading the server's list of audio, page by page, and finding out what each item is.

A reading that is cut short goes on where it was. Pages overlap, because whatever is deleted on the
server meanwhile moves the rest of the list forward.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from mess_integrations.jellyfin.accounts import Link
from mess_integrations.jellyfin.api import Account, Host
from mess_integrations.jellyfin.file_index import Shelf, path_map
from mess_plugin.errors import ServiceError
from mess_plugin.store import Store
from mess_plugin.store.hosts import HostItem, Identified, Reading

PAGE = 500
_SMALLEST_PAGE = 50
_RESUME_S = 3600.0


class Report(msgspec.Struct, frozen=True):
    """What a reading found. gone: items that the server does not have any more."""

    items: tuple[Identified, ...]
    gone: int = 0

    @property
    def matched(self) -> dict[str, int]:
        """Items by the way they were recognised."""
        return dict(Counter(one.matched_by for one in self.items if one.matched_by))

    @property
    def unmatched(self) -> dict[str, list[Identified]]:
        """Items that are no track, by the word that says why."""
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
    accounts: Sequence[Account],
    *,
    fresh: bool = False,
    page: int = PAGE,
    progress: Callable[[int], None] = lambda _count: None,
) -> Report:
    """Read the whole list of a server and match it. fresh: from its start.

    accounts: users of one server, who need not see the same; the list of each is read. Raises
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
    return Report(rematch(store, link), gone)


def _read(
    store: Store,
    account: Account,
    number: int,
    start: int,
    page: int,
    progress: Callable[[int], None],
) -> None:
    """Read what one user sees, from a place on."""
    link, more = account.link, True
    while more:
        items, listed, page = _page(account.host, start, page)
        more = listed == page
        start += listed - (page // 20 if more else 0)
        with store.transaction():
            store.hosts.save(link.server, number, items)
            store.hosts.advance(link.server, Reading(number, start, link.user_id))
        progress(start)


def look_at(store: Store, accounts: Sequence[Account], ids: Sequence[str]) -> None:
    """Read some items only: what is new is noted, what is gone is forgotten."""
    number = store.hosts.last_reading(accounts[0].link.server)[2]
    _forget_gone(store, accounts, ids, number)


def look_for_new(store: Store, accounts: Sequence[Account], since: datetime) -> int:
    """Note what the server has saved since then, without matching it; how many items that was."""
    server, count, size = accounts[0].link.server, 0, PAGE
    number = store.hosts.last_reading(server)[2]
    for account in accounts:
        start, more = 0, True
        while more:
            items, listed, size = _page(account.host, start, size, since)
            store.hosts.save(server, number, items)
            more, start, count = listed == size, start + listed, count + len(items)
    return count


def rematch(store: Store, link: Link) -> tuple[Identified, ...]:
    """Find out again what every known item is, without asking the server."""
    shelf = Shelf(store.hosts.known_files(), path_map(link.paths))
    before = store.hosts.items(link.server)
    after = tuple(shelf.match(one.item) for one in before)
    changed = [new for new, old in zip(after, before, strict=True) if new != old]
    with store.transaction():
        store.hosts.match(link.server, changed)
        store.hosts.attribute_feedback("jellyfin", link.server)
    return after


def _page(
    host: Host, start: int, size: int, since: datetime | None = None
) -> tuple[list[HostItem], int, int]:
    """A page, and its size: smaller from now on where the server cannot give a large one."""
    while True:
        try:
            items, listed = host.page(start, size, since)
        except ServiceError:
            if size <= _SMALLEST_PAGE:
                raise
            size = max(_SMALLEST_PAGE, size // 3)
        else:
            return items, listed, size


def _forget_gone(
    store: Store, accounts: Sequence[Account], doubtful: Sequence[str], number: int
) -> int:
    """Items are forgotten only where the server tells all the users that it does not have them."""
    server, lost = accounts[0].link.server, set(doubtful)
    there: list[HostItem] = []
    for account in accounts:
        there += account.host.lookup(sorted(lost))
        lost -= {item.id for item in there}
    with store.transaction():
        store.hosts.save(server, number, there)
        store.hosts.delete(server, sorted(lost))
    return len(lost)
