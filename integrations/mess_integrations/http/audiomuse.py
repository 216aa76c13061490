"""Routes of AudioMuse-AI's core API, for players and plugins that speak only these.

Switched on by the setting `audiomuse_api`; docs/players.md says which routes, and how they differ.
Items are those of the linked Jellyfin servers, by Jellyfin's ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_integrations.jellyfin.accounts import load
from mess_plugin.errors import UsageError
from mess_plugin.folding import same
from mess_plugin.model import Track
from mess_plugin.playlists.generate import journey
from mess_plugin.search import MAX_K, Filters, Query, search
from mess_plugin.search.filters import allowed_ids
from mess_plugin.store import Store
from mess_plugin.store.hosts import normalise_id

_MAX_N = 200
_MAX_SEEDS = 20  # tracks of an artist that are asked about
_POOL = 500  # tracks whose artists are ranked
_RANK_OFFSET = 60  # reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)


class SimilarTracksQuery(msgspec.Struct, frozen=True):
    """item_id: of Jellyfin. The others are taken and ignored, since clients send them always."""

    item_id: str
    n: int = 10
    eliminate_duplicates: str | None = None
    radius_similarity: str | None = None
    mood_similarity: str | None = None
    server: str | None = None


class SimilarArtistsQuery(msgspec.Struct, frozen=True):
    """artist: a name. Ids of artists are not known here."""

    artist: str | None = None
    artist_id: str | None = None
    n: int = 10
    include_component_matches: str | None = None
    server: str | None = None


class FindPathQuery(msgspec.Struct, frozen=True):
    """Two items of Jellyfin, and the most tracks on the way, both included."""

    start_song_id: str
    end_song_id: str
    max_steps: int = 25
    count: int | None = None
    path_fix_size: str | None = None
    mood_pct: str | None = None
    server: str | None = None


def similar_tracks(service: HttpService, call: Call) -> Reply:
    """Tracks like an item, nearest first."""
    asked: SimilarTracksQuery = call.query
    n = _checked(asked.n)
    with service.stores.use() as store:
        host, track = _find(service, store, asked.item_id)
        found = search(store, service.settings, f"mess:{track}", k=n, explain=False)
        items = store.hosts.items_of(host, [match.track.id for match in found.matches])
        rows = [
            _row(items[match.track.id][0], match.track, 1 - match.score)
            for match in found.matches
            if match.track.id in items
        ]
    if not rows:
        raise NotFound("no other track of this Jellyfin is indexed: run `mess jellyfin sync`")
    return Reply(rows)


def similar_artists(service: HttpService, call: Call) -> Reply:
    """Artists whose tracks are like those of one, nearest first."""
    asked: SimilarArtistsQuery = call.query
    n = _checked(asked.n)
    if not asked.artist:
        raise UsageError("wanted artist=NAME: ids of artists are not known to MESS")
    with service.stores.use() as store:
        ids = allowed_ids(store, Filters(artist=asked.artist), None) or []
        tracks = store.library.get(ids)
        own = [i for i in ids if i in tracks and same(tracks[i].tags.artist or "", asked.artist)]
        if not own:
            raise NotFound(f"no indexed track is by {asked.artist!r}")
        some = own[:: max(1, len(own) // _MAX_SEEDS)][:_MAX_SEEDS]
        refs = [f"mess:{i}" for i in some]
        found = search(store, service.settings, refs, Query(), k=min(_POOL, MAX_K), explain=False)
    worth: dict[str, float] = defaultdict(float)
    for match in found.matches:
        name = match.track.tags.artist
        if name and not same(name, asked.artist):
            worth[name] += 1 / (_RANK_OFFSET + match.rank)
    best = sorted(worth, key=lambda name: -worth[name])[:n]
    most = max(worth.values(), default=1.0)
    return Reply(
        [
            {"artist": name, "artist_id": None, "divergence": round(1 - worth[name] / most, 4)}
            for name in best
        ]
    )


def find_path(service: HttpService, call: Call) -> Reply:
    """An even path from one item to another."""
    asked: FindPathQuery = call.query
    n = max(3, _checked(asked.count or asked.max_steps))
    with service.stores.use() as store:
        host, first = _find(service, store, asked.start_song_id)
        other, last = _find(service, store, asked.end_song_id)
        if host != other:
            raise UsageError("the two items are on different servers")
        ends = f"mess:{first}", f"mess:{last}"
        found = journey(store, service.settings, *ends, Query(), n=n)
        items = store.hosts.items_of(host, [track.id for track in found.tracks])
    steps = [0.0, *(1 - smooth for smooth in found.smoothness)]
    path = [
        _row(items[track.id][0], track, step)
        for track, step in zip(found.tracks, steps, strict=True)
        if track.id in items
    ]
    return Reply({"path": path, "total_distance": round(sum(steps), 4)})


def health(service: HttpService, _call: Call) -> Reply:
    """Whether the database answers."""
    with service.stores.use() as store:
        store.server_versions()
    return Reply({"status": "ok"})


def active_tasks(service: HttpService, _call: Call) -> Reply:
    """Indexing, where some of it is left to do; else an empty object."""
    with service.stores.use() as store:
        jobs = list(store.jobs.count_jobs().values())
    left = sum(states.get(state, 0) for states in jobs for state in ("wanted", "running"))
    done = sum(states.get(state, 0) for states in jobs for state in ("done", "failed"))
    if not left:
        return Reply({})
    progress = round(100 * done / (done + left))
    return Reply(
        {"task_id": "index", "task_type": "analysis", "status": "PROGRESS", "progress": progress}
    )


def _find(service: HttpService, store: Store, item: str) -> tuple[str, int]:
    """(server, track) of an item. Raises NotFound saying what to do."""
    known = store.hosts.find_item(normalise_id(item))
    if known is None:
        raise NotFound(
            f"item {item!r} is not an item of a linked Jellyfin: `mess jellyfin link`, then `sync`"
        )
    for host in dict.fromkeys(link.server for link in load(service.settings.home)):
        tracks = store.hosts.tracks_of(host, [normalise_id(item)])
        if tracks:
            return host, next(iter(tracks.values()))
    raise NotFound(f"item {item!r} is not indexed ({known[1] or 'not matched yet'})")


def _row(item: str, track: Track, distance: float) -> Mapping[str, object]:
    return {
        "item_id": item,
        "title": track.tags.title or track.describe(),
        "author": track.tags.artist or "",
        "album": track.tags.album or "",
        "distance": round(distance, 4),
    }


def _checked(n: int) -> int:
    if not 1 <= n <= _MAX_N:
        raise UsageError(f"{n} answers are asked for: wanted 1 to {_MAX_N}")
    return n


_ITEM = {
    "item_id": "9f0c…", "title": "So What", "author": "Miles Davis", "album": "Kind of Blue",
    "distance": 0.12,
}  # fmt: skip
_WRONG = {
    400: "The question is wrong.",
    404: "The item is not known or not indexed; `error` says what to do.",
    503: "The database does not answer.",
}


def _get(
    path: str, summary: str, handler: object, query: type[msgspec.Struct], example: object
) -> Endpoint:
    answers = {200: "The answer.", **_WRONG}
    return Endpoint(
        "GET", path, summary, handler, query, answers=answers, answer_example=example  # type: ignore[arg-type]
    )  # fmt: skip


ENDPOINTS: Sequence[Endpoint] = (
    _get("/api/similar_tracks", "Tracks like an item", similar_tracks, SimilarTracksQuery, [_ITEM]),
    _get(
        "/api/similar_artists", "Artists like one", similar_artists, SimilarArtistsQuery,
        [{"artist": "Bill Evans", "artist_id": None, "divergence": 0.1}],
    ),
    _get(
        "/api/find_path", "A path between two items", find_path, FindPathQuery,
        {"path": [_ITEM], "total_distance": 1.2},
    ),
    Endpoint("GET", "/api/health", "Whether the database answers", health),
    Endpoint("GET", "/api/active_tasks", "Indexing under way", active_tasks),
)  # fmt: skip
