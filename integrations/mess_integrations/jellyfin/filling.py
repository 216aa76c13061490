"""A rule → the items that its playlist should hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mess_integrations.jellyfin.accounts import Link
from mess_integrations.jellyfin.api import MOST_IDS, Account, Host
from mess_integrations.jellyfin.rules import Rule
from mess_plugin.config import Settings
from mess_plugin.model import Match
from mess_plugin.search.asking import steer
from mess_plugin.search.engine import similar
from mess_plugin.search.query import MAX_K
from mess_plugin.store import Store
from mess_plugin.store.hosts import Edit

_ASK_MORE = 4


def current_items(store: Store, link: Link, edits: Sequence[Edit]) -> list[str]:
    """The items of edits as they are called now: a file that moved is another item."""
    known = store.hosts.items_of(
        link.server, [edit.track_id for edit in edits if edit.track_id is not None]
    )
    now = []
    for edit in edits:
        names = known.get(edit.track_id, []) if edit.track_id is not None else []
        now.append(edit.item if edit.item in names or not names else names[0])
    return list(dict.fromkeys(now))


def answers(
    store: Store,
    settings: Settings,
    account: Account,
    rule: Rule,
    refs: Sequence[str],
    count: int,
    without: Collection[Edit],
) -> list[str]:
    """At most `count` items that feel like the seeds and that the user may see, best first.

    without: what must not answer, be it as an item or as a track. Raises UsageError, ServiceError.
    """
    if count <= 0:
        return []
    tracks = {edit.track_id for edit in without}
    unwanted = {edit.item for edit in without}
    sight = _Sight(account.host)
    depth = min(MAX_K, 2 * count + len(without))
    while True:
        matches, complete = _ask(store, settings, rule, refs, depth)
        known = store.hosts.items_of(account.link.server, [match.track.id for match in matches])
        wanted = [
            [item for item in known.get(match.track.id, ()) if item not in unwanted]
            for match in matches
            if match.track.id not in tracks
        ]
        found = sight.first_of_each(wanted, count)
        if len(found) >= count or complete or depth == MAX_K:
            return found
        depth = min(MAX_K, depth * _ASK_MORE)


class _Sight:
    """What one user may see: other users of the same server may see more."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._seen: dict[str, bool] = {}

    def first_of_each(self, groups: Sequence[Sequence[str]], count: int) -> list[str]:
        """The first visible item of each group, from at most `count` groups that have one."""
        found: list[str] = []
        for start in range(0, len(groups), MOST_IDS):
            some = groups[start : start + MOST_IDS]
            self._look([item for group in some for item in group])
            for group in some:
                found += [item for item in group if self._seen[item]][:1]
            if len(found) >= count:
                break
        return found[:count]

    def _look(self, items: Sequence[str]) -> None:
        new = [item for item in dict.fromkeys(items) if item not in self._seen]
        there = {item.id for item in self._host.lookup(new)}
        self._seen.update((item, item in there) for item in new)


def _ask(
    store: Store, settings: Settings, rule: Rule, refs: Sequence[str], depth: int
) -> tuple[Sequence[Match], bool]:
    """Matches as `mess similar` gives them, and whether there are no more."""
    matches: Sequence[Match]
    if rule.query.steers or len(refs) > 1:
        matches = steer(store, settings, refs, rule.query, k=depth).matches
    else:
        matches = similar(store, settings, refs[0], k=depth, interval=rule.seed.interval).matches
    return matches, len(matches) < depth
