"""A rule's seed → references to tracks."""

from __future__ import annotations

from collections.abc import Sequence

from mess_integrations.jellyfin.accounts import Link
from mess_integrations.jellyfin.api import Host, Playlist
from mess_integrations.jellyfin.rules import Seed
from mess_plugin.errors import UsageError
from mess_plugin.folding import same
from mess_plugin.search.asking import MAX_SEEDS
from mess_plugin.search.references import find_track
from mess_plugin.store import Store

_RECENT = 20  # tracks played last: what is on the listener's mind now


def references(
    store: Store,
    host: Host,
    link: Link,
    seed: Seed,
    own: Sequence[str],
    playlists: Sequence[Playlist],
) -> list[str]:
    """The tracks of a seed as references to the library, at most MAX_SEEDS.

    own: what the listener put into the playlist. Raises UsageError where it names nothing, or
    nothing that is heard yet.
    """
    if seed.kind == "tracks":
        return [f"mess:{find_track(store, name)}" for name in seed.names]
    items = _items(host, seed, own, playlists)
    tracks = store.hosts.tracks_of(link.server, items)
    known = list(dict.fromkeys(tracks[item] for item in items if item in tracks))
    if not known:
        raise UsageError(_nothing(seed, len(items)))
    return [f"mess:{track_id}" for track_id in known[:MAX_SEEDS]]


def _items(
    host: Host, seed: Seed, own: Sequence[str], playlists: Sequence[Playlist]
) -> Sequence[str]:
    match seed.kind:
        case "favourites":
            return host.favourites(MAX_SEEDS)
        case "recent":
            return host.recent(_RECENT)
        case "playlist":
            return host.contents(_named(seed.names[0], playlists))
        case _:
            return own


def _named(name: str, playlists: Sequence[Playlist]) -> str:
    found = [one.id for one in playlists if same(one.name, name)]
    if len(found) == 1:
        return found[0]
    wrong = "several playlists are" if found else "no playlist is"
    raise UsageError(f"{wrong} called {name!r}")


def _nothing(seed: Seed, n_items: int) -> str:
    called = {
        "favourites": "the favourites",
        "recent": "what was played last",
        "these": "the tracks put into this playlist",
    }.get(seed.kind, f"playlist {seed.names[0] if seed.names else ''!r}")
    if not n_items:
        return f"nothing to start from: {called} hold no music yet"
    return f"none of {called} ({n_items} items) is indexed: see `mess jellyfin sync`"
