"""Instant Mix and Similar, answered by MESS for any Jellyfin client.

A reverse proxy sends only these routes here (docs/jellyfin.md). MESS ranks tracks, asks Jellyfin for
their items with the client's own credentials, and answers in Jellyfin's shape. Where it cannot, it
raises NoAnswer and Jellyfin answers itself: clients remember an empty list as "there are none".
"""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import BoundedSemaphore
from urllib.parse import urlsplit

import msgspec

from mess_integrations.jellyfin.accounts import listener_of
from mess_integrations.jellyfin.upstream import (
    MAX_IDS_PER_REQUEST,
    ClientRequest,
    NoAnswer,
    Upstream,
    UpstreamItem,
)
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, MessError
from mess_plugin.search import Query, search
from mess_plugin.store import Store
from mess_plugin.store.hosts import normalise_id

log = logging.getLogger(__name__)

MIX_SIZE = 200  # Jellyfin's own mixes hold as many
SIMILAR_SIZE = 50  # the default of Jellyfin 12
MAX_SIZE = 500
_MAX_SEEDS = 20  # of an album, artist or playlist
_WAIT_S, _RANK_S = 0.8, 0.8  # so that the mix or Jellyfin's own answer comes within 2 s
_RANKED_AT_ONCE = max(2, os.cpu_count() or 1)  # more would slow each other down
_POOL = 500  # tracks whose albums or artists are ranked
_PER_ARTIST, _PER_ALBUM = 0.1, 0.05  # shares of a mix
_ARTIST_APART, _ALBUM_APART = 2, 3  # places between two tracks of one
_CHOICE = 1.5  # times as many tracks as wanted, for artists to be mixed
_RANK_OFFSET = 60  # reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)
_KINDS = {
    "Audio": "songs",
    "MusicAlbum": "albums",
    "MusicArtist": "artists",
    "Playlist": "playlists",
}
_LEAN = [("enableImages", "false"), ("enableUserData", "false")]
_AUDIO = [("recursive", "true"), ("includeItemTypes", "Audio")]

OpenStore = Callable[[], AbstractContextManager[Store]]


class MixAnswer(msgspec.Struct, frozen=True):
    """A list of items in Jellyfin's shape."""

    items: tuple[UpstreamItem, ...]
    total: int
    """Before `limit`, as Jellyfin counts."""
    content_type: str
    is_camel: bool

    def json(self) -> bytes:
        """The document `BaseItemDtoQueryResult`."""
        names = ("items", "totalRecordCount", "startIndex")
        if not self.is_camel:
            names = ("Items", "TotalRecordCount", "StartIndex")
        values = ([item.raw for item in self.items], self.total, 0)
        return msgspec.json.encode(dict(zip(names, values, strict=True)))


class MixReply(msgspec.Struct, frozen=True):
    """An HTTP answer. reason: why Jellyfin answered it; empty where MESS did."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reason: str = ""


class InstantMix:
    """Answers the requests of one service. Thread-safe."""

    def __init__(self, settings: Settings, open_store: OpenStore) -> None:
        """open_store: for use by one thread at a time. Raises ConfigError for a wrong `instant_mix`."""
        url = settings.instant_mix or ""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ConfigError("instant_mix", url, "wanted an address such as http://jellyfin:8096")
        self._settings = settings
        self._upstream = Upstream(url)
        self._open_store = open_store
        self._rankers = ThreadPoolExecutor(_RANKED_AT_ONCE, "mix")
        self._free = BoundedSemaphore(_RANKED_AT_ONCE)

    def close(self) -> None:
        """Stop ranking, and close connections."""
        self._rankers.shutdown(wait=False, cancel_futures=True)
        self._upstream.close()

    def reply(self, asked: ClientRequest) -> MixReply:
        """MESS's answer, else Jellyfin's own. Raises ServiceError where neither can be had."""
        try:
            answer = self.answer(asked)
        except (NoAnswer, MessError) as error:
            reason = str(error)
        except Exception as error:  # whatever is wrong with MESS, Jellyfin has an answer
            log.exception("a mix failed")
            reason = f"unexpected {type(error).__name__}"
        else:
            return MixReply(200, {"Content-Type": answer.content_type}, answer.json())
        own = self._upstream.pass_on(asked)
        return MixReply(own.status, own.headers, own.body, reason)

    def answer(self, asked: ClientRequest) -> MixAnswer:
        """What MESS answers. Raises NoAnswer, MessError."""
        route = asked.route
        if route is None:
            raise NoAnswer("this is neither a mix nor similar items")
        item, is_mix = normalise_id(route["id"]), route["what"].lower() == "instantmix"
        limit = _limit(asked, MIX_SIZE if is_mix else SIMILAR_SIZE)
        kind, seeds = self._seeds(asked, route["kind"].lower(), item)
        user, server = self._upstream.user(asked), self._upstream.server()
        of_tracks = is_mix or kind == "songs"
        n = max(limit, MIX_SIZE) if of_tracks else _POOL
        ranked = self._in_time(lambda: self._rank(server, seeds, user, n, is_mix=is_mix))
        if not of_tracks:
            ranked = self._parents(asked, kind, item, ranked)
        elif is_mix and kind == "songs":
            ranked = [item, *ranked]
        found = self._fetch(asked, ranked, limit)
        if len(found.items) == 1 and limit > 1 and is_mix:
            raise NoAnswer("the client may see none of the answers")
        return found

    def _in_time(self, rank: Callable[[], list[str]]) -> list[str]:
        """Run the part that asks the database. Raises NoAnswer where it takes too long.

        A thread that is late is left to the time limits of the database. Who finds none free soon gets
        Jellyfin's answer, so trouble never queues up.
        """
        if not self._free.acquire(timeout=_WAIT_S):
            raise NoAnswer("too many mixes are asked for at once")
        future = self._rankers.submit(rank)
        future.add_done_callback(lambda _: self._free.release())
        try:
            return future.result(timeout=_RANK_S)
        except TimeoutError:
            future.cancel()
            raise NoAnswer(f"MESS did not answer within {_RANK_S:g} s") from None

    def _seeds(self, asked: ClientRequest, kind: str, item: str) -> tuple[str, list[str]]:
        """What an item is, and the songs to start from, at most _MAX_SEEDS that the client may see."""
        query = [*asked.credentials, *_LEAN]
        if kind in ("items", "songs"):
            found = self._upstream.by_id(asked, [item], query).by_id().get(item)
            kind = _KINDS.get(found.type, "") if found else ""
            if not kind:
                raise NoAnswer(f"item {item} is {found.type if found else 'not visible'}: no music")
        if kind == "songs":
            return kind, [item]
        if kind == "playlists":
            listed = self._upstream.items(asked, f"/Playlists/{item}/Items", query)
        else:
            of = "albumIds" if kind == "albums" else "artistIds"
            some = [*_AUDIO, (of, item), ("sortBy", "Random"), ("limit", "100")]
            listed = self._upstream.items(asked, "/Items", [*query, *some])
        audio = [one.id for one in listed.items if one.type == "Audio"]
        if not audio:
            raise NoAnswer(f"{kind} {item}: no music in it that the client may see")
        return kind, [audio[n] for n in _evenly(len(audio), _MAX_SEEDS)]

    def _rank(
        self, server: str, seeds: Sequence[str], user: str | None, n: int, *, is_mix: bool
    ) -> list[str]:
        """Ids of at most n items that feel like the seeds, best first, without the seeds."""
        with self._open_store() as store:
            known = store.hosts.tracks_of(server, seeds)
            tracks = list(dict.fromkeys(known[seed] for seed in seeds if seed in known))
            if not tracks:
                raise NoAnswer("none of the seeds is indexed: see `mess jellyfin sync`")
            refs = [f"mess:{track}" for track in tracks]
            query = Query(listener=listener_of(store, user))
            more = round(n * _CHOICE) if is_mix else n
            matches = search(store, self._settings, refs, query, k=more, explain=False).matches
            if is_mix:
                keys = [(m.track.tags.artist or "", m.track.tags.album or "") for m in matches]
                order = spread(keys, max(2, round(n * _PER_ARTIST)), max(2, round(n * _PER_ALBUM)))
                matches = tuple(matches[place] for place in order[:n])
            items = store.hosts.items_of(server, [match.track.id for match in matches])
        found = [items[match.track.id][0] for match in matches if match.track.id in items]
        if not found:
            raise NoAnswer("no track of Jellyfin answers")
        return found

    def _fetch(self, asked: ClientRequest, ids: Sequence[str], limit: int) -> MixAnswer:
        """The first `limit` of these items that the client may see, in this order."""
        query = asked.without("limit", "startIndex", "ids")
        found: list[UpstreamItem] = []
        n_hidden = start = 0
        while start < len(ids) and len(found) < limit:
            some = ids[start : start + min(MAX_IDS_PER_REQUEST, limit - len(found))]
            page = self._upstream.by_id(asked, some, query)
            there = page.by_id()
            found += [there[one] for one in some if one in there]
            n_hidden += sum(one not in there for one in some)
            start += len(some)
        if not found:
            raise NoAnswer("the client may see none of the answers")
        return MixAnswer(tuple(found), len(ids) - n_hidden, page.content_type, page.is_camel)

    def _parents(
        self, asked: ClientRequest, kind: str, own: str, ranked: Sequence[str]
    ) -> list[str]:
        """Albums or artists of ranked tracks, by the sum of 1 / rank of their tracks."""
        query = [*asked.credentials, *_LEAN]
        worth: dict[str, float] = defaultdict(float)
        for start in range(0, len(ranked), MAX_IDS_PER_REQUEST):
            some = ranked[start : start + MAX_IDS_PER_REQUEST]
            there = self._upstream.by_id(asked, some, query).by_id()
            for rank, one in enumerate(some, start=start + 1):
                if one in there:
                    for parent in _parents_of(there[one], kind):
                        worth[parent] += 1 / (_RANK_OFFSET + rank)
        worth.pop(own, None)
        if not worth:
            raise NoAnswer(f"no other {kind} answer")
        return sorted(worth, key=lambda one: -worth[one])


def spread(keys: Sequence[tuple[str, str]], per_artist: int, per_album: int) -> list[int]:
    """An order in which artists and albums are mixed, as near to 0, 1, … as can be.

    keys: (artist, album) of each place; empty text is under no rule. Tracks beyond per_artist and
    per_album come last. Before them, each place takes the first that is left whose artist is not among
    the last two and whose album is not among the last three, else the first that is left.
    """
    artists: Counter[str] = Counter()
    albums: Counter[tuple[str, str]] = Counter()
    left: list[int] = []
    beyond: list[int] = []
    for place, (artist, album) in enumerate(keys):
        fits = not artist or artists[artist] < per_artist
        fits = fits and (not album or albums[artist, album] < per_album)
        artists[artist] += fits
        albums[artist, album] += fits
        (left if fits else beyond).append(place)
    order: list[int] = []
    while left:
        recent = [keys[one] for one in order[-_ALBUM_APART:]]
        artists_before = {artist for artist, _ in recent[-_ARTIST_APART:] if artist}
        albums_before = {key for key in recent if key[1]}
        best = (
            one
            for one in left
            if keys[one][0] not in artists_before and keys[one] not in albums_before
        )
        order.append(next(best, left[0]))
        left.remove(order[-1])
    return order + beyond


def _limit(asked: ClientRequest, default: int) -> int:
    text = asked.value("limit")
    if text is None:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise NoAnswer(f"limit is {text!r}")  # Jellyfin says itself what it thinks of it
    return min(int(text), MAX_SIZE)


def _evenly(n: int, most: int) -> Iterable[int]:
    """At most `most` of the numbers below n, evenly spread."""
    return range(n) if n <= most else (i * n // most for i in range(most))


def _parents_of(item: UpstreamItem, kind: str) -> tuple[str, ...]:
    if kind == "artists":
        return item.artists
    return (item.album,) if item.album else ()
