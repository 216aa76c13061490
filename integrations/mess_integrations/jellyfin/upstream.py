"""Requests of a Jellyfin client that reach MESS through a reverse proxy, and asking Jellyfin for it.

MESS has no token of its own here. Whatever it asks, it asks with the client's own headers and query,
so permissions, images, user data and the shape of items are decided by Jellyfin. Credentials are
passed on, not kept, and in no message: they may stand in headers (`Authorization`, and the older
`X-Emby-Token`, `X-Emby-Authorization`, `X-MediaBrowser-Token`) and in the query (`ApiKey`, `api_key`).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
import urllib3

from mess_plugin.errors import ServiceError
from mess_plugin.store.hosts import normalise_id

# At the level DEBUG it logs the addresses of requests, and there may be a token in them.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

MAX_IDS_PER_REQUEST = 100  # Kestrel refuses request lines over 8 KB; 100 ids take 3.7
_CONNECT_S = 2.0
_ANSWER_S = 30.0
_AGAIN_S = 0.05  # before a second try where no answer began
_CONNECTIONS = 32
# Hop-by-hop (RFC 9110, 7.6.1), or set anew for our own connection.
_NOT_PASSED_ON = frozenset(
    (
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length",
        "content-encoding", "accept-encoding", "date", "server",
    )
)  # fmt: skip
_ID = r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"
_ROUTE = re.compile(
    rf"/(?P<kind>Items|Songs|Albums|Artists|Playlists)/(?P<id>{_ID})/(?P<what>InstantMix|Similar)/?$",
    re.IGNORECASE,
)
_LISTS = frozenset({"fields", "enableimagetypes", "excludeartistids"})


class NoAnswer(Exception):
    """MESS cannot answer this request: Jellyfin is to answer it. The text says why."""


class ClientRequest(msgspec.Struct, frozen=True):
    """A GET request as the client sent it."""

    path: str
    """Below Jellyfin's base path, which may come before it."""
    query: tuple[tuple[str, str], ...]
    """In the client's spelling; ASP.NET ignores the case of names."""
    headers: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """Leaves headers and query out: credentials are in them."""
        return f"ClientRequest({self.path})"

    @classmethod
    def parse(cls, path: str, query: str, headers: Iterable[tuple[str, str]]) -> ClientRequest:
        """From the parts of an HTTP request. query: as it stands after the question mark."""
        return cls(path, tuple(parse_qsl(query, keep_blank_values=True)), tuple(headers))

    @property
    def route(self) -> re.Match[str] | None:
        """Groups kind, id and what, where this asks for a mix or for similar items."""
        return _ROUTE.search(self.path)

    def values(self, name: str) -> list[str]:
        """All values of a parameter, in any case; lists come repeated or with commas."""
        found = [value for key, value in self.query if key.lower() == name.lower()]
        return (
            [part for value in found for part in value.split(",")]
            if name.lower() in _LISTS
            else found
        )

    def value(self, name: str) -> str | None:
        """The first value of a parameter, None where it is missing or empty."""
        return next(filter(None, self.values(name)), None)

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The query without some parameters."""
        lower = {name.lower() for name in names}
        return [(key, value) for key, value in self.query if key.lower() not in lower]

    @property
    def credentials(self) -> list[tuple[str, str]]:
        """The part of the query that says who asks."""
        return [(k, v) for k, v in self.query if k.lower() in ("apikey", "api_key", "userid")]


class UpstreamAnswer(msgspec.Struct, frozen=True):
    """What Jellyfin answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header, in any case."""
        found = [value for key, value in self.headers.items() if key.lower() == name.lower()]
        return found[0] if found else None

    def __repr__(self) -> str:
        """The status alone."""
        return f"UpstreamAnswer({self.status})"


class Upstream:
    """The Jellyfin behind MESS. Thread-safe."""

    def __init__(self, url: str) -> None:
        """url: as MESS reaches it, with Jellyfin's base path; never that of the reverse proxy."""
        self.url = url.rstrip("/")
        self._server: str | None = None
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            block=False,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_ANSWER_S),
        )

    def server(self) -> str:
        """The server's id, asked for once. Raises NoAnswer, ServiceError."""
        if self._server is None:
            asked = ClientRequest("", (), (("accept", "application/json"),))
            info = msgspec.json.decode(self._ok(asked, "/System/Info/Public", []).body)
            self._server = normalise_id(str(info.get("Id") or ""))
        return self._server

    def pass_on(self, asked: ClientRequest) -> UpstreamAnswer:
        """Jellyfin's own answer to the client's request, whatever it is. Raises ServiceError."""
        found = asked.route
        path = found.group(0) if found else asked.path
        return self._ask(asked, path, list(asked.query))

    def user(self, asked: ClientRequest) -> str | None:
        """The id of the user who asks; None where the client has an API key. Raises ServiceError."""
        if said := asked.value("userId"):
            return normalise_id(said)
        answer = self._ask(asked, "/Users/Me", asked.credentials)
        if answer.status != 200:
            return None
        return normalise_id(str(msgspec.json.decode(answer.body).get("Id") or "")) or None

    def items(
        self, asked: ClientRequest, path: str, query: Sequence[tuple[str, str]]
    ) -> UpstreamItems:
        """A list of items, as the client may see them. Raises NoAnswer, ServiceError."""
        answer = self._ok(asked, path, query)
        try:
            document = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
            is_camel = "items" in document  # asked for with `Accept: …; profile="CamelCase"`
            raws = msgspec.json.decode(
                document["items" if is_camel else "Items"], type=list[msgspec.Raw]
            )
            items = tuple(UpstreamItem.read(raw) for raw in raws)
            return UpstreamItems(items, answer.header("Content-Type") or "", is_camel)
        except (msgspec.DecodeError, KeyError) as error:
            raise NoAnswer("Jellyfin's list of items cannot be read") from error

    def by_id(
        self, asked: ClientRequest, ids: Sequence[str], query: Sequence[tuple[str, str]]
    ) -> UpstreamItems:
        """Those of the items that the client may see, in any order. Raises NoAnswer, ServiceError."""
        return self.items(asked, "/Items", [*query, *(("ids", item) for item in ids)])

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def _ok(
        self, asked: ClientRequest, path: str, query: Sequence[tuple[str, str]]
    ) -> UpstreamAnswer:
        answer = self._ask(asked, path, query)
        if answer.status != 200:
            raise NoAnswer(f"Jellyfin answers {answer.status} to GET {path}")
        return answer

    def _ask(
        self, asked: ClientRequest, path: str, query: Sequence[tuple[str, str]]
    ) -> UpstreamAnswer:
        url = self.url + quote(path) + (f"?{urlencode(query)}" if query else "")
        headers = [(k, v) for k, v in asked.headers if k.lower() not in _NOT_PASSED_ON]
        sent = urllib3.HTTPHeaderDict([*headers, ("Accept-Encoding", "gzip")])
        try:
            try:
                answer = self._pool.request("GET", url, headers=sent, redirect=False)
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProtocolError):
                # Refused in a crowd, or a kept connection that the server closed just now.
                time.sleep(_AGAIN_S)
                answer = self._pool.request("GET", url, headers=sent, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            # Its text has the URL in it, and the URL may have a token in it.
            raise ServiceError(
                f"Jellyfin at {self.url}", f"it does not answer ({type(error).__name__})"
            ) from None
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _NOT_PASSED_ON}
        return UpstreamAnswer(answer.status, kept, answer.data)


class _Known(msgspec.Struct, frozen=True, rename="pascal"):
    """The fields that MESS reads of an item."""

    id: str
    type: str = ""
    album_id: str | None = None
    artist_items: list[dict[str, str | None]] | None = None
    album_artists: list[dict[str, str | None]] | None = None


class _KnownCamel(msgspec.Struct, frozen=True, rename="camel"):
    """The same in the spelling of `Accept: application/json; profile="CamelCase"`."""

    id: str
    type: str = ""
    album_id: str | None = None
    artist_items: list[dict[str, str | None]] | None = None
    album_artists: list[dict[str, str | None]] | None = None


class UpstreamItems(msgspec.Struct, frozen=True):
    """A list of items as Jellyfin wrote it."""

    items: tuple[UpstreamItem, ...]
    content_type: str
    is_camel: bool
    """Whether names are in camel case."""

    def by_id(self) -> dict[str, UpstreamItem]:
        """The items by id."""
        return {item.id: item for item in self.items}


class UpstreamItem(msgspec.Struct, frozen=True):
    """An item: its JSON as Jellyfin wrote it, and what MESS reads of it."""

    raw: msgspec.Raw
    id: str
    type: str
    album: str | None
    """The id of its album."""
    artists: tuple[str, ...]
    """Ids of its album's artists, else of its own."""

    @classmethod
    def read(cls, raw: msgspec.Raw) -> UpstreamItem:
        """From JSON in either spelling. Raises msgspec.DecodeError."""
        known: _Known | _KnownCamel
        try:
            known = msgspec.json.decode(raw, type=_Known)
        except msgspec.ValidationError:
            known = msgspec.json.decode(raw, type=_KnownCamel)
        people = known.album_artists or known.artist_items or []
        ids = [one.get("Id") or one.get("id") for one in people]
        return cls(
            raw,
            normalise_id(known.id),
            known.type,
            normalise_id(known.album_id) if known.album_id else None,
            tuple(normalise_id(one) for one in ids if one),
        )
