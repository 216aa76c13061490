"""Signing a browser in, and what a foreign page, a foreign name and a stale link can not do."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mess_integrations.web.sessions import LINK_S, UNUSED_S, Sessions
from mess_plugin.config import Settings
from mess_plugin.errors import UnknownName
from tests.http_client import TOKEN, Client, Eventually, serving


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(
        home=tmp_path, database_url=database_url, http_rate_hz=10_000.0, hosts=("mess.example.org",)
    )


@pytest.fixture
def service(settings: Settings, eventually: Eventually) -> Iterator[Client]:
    yield from serving(settings, eventually)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    document: dict[str, object] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        return (self.headers["Set-Cookie"] or "").partition(";")[0]


def ask(service: Client, method: str, path: str, body: object = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, json.dumps(body) if body is not None else None, sent)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    is_json = "json" in (answer.headers["Content-Type"] or "")
    return Answer(answer.status, answer.headers, json.loads(data) if is_json else {})


def signed_in(service: Client, settings: Settings) -> str:
    code = Sessions(settings.home).make_link()
    return ask(service, "POST", "/v1/session", {"code": code}).cookie


def test_a_link_signs_in_once_and_the_cookie_is_for_this_site_alone(
    service: Client, settings: Settings
) -> None:
    code = Sessions(settings.home).make_link()
    first = ask(service, "POST", "/v1/session", {"code": code})
    assert first.status == 200
    attributes = {part.strip() for part in first.headers["Set-Cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= attributes
    assert "Secure" not in attributes
    assert ask(service, "GET", "/v1/status", Cookie=first.cookie).status == 200
    again = ask(service, "POST", "/v1/session", {"code": code})
    assert again.status == 403
    assert "mess open" in str(again.document["error"])


def test_behind_tls_the_cookie_is_secure(service: Client, settings: Settings) -> None:
    code = Sessions(settings.home).make_link()
    answer = ask(service, "POST", "/v1/session", {"code": code}, X_Forwarded_Proto="https")
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_stale_link_signs_nobody_in(
    service: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = Sessions(settings.home).make_link()
    later = time.time() + LINK_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert ask(service, "POST", "/v1/session", {"code": code}).status == 403


def test_the_token_signs_in_and_another_one_does_not(service: Client) -> None:
    good = ask(service, "POST", "/v1/session", {"token": f" {TOKEN} "})
    assert ask(service, "GET", "/v1/status", Cookie=good.cookie).status == 200
    assert ask(service, "POST", "/v1/session", {"token": TOKEN[:-1]}).status == 403
    assert ask(service, "POST", "/v1/session", {}).status == 400


def test_a_session_survives_a_restart_and_ends_where_it_is_ended(
    service: Client, settings: Settings, eventually: Eventually
) -> None:
    cookie = signed_in(service, settings)
    for again in serving(settings, eventually):
        assert ask(again, "GET", "/v1/status", Cookie=cookie).status == 200
    (session,) = Sessions(settings.home).all()
    assert session.digest not in cookie
    assert cookie.partition("=")[2] not in (settings.home / "sessions.json").read_text()
    with pytest.raises(UnknownName):
        Sessions(settings.home).end("nobody")
    Sessions(settings.home).end(session.name)
    assert ask(service, "GET", "/v1/status", Cookie=cookie).status == 401


def test_signing_out_ends_this_session_alone(service: Client, settings: Settings) -> None:
    mine, other = signed_in(service, settings), signed_in(service, settings)
    ours = {"Cookie": mine, "Sec_Fetch_Site": "same-origin"}
    assert ask(service, "DELETE", "/v1/session", **ours).status == 200
    assert ask(service, "GET", "/v1/status", Cookie=mine).status == 401
    assert ask(service, "GET", "/v1/status", Cookie=other).status == 200


def test_an_unused_session_ends_by_itself(
    service: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = signed_in(service, settings)
    later = time.time() + UNUSED_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert ask(service, "GET", "/v1/status", Cookie=cookie).status == 401


def test_a_session_is_worth_nothing_at_another_home(
    service: Client, settings: Settings, tmp_path: Path, eventually: Eventually
) -> None:
    cookie = signed_in(service, settings)
    elsewhere = Settings(
        home=tmp_path / "other", database_url=settings.database_url, http_rate_hz=10_000.0
    )
    Sessions(elsewhere.home).make_link()
    for other in serving(elsewhere, eventually):
        name, _, value = cookie.partition("=")
        assert ask(other, "GET", "/v1/status", Cookie=cookie).status == 401
        own = Sessions(elsewhere.home).cookie
        assert own != name
        assert ask(other, "GET", "/v1/status", Cookie=f"{own}={value}").status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8765", 421),
        ("127.0.0.1:1", 200),
        ("[::1]:1", 200),
        ("LOCALHOST", 200),
        ("mess.example.org", 200),
    ],
)
def test_a_name_that_is_not_ours_reaches_nothing(
    service: Client, settings: Settings, host: str, status: int
) -> None:
    cookie = signed_in(service, settings)
    assert ask(service, "GET", "/v1/status", Host=host, Cookie=cookie).status == status
    assert ask(service, "GET", "/", Host=host).status == status
    # A program that has the token is no browser that was led astray.
    token = f"Bearer {TOKEN}"
    assert ask(service, "GET", "/v1/status", Host=host, Authorization=token).status == 200


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Sec_Fetch_Site": "same-origin"}, 200),
        ("GET", {"Sec_Fetch_Site": "none"}, 200),
        ("GET", {"Sec_Fetch_Site": "same-site"}, 403),
        ("GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("DELETE", {"Sec_Fetch_Site": "same-origin"}, 200),
        ("DELETE", {"Sec_Fetch_Site": "none"}, 403),
        ("DELETE", {"Sec_Fetch_Site": "same-site", "Origin": "OWN"}, 403),
        ("DELETE", {"Origin": "http://evil.example"}, 403),
        ("DELETE", {"Origin": "null"}, 403),
        ("DELETE", {"Origin": "OWN"}, 200),
        ("DELETE", {}, 403),
    ],
)
def test_a_page_of_another_site_changes_nothing_and_reads_nothing(
    service: Client, settings: Settings, method: str, headers: dict[str, str], status: int
) -> None:
    cookie = signed_in(service, settings)
    sent = {name: service.url if value == "OWN" else value for name, value in headers.items()}
    path = "/v1/taste?listener=me"
    if status == 200 and method == "GET":
        path = "/v1/status"
    assert ask(service, method, path, Cookie=cookie, **sent).status == status


def test_the_page_runs_no_script_but_its_own_and_is_framed_by_nobody(service: Client) -> None:
    answer = ask(service, "GET", "/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    tagged = ask(service, "GET", "/", If_None_Match=answer.headers["ETag"])
    assert tagged.status == 304
    assert ask(service, "GET", "/assets/..%2f..%2fsessions.py").status == 404
    assert ask(service, "GET", "/assets/sessions.py").status == 404


def test_whoever_is_signed_out_gets_no_data(service: Client) -> None:
    for path in ("/v1/status", "/v1/suggest?q=a", "/v1/outlines?ids=1", "/v1/tracks/1/audio"):
        assert ask(service, "GET", path).status == 401
