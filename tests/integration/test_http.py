"""The HTTP service on a real socket, with a real database and a real broker."""

from __future__ import annotations

import json
import os
import re
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from mess_integrations.http.app import ENDPOINTS
from mess_integrations.http.auth import MOST_BODY_BYTES, token_for
from mess_integrations.http.serving import address
from mess_integrations.rate_limit import RateLimit, client_of
from mess_plugin.config import Settings
from mess_plugin.documents import search_document
from mess_plugin.errors import ConfigError
from mess_plugin.options import OPTIONS
from mess_plugin.search import search
from mess_plugin.services import home_id
from mess_plugin.store import Store
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import send_due
from mess_workers.file_events import answer_events
from tests.event_tools import program, see, settings_for, write_songs
from tests.http_client import TOKEN, Client, Eventually, serving


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, music: Path, database_url: str, valkey_url: str) -> Settings:
    return settings_for(
        tmp_path / "home", database_url, valkey_url,
        watch=(str(music),), http_rate_hz=10_000.0, settle_s=0.05,
    )  # fmt: skip


@pytest.fixture
def call(settings: Settings, eventually: Eventually) -> Iterator[Client]:
    yield from serving(settings, eventually)


def query(settings: Settings, text: str) -> list[Any]:
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        return admin.execute(text).fetchall()


def test_every_endpoint_but_the_open_ones_wants_the_token(call: Client) -> None:
    status, health = call("/healthz", token=None)
    assert (status, health["ok"]) == (200, True)
    assert call("/readyz", token=None)[0] == 200
    for path in ("/metrics", "/v1/status", "/v1/tracks/1", "/v1/similar?ref=x"):
        for token in (None, "", "wrong", TOKEN + "x", TOKEN[:-1]):
            status, answer = call(path, token=token)
            assert status == 401, path
            assert "Authorization: Bearer" in answer["error"]
            assert TOKEN not in answer["error"]
    assert call("/webhooks/jellyfin", {"NotificationType": "Generic"}, token=None)[0] == 401


def test_readiness_names_what_is_away(settings: Settings, eventually: Eventually) -> None:
    away = msgspec.structs.replace(settings, broker_url="redis://127.0.0.1:1/0")
    for call in serving(away, eventually):
        checks = {"database": "ok", "broker": "does not answer"}
        assert call("/readyz") == (503, {"ok": False, "checks": checks})
    away = msgspec.structs.replace(settings, database_url="postgresql://127.0.0.1:1/none")
    for call in serving(away, eventually):
        status, answer = call("/readyz")
        assert status == 503
        assert answer["checks"]["database"] == "does not answer"
        assert call("/v1/status")[0] == 503
        assert "mess_up 0.0" in call("/metrics")[1]


def test_readiness_shows_a_service_that_keeps_failing(
    settings: Settings, store: Store, eventually: Eventually
) -> None:
    for call in serving(settings, eventually):
        assert call("/readyz") == (
            200, {"ok": True, "checks": {"database": "ok", "broker": "ok"}}
        )  # fmt: skip
        for _ in range(3):
            store.health.failed("watcher", "nas", "no space left on device")
        status, answer = call("/readyz")
        assert (status, answer["ok"]) == (503, False)
        assert answer["checks"]["background"] == (
            "the watcher on nas failed 3 times, last with: no space left on device"
        )


def test_answers_are_those_of_the_command_line(
    settings: Settings, store: Store, music: Path, call: Client, eventually: Eventually
) -> None:
    songs = write_songs(music, 4)
    from mess_plugin.spaces.recipe import Recipe

    store.jobs.enqueue(see(songs), str(Recipe.of(settings)))
    with program("mess_workers", settings, music.parent / "worker.log"):
        queue = JobQueue(settings)
        eventually(lambda: send_due(store, queue) < 0 or store.library.count()[0] == 4, 90)
    expected = search_document(search(store, settings, str(songs[0]), k=2))
    status, answer = call(f"/v1/similar?ref={songs[0]}&k=2")
    assert status == 200
    assert answer == json.loads(json.dumps(expected))
    status, answer = call(f"/v1/similar?ref={songs[0]}&start=1&end=4")
    assert status == 200
    assert answer["query"]["start_s"] == 1.0
    track_id = answer["matches"][0]["track"]["id"]
    status, track = call(f"/v1/tracks/{track_id}")
    assert status == 200
    assert track["paths"] == [track["path"]]
    assert call("/v1/tracks/999999")[0] == 404
    assert call("/v1/status")[1]["library"]["tracks"] == 4
    metrics = call("/metrics")[1]
    assert "mess_tracks 4.0" in metrics
    assert 'mess_event_to_searchable_seconds{quantile="0.5"}' in metrics
    assert 'mess_query_seconds_count{endpoint="similar"} 2.0' in metrics


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/similar", "ref"),
        ("/v1/similar?ref=x&k=0", "k"),
        ("/v1/similar?ref=x&k=many", "k"),
        ("/v1/similar?ref=x&scope=window", "scope"),
        ("/v1/similar?ref=x&start=-1", "start"),
        ("/v1/similar?ref=x&start=nan", "start 'nan': wanted seconds"),
        ("/v1/similar?ref=x&limit=3", "unknown parameter 'limit'"),
        ("/v1/tracks/abc", "wanted a number"),
        ("/v1/similar?ref=%00", "NUL"),
    ],
)
def test_wrong_questions_get_400_with_the_reason(call: Client, path: str, says: str) -> None:
    status, answer = call(path)
    assert status == 400
    assert says in answer["error"]


def test_no_file_outside_of_the_library_is_opened(
    call: Client, store: Store, music: Path, tmp_path: Path, settings: Settings
) -> None:
    outside = write_songs(tmp_path / "private", 1)[0]
    (music / "link.flac").symlink_to(outside)
    from mess_integrations.allowed_folders import AllowedFolders
    from mess_plugin.errors import UsageError
    from mess_plugin.search.references import confined

    strange = (outside, music / ".." / "private" / outside.name, music / "link.flac", "/etc/passwd")
    for path in strange:
        with pytest.raises(UsageError, match="no such file in the library or in its folders"):
            confined(store, AllowedFolders(settings), str(path))
    # Where the setting says so, and only there.
    chosen = AllowedFolders(msgspec.structs.replace(settings, roots=str(outside.parent)))
    assert confined(store, chosen, str(outside)).target == str(outside)
    new = write_songs(tmp_path / "watched", 1)[0]
    watching = AllowedFolders(msgspec.structs.replace(settings, watch=(str(new.parent),)))
    assert confined(store, watching, str(new)).target == str(new)
    with pytest.raises(UsageError, match="no such file"):
        confined(store, chosen, str(new))


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "x/y", ""])
def test_json_is_accepted_whatever_the_content_type(call: Client, content_type: str) -> None:
    data = json.dumps({"NotificationType": "Generic"}).encode()
    status, answer = call("/webhooks/jellyfin", data=data, content_type=content_type)
    assert (status, answer) == (202, {"accepted": 0, "ignored": "Generic"})


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("/webhooks/jellyfin", b"", "no JSON"),
        ("/webhooks/jellyfin", b'{"a": "12" Mix"}', "no JSON"),
        ("/webhooks/jellyfin", b"\xff\xfe", "no UTF-8"),
        ("/webhooks/jellyfin", b"[]", "NotificationType"),
        ("/webhooks/jellyfin", b'{"NotificationType": 3}', "NotificationType"),
        ("/webhooks/jellyfin", b"[" * 100_000, "nested too deeply"),
        ("/webhooks/files", b"{}", "paths"),
        ("/webhooks/files", b'{"paths": []}', "wanted 1 to"),
        ("/webhooks/files", b'{"paths": ["a.flac"]}', "absolute"),
        ("/webhooks/files", b'{"paths": ["/etc/passwd"]}', "not in a watched folder"),
        ("/webhooks/files", b'{"paths": ["/m"], "event": "moved"}', "event"),
    ],
)
def test_malformed_messages_get_400_with_the_reason(
    call: Client, path: str, data: bytes, says: str
) -> None:
    status, answer = call(path, data=data)
    assert status == 400
    assert says in answer["error"]


def test_a_path_that_climbs_out_is_refused(call: Client, music: Path) -> None:
    status, answer = call("/webhooks/files", {"paths": [f"{music}/../private/a.flac"]})
    assert status == 400
    assert "not in a watched folder" in answer["error"]


def test_bodies_and_rates_have_limits(settings: Settings, eventually: Eventually) -> None:
    slow = msgspec.structs.replace(settings, http_rate_hz=1.0)
    for call in serving(slow, eventually):
        assert call("/webhooks/files", data=b" " * (MOST_BODY_BYTES + 1))[0] == 413
        answers = [call("/healthz")[0] for _ in range(10)]
        assert 429 in answers


def test_the_rate_limit_refills_and_tells_clients_apart() -> None:
    limit = RateLimit(1.0, 3)
    assert [limit.admits("a", now_s=0.0) for _ in range(4)] == [True, True, True, False]
    assert limit.admits("b", now_s=0.0)
    assert not limit.admits("a", now_s=0.5)
    assert limit.admits("a", now_s=2.0)


def test_whoever_has_one_address_of_ipv6_is_one_client_with_all_of_them() -> None:
    assert client_of("2001:db8:1:2::1") == client_of("2001:db8:1:2:ffff::9")
    assert client_of("2001:db8:1:2::1") != client_of("2001:db8:1:3::1")
    assert client_of("::ffff:10.0.0.7") == client_of("10.0.0.7") != client_of("10.0.0.8")


def test_reported_files_become_work(
    call: Client, settings: Settings, store: Store, music: Path
) -> None:
    names = ["a.flac", "cover.jpg", ".hidden.flac", "odd\udcff.flac"]
    for name in names:
        (music / name).write_bytes(b"x")
        os.utime(music / name, (1, 1))
    paths = [str(music / name) for name in [*names, "never.flac"]]
    assert call("/webhooks/files", {"paths": paths}) == (202, {"accepted": 5})
    assert query(settings, "SELECT count(*) FROM events WHERE handled_at IS NULL") == [(5,)]
    assert answer_events(store, settings) == 5
    known = store.files.known_paths([str(music)])
    assert sorted(known) == sorted([str(music / "a.flac"), str(music / "odd\udcff.flac")])
    (music / "a.flac").unlink()
    call("/webhooks/files", {"paths": [str(music / "a.flac")], "event": "deleted"})
    answer_events(store, settings)
    assert list(store.files.known_paths([str(music)], with_missing=False)) == [
        str(music / "odd\udcff.flac")
    ]


def test_ten_thousand_deliveries_are_one_piece_of_work_each(
    call: Client, settings: Settings, store: Store, music: Path
) -> None:
    for i in range(10):
        (music / f"{i}.flac").write_bytes(bytes([i]))
        os.utime(music / f"{i}.flac", (1, 1))
    import random

    order = [i % 10 for i in range(10_000)]
    random.Random(1).shuffle(order)
    # A hundred real requests that each say a hundred things, mixed and repeated.
    for start in range(0, len(order), 100):
        for i in order[start : start + 100]:
            store.inbox.receive(
                "files", "changed",
                {"event": "changed", "path": os.fsencode(music / f"{i}.flac").hex()},
            )  # fmt: skip
        paths = [str(music / f"{i}.flac") for i in order[start : start + 100]]
        assert call("/webhooks/files", {"paths": paths})[0] == 202
        if start % 2500 == 0:
            answer_events(store, settings)
    answer_events(store, settings)
    assert query(settings, "SELECT count(*), max(attempts) FROM jobs") == [(10, 0)]
    assert query(settings, "SELECT count(*) FROM events")[0][0] <= 50
    assert query(settings, "SELECT sum(deliveries) FROM events")[0][0] >= 10_000


PLAYED = {
    "NotificationType": "PlaybackStop",
    "ItemType": "Audio",
    "ItemId": "0DB5A1F2-aaaa-bbbb-cccc-0123456789ab",
    "UserId": "u1",
    "Name": 'A 12\\" Mix',
    "RunTimeTicks": 1000,
    "PlaybackPositionTicks": 250,
    "PlayedToCompletion": False,
    "UtcTimestamp": "2026-05-01T10:00:00.1234567Z",
}


def test_plays_and_favourites_become_feedback_once(call: Client, settings: Settings) -> None:
    saved = {
        **PLAYED,
        "NotificationType": "UserDataSaved",
        "SaveReason": "UpdateUserRating",
        "Favorite": "True",
        "Likes": None,
    }
    for _ in range(20):
        assert call("/webhooks/jellyfin", PLAYED)[0] == 202
        assert call("/webhooks/jellyfin", saved)[0] == 202
    rows = query(settings, "SELECT kind, item, listener, value, happened_at FROM feedback")
    item = "0db5a1f2aaaabbbbcccc0123456789ab"
    assert sorted(row[:4] for row in rows) == [
        ("favourite", item, "u1", 1.0),
        ("play", item, "u1", 0.25),
    ]
    assert rows[0][4].isoformat() == "2026-05-01T10:00:00.123456+00:00"
    found = query(settings, "SELECT body->>'Name', deliveries FROM events WHERE kind LIKE 'Play%'")
    assert found == [('A 12\\" Mix', 20)]


def test_music_that_came_or_went_is_looked_for_and_the_rest_is_counted(
    call: Client, settings: Settings, store: Store
) -> None:
    from mess_plugin.store.roots import Root

    store.roots.save(Root("/music", "watched"))
    call("/webhooks/jellyfin", {"NotificationType": "ItemAdded", "ItemType": "Movie"})
    call("/webhooks/jellyfin", {**PLAYED, "ItemType": "Movie"})
    call("/webhooks/jellyfin", {"NotificationType": "Imaginary"})
    call("/webhooks/jellyfin", {"NotificationType": "Imaginary"})
    assert store.roots.wanted_walks(-1.0) == []
    call("/webhooks/jellyfin", {"NotificationType": "ItemDeleted", "ItemType": "MusicAlbum"})
    assert store.roots.wanted_walks(-1.0) == ["/music"]
    ignored = {
        (kind, count) for state, _, kind, count in store.inbox.counts() if state == "ignored"
    }
    assert ignored == {("Imaginary", 2), ("ItemAdded", 1), ("PlaybackStop", 1)}


def test_the_description_covers_every_endpoint(call: Client) -> None:
    status, document = call("/openapi.json", token=None)
    assert status == 200
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    own = {("GET", "/openapi.json"), ("GET", "/docs")}
    assert described == {(one.method, one.path) for one in ENDPOINTS} | own
    parameters = document["paths"]["/v1/similar"]["get"]["parameters"]
    names = {"ref", "k", "offset", "start", "end", "section", "scope"}
    assert {one["name"] for one in parameters} == names | {option.key for option in OPTIONS}
    assert [one["name"] for one in parameters if one["required"]] == ["ref"]


def test_every_answer_has_a_schema_and_every_parameter_a_sentence(call: Client) -> None:
    document = call("/openapi.json", token=None)[1]
    names = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names.add(operation["operationId"])
            for parameter in operation["parameters"]:
                assert parameter["description"].endswith((".", ")")), (path, parameter["name"])
            for status, answer in operation["responses"].items():
                assert answer["description"]
                for content in answer.get("content", {}).values():
                    assert content["schema"] or path == "/openapi.json", (method, path, status)
    assert len(names) == sum(len(item) for item in document["paths"].values())


def test_the_description_can_be_read_without_scripts_and_other_hosts(call: Client) -> None:
    with urllib.request.urlopen(call.url + "/docs") as answer:
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    for path in call("/openapi.json")[1]["paths"]:
        assert f"</span>{path}</code>" in page
    for foreign in ("<script", "http://", "https://", "src="):
        assert foreign not in page
    for anchor in set(re.findall(r'href="#([^"]+)"', page)):
        assert f'id="{anchor}"' in page


def test_unknown_places_are_json_too(call: Client) -> None:
    assert call("/v2/similar")[0] == 404
    assert call("/healthz", {})[0] == 405


def test_a_wrong_method_is_told_the_right_ones(call: Client) -> None:
    for path, allowed in (("/healthz", "GET, HEAD"), ("/v1/similar", "GET, HEAD, POST")):
        request = urllib.request.Request(call.url + path, method="DELETE")
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request)
        assert refusal.value.code == 405
        assert ", ".join(sorted(refusal.value.headers["Allow"].split(", "))) == allowed


def test_the_service_says_which_home_it_serves(call: Client, settings: Settings) -> None:
    assert call("/healthz")[1]["home"] == home_id(settings.home)
    assert home_id(settings.home) == home_id(settings.home)
    assert home_id(settings.home / "other") != home_id(settings.home)


def test_a_token_is_made_once_and_private(tmp_path: Path, settings: Settings) -> None:
    fresh = msgspec.structs.replace(settings, home=tmp_path / "new" / "home")
    token = token_for(fresh)
    assert len(token) > 30
    assert token_for(fresh) == token
    assert stat.S_IMODE((fresh.home / "token").stat().st_mode) == 0o600
    assert token_for(msgspec.structs.replace(fresh, token="x" * 16)) == "x" * 16
    with pytest.raises(ConfigError, match="16 characters") as short:
        token_for(msgspec.structs.replace(fresh, token="secret"))
    assert "'secret'" not in str(short.value)


@pytest.mark.parametrize("listen", ["", "127.0.0.1", "1:2:x", ":8765", "h:99999"])
def test_a_wrong_address_is_named(listen: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        address(listen)


def test_the_program_serves_and_ends_in_order(
    settings: Settings, tmp_path: Path, eventually: Eventually
) -> None:
    free = msgspec.structs.replace(settings, listen="127.0.0.1:0", token=TOKEN)
    log = tmp_path / "http.log"
    with program("mess_integrations.http", free, log) as process:
        eventually(lambda: "listening on" in log.read_text(), 60)
        port = log.read_text().split("127.0.0.1:")[1].split()[0]
        assert Client(f"http://127.0.0.1:{port}")("/readyz")[0] == 200
        process.terminate()
        process.wait(20)
    assert TOKEN not in log.read_text()
    assert "Traceback" not in log.read_text()
