"""A Jellyfin to test against: real HTTP on loopback, checked message by message by its documents.

It behaves as its sources and its users' reports say where the documents are silent: dashes in ids or
none, legacy authorization refused, API keys without a user, duplicates dropped on 10.11, another
user's playlists visible and not writable.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from tests.jellyfin_contract import Contract

USER, OTHER = "a" * 32, "b" * 32
TOKENS = {"token-of-ann": USER, "token-of-bob": OTHER, "an-api-key": None}
PASSWORD = "right"
SERVER = "c" * 32


TOKEN_WORDS = ("ApiKey", "api_key")
_NAMES = (
    "userId", "limit", "startIndex", "fields", "ids", "enableImages", "enableUserData",
    "imageTypeLimit", "enableImageTypes", "excludeArtistIds", "includeItemTypes", "recursive",
)  # fmt: skip
_LISTS = ("ids", "fields", "enableImageTypes", "excludeArtistIds", "includeItemTypes")


def bound(query: dict[str, list[str]]) -> dict[str, list[str]]:
    """A query as ASP.NET binds it: names in any case, lists repeated or with commas."""
    found: dict[str, list[str]] = {}
    for said, values in query.items():
        name = next((one for one in _NAMES if one.lower() == said.lower()), said)
        split = [part for value in values for part in value.split(",")]
        found.setdefault(name, []).extend(split if name in _LISTS else values)
    return found


def camel(value: Any) -> Any:
    """JSON with names in camel case."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: camel(inner) for key, inner in value.items()}
    return [camel(one) for one in value] if isinstance(value, list) else value


def item_id(number: int) -> str:
    return f"{number:032x}"


@dataclass
class Playlist:
    name: str
    owner: str
    public: bool
    items: list[str]


@dataclass
class FakeJellyfin:
    contract: Contract
    dashes: bool = False
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    playlists: dict[str, Playlist] = field(default_factory=dict)
    saved: dict[str, datetime] = field(default_factory=dict)  # others: long ago
    hidden: set[str] = field(default_factory=set)  # from everybody
    hidden_from: dict[str, set[str]] = field(default_factory=dict)  # by user
    revoked: set[str] = field(default_factory=set)  # tokens
    favourites: list[str] = field(default_factory=list)
    played: list[str] = field(default_factory=list)
    code_entered: bool = False
    largest_page: int = 10**6  # larger ones fail
    failures: list[int] = field(default_factory=list)  # statuses to answer with first
    delay_s: float = 0.0
    base: str = ""  # Jellyfin's base path, such as /jellyfin
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)  # albums, artists, films
    mixes: int = 0  # how often it made up a mix or similar items itself
    requests: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    url: str = ""

    def add(
        self, number: int, name: str, path: str | None, duration_s: float, **providers: str
    ) -> str:
        item = item_id(number)
        self.items[item] = {
            "Name": name,
            "Path": path,
            "RunTimeTicks": round(duration_s * 10_000_000),
            "ProviderIds": providers,
        }
        return item

    def put(self, item: str, album: int, artist: int) -> None:
        """Let an item be of an album and an artist, which are there then."""
        people = [{"Name": f"Artist {artist}", "Id": self.id(item_id(0xA000 + artist))}]
        self.folders[item_id(0xB000 + album)] = {"Type": "MusicAlbum", "Name": f"Album {album}"}
        self.folders[item_id(0xA000 + artist)] = {"Type": "MusicArtist", "Name": people[0]["Name"]}
        self.items[item] |= {
            "AlbumId": self.id(item_id(0xB000 + album)), "ArtistItems": people, "AlbumArtists": people,
        }  # fmt: skip

    def make_playlist(
        self, name: str, items: list[str] | None = None, owner: str = USER, public: bool = False
    ) -> str:
        playlist = item_id(0xF000 + len(self.playlists))
        self.playlists[playlist] = Playlist(name, owner, public, items or [])
        return playlist

    def named(self, name: str) -> Playlist:
        (found,) = [one for one in self.playlists.values() if one.name == name]
        return found

    def writes(self) -> list[str]:
        return [path for method, path, _ in self.requests if method == "post"]

    @property
    def is_old(self) -> bool:
        return self.contract.version.startswith("10.")

    def id(self, item: str) -> str:
        return str(UUID(item)) if self.dashes else item

    # What it answers: (status, body) ---------------------------------------------------------

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, user: str | None
    ) -> tuple[int, Any]:
        if "userId" in query and user is not None and UUID(query["userId"][0]).hex != user:
            return 403, {}  # nobody here is an administrator
        if path == "/Users/Me":
            return (200, {"Id": self.id(user), "Name": "ann"}) if user else (400, None)
        if path == "/Items":
            kind = query.get("includeItemTypes")
            if kind == ["Playlist"]:
                return self._all_playlists(user)
            if kind is None and not {UUID(one).hex for one in query["ids"]} & self.items.keys():
                return 200, self._list(self._others(query["ids"], user))
            return self._audio(query, self._unseen(user))
        if made_up := re.fullmatch(r"/\w+/([^/]+)/(InstantMix|Similar)", path):
            return self._made_up(UUID(made_up[1]).hex, query, user)
        if path == "/Playlists":
            return self._create(body, user)
        return self._one_playlist(method, path, query, body, user)

    def _one_playlist(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, user: str | None
    ) -> tuple[int, Any]:
        found = re.fullmatch(r"/Playlists/([^/]+)(/\w+)?", path)
        assert found, path
        known = self.playlists.get(UUID(found[1]).hex)
        if known is None or not (known.public or user == known.owner or user is None):
            return 404, {"title": "Playlist not found"}
        if method == "post":
            return self._replace(known, body, user)
        if found[2] == "/Users":
            return (200, []) if user == known.owner else (403, {})
        start, limit = int(query.get("startIndex", ["0"])[0]), int(query.get("limit", ["1000"])[0])
        there = [item for item in known.items if item in self.items]
        return 200, self._list([self._audio_dto(item) for item in there[start : start + limit]])

    def _others(self, ids: list[str], user: str | None) -> list[dict[str, Any]]:
        """Items by id that are no audio: folders and playlists."""
        asked = [UUID(one).hex for one in ids]
        lists = {
            item: {"Name": one.name, "Type": "Playlist", "MediaType": "Audio"}
            for item, one in self.playlists.items()
            if one.public or one.owner == user
        }
        known = {**self.folders, **lists}
        return [{"Id": self.id(one), **known[one]} for one in asked if one in known]

    def _made_up(self, item: str, query: dict[str, list[str]], user: str | None) -> tuple[int, Any]:
        """Its own mix or similar items: all that is there, the newest first."""
        known = self.items.keys() | self.folders.keys() | self.playlists.keys()
        if item not in known - self._unseen(user):
            return 404, {"title": "Not Found"}
        self.mixes += 1
        found = [one for one in reversed(self.items) if one not in self._unseen(user)]
        limit = int(query.get("limit", ["200"])[0])
        document = self._list([self._audio_dto(one) for one in found[:limit]])
        return 200, {**document, "TotalRecordCount": len(found)}

    def _replace(self, known: Playlist, body: dict[str, Any], user: str | None) -> tuple[int, Any]:
        if user is None:
            return 400, "Guid can't be empty"
        if user != known.owner:
            return 403, {}
        known.items = self._accepted(body["Ids"], user)
        return 204, None

    def _unseen(self, user: str | None) -> set[str]:
        return self.hidden | self.hidden_from.get(user or "", set())

    def _audio(self, query: dict[str, list[str]], unseen: set[str]) -> tuple[int, Any]:
        found = [item for item in self.items if item not in unseen]
        if "ids" in query:
            asked = {UUID(one).hex for one in query["ids"]}
            found = [item for item in found if item in asked]
        for name, of in (("albumIds", self._album_of), ("artistIds", self._artist_of)):
            if name in query:
                asked = {UUID(one).hex for one in query[name]}
                found = [item for item in found if of(item) in asked]
        if "minDateLastSaved" in query:
            since = datetime.fromisoformat(query["minDateLastSaved"][0])
            found = [item for item in found if item in self.saved and self.saved[item] >= since]
        if query.get("filters") == ["IsFavorite"]:
            found = [item for item in self.favourites if item in found]
        if query.get("filters") == ["IsPlayed"]:
            found = [item for item in self.played if item in found]
        start, limit = (
            int(query.get(key, [n])[0]) for key, n in (("startIndex", "0"), ("limit", "100000"))
        )
        if limit > self.largest_page and "startIndex" in query:
            return 500, "Error processing request."
        return 200, self._list([self._audio_dto(item) for item in found[start : start + limit]])

    def _album_of(self, item: str) -> str:
        return UUID(self.items[item].get("AlbumId", "0" * 32)).hex

    def _artist_of(self, item: str) -> str:
        people = self.items[item].get("ArtistItems") or [{"Id": "0" * 32}]
        return UUID(people[0]["Id"]).hex

    def _all_playlists(self, user: str | None) -> tuple[int, Any]:
        return 200, self._list(
            [
                {"Id": self.id(item), "Name": one.name, "Type": "Playlist", "MediaType": "Audio"}
                for item, one in self.playlists.items()
                if one.public or one.owner == user
            ]
        )

    def _create(self, body: dict[str, Any], user: str | None) -> tuple[int, Any]:
        owner = user or UUID(body["UserId"]).hex
        playlist = self.make_playlist(
            body["Name"], self._accepted(body["Ids"], owner), owner, body.get("IsPublic", True)
        )
        return 200, {"Id": self.id(playlist)}

    def _accepted(self, ids: list[str], user: str | None) -> list[str]:
        asked, unseen = [UUID(item).hex for item in ids], self._unseen(user)
        there = [item for item in asked if item in self.items and item not in unseen]
        return list(dict.fromkeys(there)) if self.is_old else there

    def _audio_dto(self, item: str) -> dict[str, Any]:
        return {
            "Id": self.id(item),
            "Type": "Audio",
            "MediaType": "Audio",
            "PlaylistItemId": item,
            **self.items[item],
        }

    def _list(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"Items": items, "TotalRecordCount": 0, "StartIndex": 0}

    def open_answer(self, method: str, path: str, body: Any) -> tuple[int, Any] | None:
        """What is answered without a token; None for everything else."""
        connect = {
            "Authenticated": self.code_entered, "Secret": "secret", "Code": "314159",
            "DeviceId": "d", "DeviceName": "MESS", "AppName": "MESS", "AppVersion": "0",
            "DateAdded": "2026-01-01T00:00:00.0000000Z",
        }  # fmt: skip
        name = (body or {}).get("Username", "ann")
        user = TOKENS.get(f"token-of-{name}") or USER
        login = {
            "User": {"Name": name, "Id": self.id(user), "ServerId": SERVER},
            "AccessToken": f"token-of-{name}", "ServerId": SERVER,
        }  # fmt: skip
        match (method, path):
            case ("get", "/System/Info/Public"):
                info = {"Id": SERVER, "ServerName": "test", "Version": self.contract.version}
                return 200, info
            case ("get", "/QuickConnect/Enabled"):
                return 200, True
            case ("post", "/QuickConnect/Initiate"):
                return 200, connect
            case ("get", "/QuickConnect/Connect"):
                self.code_entered = True  # as if a person had been quick
                return 200, connect
            case ("post", "/Users/AuthenticateWithQuickConnect"):
                return (200, login) if self.code_entered else (400, None)
            case ("post", "/Users/AuthenticateByName"):
                return (200, login) if body["Pw"] == PASSWORD else (401, None)
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeJellyfin

    def do_GET(self) -> None:
        self._handle("get")

    def do_POST(self) -> None:
        self._handle("post")

    def _handle(self, method: str) -> None:
        fake, parts = self.fake, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        said = parse_qs(parts.query, keep_blank_values=True)
        path = parts.path.removeprefix(fake.base)
        token = self._token(said)
        query = bound({name: values for name, values in said.items() if name not in TOKEN_WORDS})
        fake.requests.append((method, path, query))
        fake.headers.append(dict(self.headers))
        if not parts.path.startswith(fake.base):
            self._send(404, None)
            return
        try:
            fake.contract.check_request(method, path, query, body)
            status, answer = self._answer(method, path, query, body, token)
            fake.contract.check_response(method, path, status, answer)
        except AssertionError as error:
            fake.wrong.append(str(error))
            status, answer = 500, None
        self._send(status, answer)

    def _token(self, said: dict[str, list[str]]) -> str | None:
        """The token of a request, in the forms that the version takes."""
        header = self.headers.get("Authorization", "")
        old = self.fake.is_old
        if header.startswith("MediaBrowser ") or (old and header.startswith("Emby ")):
            found = re.search(r'Token="([^"]*)"', header)
            return unquote(found[1]) if found and "DeviceId=" in header else None
        if "ApiKey" in said:
            return said["ApiKey"][0]
        if not old:
            return None
        if legacy := self.headers.get("X-Emby-Authorization"):
            found = re.search(r'Token="([^"]*)"', legacy)
            return unquote(found[1]) if found else None
        named = self.headers.get("X-Emby-Token") or self.headers.get("X-MediaBrowser-Token")
        return named or said.get("api_key", [None])[0]

    def _answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, token: str | None
    ) -> tuple[int, Any]:
        time.sleep(self.fake.delay_s)
        if self.fake.failures:
            return self.fake.failures.pop(0), None
        said = self.headers.get("Authorization", "")
        opened = self.fake.open_answer(method, path, body)
        if opened is not None:
            no_client = not said.startswith("MediaBrowser ") or "DeviceId=" not in said
            return (401, None) if no_client and path != "/System/Info/Public" else opened
        if token not in TOKENS.keys() - self.fake.revoked:
            return 401, None
        if path == "/Sessions/Logout":
            self.fake.revoked.add(token)
            return 204, None
        return self.fake.answer(method, path, query, body, TOKENS[token])

    def _send(self, status: int, answer: Any) -> None:
        first = self.headers.get("Accept", "").split(",")[0]  # of equal ones the first counts
        is_camel = "camelcase" in first.lower()
        data = b"" if answer is None else json.dumps(camel(answer) if is_camel else answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if data:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def serving(fake: FakeJellyfin) -> Iterator[FakeJellyfin]:
    """The fake on a port of its own; at the end nothing may have broken the contract."""
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not fake.wrong, fake.wrong
