"""A rule's seed → references to tracks, and the tracks that answer → items that the user may see."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from mess_integrations.jellyfin.accounts import JellyfinLink, listener_of
from mess_integrations.jellyfin.api import (
    MAX_IDS_PER_REQUEST,
    JellyfinAccount,
    JellyfinApi,
    JellyfinPlaylist,
)
from mess_integrations.jellyfin.rules import Rule, RuleSeed
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.folding import same
from mess_plugin.playlists.radio import first_of_radio
from mess_plugin.search import MAX_K, MAX_SEEDS, search
from mess_plugin.search.references import find_track
from mess_plugin.store import Store
from mess_plugin.store.hosts import PlaylistEdit

_RECENT = 20  # tracks that "recent" takes as seeds
_DEEPEN = 4  # how many times more matches are asked for where too few are visible


def resolve_seed(
    store: Store,
    api: JellyfinApi,
    link: JellyfinLink,
    seed: RuleSeed,
    own: Sequence[str],
    playlists: Sequence[JellyfinPlaylist],
) -> list[str]:
    """The tracks of a seed as references to the library, at most MAX_SEEDS.

    own: what the listener put into the playlist. Raises UsageError where the seed names nothing, or
    nothing that is indexed yet.
    """
    if seed.kind == "tracks":
        return [f"mess:{find_track(store, name)}" for name in seed.names]
    items = _items(api, seed, own, playlists)
    tracks = store.hosts.tracks_of(link.server, items)
    known = list(dict.fromkeys(tracks[item] for item in items if item in tracks))
    if not known:
        raise UsageError(_nothing(seed, len(items)))
    return [f"mess:{track_id}" for track_id in known[:MAX_SEEDS]]


def _items(
    api: JellyfinApi, seed: RuleSeed, own: Sequence[str], playlists: Sequence[JellyfinPlaylist]
) -> Sequence[str]:
    match seed.kind:
        case "favourites":
            return api.favourites(MAX_SEEDS)
        case "recent":
            return api.recent(_RECENT)
        case "playlist":
            return api.contents(_named(seed.names[0], playlists))
        case _:
            return own


def _named(name: str, playlists: Sequence[JellyfinPlaylist]) -> str:
    found = [one.id for one in playlists if same(one.name, name)]
    if len(found) == 1:
        return found[0]
    wrong = "several playlists are" if found else "no playlist is"
    raise UsageError(f"{wrong} called {name!r}")


def _nothing(seed: RuleSeed, n_items: int) -> str:
    called = {
        "favourites": "the favourites",
        "recent": "what was played last",
        "these": "the tracks put into this playlist",
    }.get(seed.kind, f"playlist {seed.names[0] if seed.names else ''!r}")
    if not n_items:
        return f"nothing to start from: {called} hold no music yet"
    return f"none of {called} ({n_items} items) is indexed: see `mess jellyfin sync`"


def current_items(store: Store, link: JellyfinLink, edits: Sequence[PlaylistEdit]) -> list[str]:
    """The items of edits by their ids of today: Jellyfin gives a moved file a new id."""
    known = store.hosts.items_of(
        link.server, [edit.track_id for edit in edits if edit.track_id is not None]
    )
    now = []
    for edit in edits:
        names = known.get(edit.track_id, []) if edit.track_id is not None else []
        now.append(edit.item if edit.item in names or not names else names[0])
    return list(dict.fromkeys(now))


def resolve_items(
    store: Store,
    settings: Settings,
    account: JellyfinAccount,
    rule: Rule,
    refs: Sequence[str],
    count: int,
    without: Collection[PlaylistEdit],
) -> list[str]:
    """At most `count` items that feel like the seeds and that the user may see, best first.

    without: edits whose items and tracks are left out. Raises UsageError, ServiceError.
    """
    if count <= 0:
        return []
    tracks = {edit.track_id for edit in without}
    unwanted = {edit.item for edit in without}
    visible = _VisibleItems(account.api)
    depth = min(MAX_K, 2 * count + len(without))
    while True:
        answers = _ask(store, settings, account.link, rule, refs, depth)
        known = store.hosts.items_of(account.link.server, answers)
        wanted = [
            [item for item in known.get(track_id, ()) if item not in unwanted]
            for track_id in answers
            if track_id not in tracks
        ]
        found = visible.first_of_each(wanted, count)
        if len(found) >= count or len(answers) < depth or depth == MAX_K:
            return found
        depth = min(MAX_K, depth * _DEEPEN)


class _VisibleItems:
    """Which items one user may see; users of one server may see different libraries."""

    def __init__(self, api: JellyfinApi) -> None:
        self._api = api
        self._seen: dict[str, bool] = {}

    def first_of_each(self, groups: Sequence[Sequence[str]], count: int) -> list[str]:
        """The first visible item of each group, from at most `count` groups that have one."""
        found: list[str] = []
        for start in range(0, len(groups), MAX_IDS_PER_REQUEST):
            some = groups[start : start + MAX_IDS_PER_REQUEST]
            self._fetch([item for group in some for item in group])
            for group in some:
                found += [item for item in group if self._seen[item]][:1]
            if len(found) >= count:
                break
        return found[:count]

    def _fetch(self, items: Sequence[str]) -> None:
        new = [item for item in dict.fromkeys(items) if item not in self._seen]
        there = {item.id for item in self._api.lookup(new)}
        self._seen.update((item, item in there) for item in new)


def _ask(
    store: Store,
    settings: Settings,
    link: JellyfinLink,
    rule: Rule,
    refs: Sequence[str],
    depth: int,
) -> list[int]:
    """At most `depth` tracks, by id, as `mess similar` or `mess playlist radio` gives them."""
    if rule.radio is None:
        found = search(
            store, settings, refs, rule.query, k=depth, interval=rule.seed.interval, explain=False
        )
        return [match.track.id for match in found.matches]
    query = replace(rule.query, listener=listener_of(store, link.user_id))
    made = first_of_radio(store, settings, refs, query, n=depth, style=rule.radio)
    return [track.id for track in made.tracks]
