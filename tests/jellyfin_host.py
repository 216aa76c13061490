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
        if path == "/Items":
            kind = query["includeItemTypes"]
            if kind == ["Playlist"]:
                return self._all_playlists(user)
            return self._audio(query, self._unseen(user))
        if path == "/Playlists":
            return self._create(body, user)
        found = re.fullmatch(r"/Playlists/([^/]+)(/\w+)?", path)
        assert found, path
        known = self.playlists.get(UUID(found[1]).hex)
        if known is None or not (known.public or user == known.owner or user is None):
            return 404, {"title": "Playlist not found"}
        if method == "post":
            return self._replace(known, body, user)
        if found[2] == "/Users":
            return (200, []) if user == known.owner else (403, {})
        start, limit = int(query["startIndex"][0]), int(query["limit"][0])
        there = [item for item in known.items if item in self.items]
        return 200, self._list([self._audio_dto(item) for item in there[start : start + limit]])

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
        query = parse_qs(parts.query, keep_blank_values=True)
        fake.requests.append((method, parts.path, query))
        fake.headers.append(dict(self.headers))
        try:
            fake.contract.check_request(method, parts.path, query, body)
            status, answer = self._answer(method, parts.path, query, body)
            fake.contract.check_response(method, parts.path, status, answer)
        except AssertionError as error:
            fake.wrong.append(str(error))
            status, answer = 500, None
        self._send(status, answer)

    def _answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        time.sleep(self.fake.delay_s)
        if self.fake.failures:
            return self.fake.failures.pop(0), None
        said = self.headers.get("Authorization", "")
        if not said.startswith("MediaBrowser ") or "DeviceId=" not in said:
            return 401, None
        opened = self.fake.open_answer(method, path, body)
        if opened is not None:
            return opened
        token = re.search(r'Token="([^"]*)"', said)
        if token is None or unquote(token[1]) not in TOKENS.keys() - self.fake.revoked:
            return 401, None
        if path == "/Sessions/Logout":
            self.fake.revoked.add(unquote(token[1]))
            return 204, None
        return self.fake.answer(method, path, query, body, TOKENS[unquote(token[1])])

    def _send(self, status: int, answer: Any) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
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
