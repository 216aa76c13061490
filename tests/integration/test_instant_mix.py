"""Instant Mix and Similar: MESS's order and Jellyfin's items, or else Jellyfin's own answer."""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3
from msgspec.structs import replace

from mess_integrations.jellyfin import instant_mix
from mess_integrations.jellyfin.instant_mix import spread
from mess_plugin.errors import ConfigError
from tests.http_client import serving as serving_http
from tests.jellyfin_bench import Bench, N
from tests.jellyfin_host import OTHER, USER, FakeJellyfin, item_id

ANN = 'MediaBrowser Client="x", Device="x", DeviceId="x", Version="1", Token="token-of-ann"'
FIRST = item_id(1)


@dataclass
class Player:
    """A client of Jellyfin whose proxy asks MESS."""

    url: str
    bench: Bench
    headers: dict[str, str]

    @property
    def fake(self) -> FakeJellyfin:
        return self.bench.fake

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, Any]:
        """Status, who answered, and the document."""
        request = urllib.request.Request(
            self.url + path, headers=self.headers if headers is None else headers
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers["X-MESS"], json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.headers["X-MESS"], error.read()

    def ids(self, path: str) -> list[str]:
        """What MESS itself answers, ids without dashes."""
        status, who, document = self.get(path)
        assert (status, who) == (200, "mix")
        return [plain(one["Id"]) for one in document["Items"]]


def plain(text: str) -> str:
    return text.replace("-", "").lower()


def player_of(bench: Bench, eventually: Callable[..., None], base: str = "") -> Iterator[Player]:
    """Two albums of artist 1, one of artist 2, one of artist 3; every item indexed and known."""
    for number in range(1, N + 1):
        bench.fake.put(item_id(number), number % 4, 1 + (number % 4) // 2)
    bench.sync()
    bench.fake.base = base
    settings = replace(bench.settings, instant_mix=bench.fake.url + base)
    for client in serving_http(settings, eventually):
        yield Player(client.url, bench, {"Authorization": ANN})


@pytest.fixture
def player(both: Bench, eventually: Callable[..., None]) -> Iterator[Player]:
    yield from player_of(both, eventually)


@pytest.fixture
def player12(one: Bench, eventually: Callable[..., None]) -> Iterator[Player]:
    yield from player_of(one, eventually)


def test_a_mix_begins_with_the_song_and_goes_on_as_the_search_does(player: Player) -> None:
    found = player.ids(f"/Items/{FIRST}/InstantMix?userId={USER}")
    assert found[0] == FIRST
    assert sorted(found) == sorted(item_id(n) for n in range(1, N + 1))
    # Nothing keeps the tracks of three artists apart for long, but the best one still comes first.
    assert found[1] == player.bench.best(0, 1)[0]
    assert player.fake.mixes == 0


@pytest.mark.parametrize("kind", ["Items", "Songs"])
def test_similar_songs_leave_the_song_out(player: Player, kind: str) -> None:
    if kind == "Items":
        found = player.ids(f"/{kind}/{FIRST}/Similar?userId={USER}&limit=4")
        assert found == player.bench.best(0, 4)


def test_ids_paths_and_query_names_come_in_any_form(player: Player) -> None:
    wanted = player.ids(f"/Items/{FIRST}/InstantMix?userId={USER}&limit=4&fields=Path,Genres")
    dashed = f"{FIRST[:8]}-{FIRST[8:12]}-{FIRST[12:16]}-{FIRST[16:20]}-{FIRST[20:]}"
    for path in (
        f"/Songs/{dashed.upper()}/InstantMix?UserId={USER}&Limit=4&Fields=Path&Fields=Genres",
        f"/items/{FIRST}/instantmix/?userid={USER}&LIMIT=4",
        f"/any/base/Items/{FIRST}/InstantMix?limit=4",
    ):
        assert player.ids(path) == wanted
    asked = [query for _, path, query in player.fake.requests if len(query.get("ids", ())) > 1]
    assert [query.get("fields") for query in asked[:2]] == [["Path", "Genres"]] * 2


def test_limit_and_the_number_before_it(player: Player) -> None:
    for limit, n in ((1, 1), (3, 3), (250, N)):
        status, who, document = player.get(f"/Items/{FIRST}/InstantMix?userId={USER}&limit={limit}")
        assert (status, who) == (200, "mix")
        assert len(document["Items"]) == n
        assert (document["TotalRecordCount"], document["StartIndex"]) == (N, 0)


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_strange_limit_is_left_to_jellyfin(player12: Player, limit: str) -> None:
    status, who, _ = player12.get(f"/Items/{FIRST}/InstantMix?userId={USER}&limit={limit}")
    assert who.startswith("passed on: limit is")
    assert status == (
        500 if limit == "many" else 200
    )  # the tests' server refuses with its contract
    player12.fake.wrong.clear()


def test_an_album_an_artist_and_a_playlist_have_mixes(player: Player) -> None:
    album, artist = item_id(0xB001), item_id(0xA002)
    of_album = {item_id(n) for n in range(1, N + 1) if n % 4 == 1}
    of_artist = {item_id(n) for n in range(1, N + 1) if n % 4 in (2, 3)}
    of_list = {item_id(2), item_id(3)}
    playlist = player.fake.make_playlist("mine", [item_id(2), item_id(3)])
    for paths, own in (
        ((f"/Albums/{album}/InstantMix", f"/Items/{album}/InstantMix"), of_album),
        ((f"/Artists/{artist}/InstantMix", f"/Items/{artist}/InstantMix"), of_artist),
        ((f"/Playlists/{playlist}/InstantMix", f"/Items/{playlist}/InstantMix"), of_list),
    ):  # fmt: skip
        for path in paths:
            found = player.ids(path)
            assert set(found) == {item_id(n) for n in range(1, N + 1)} - own


def test_similar_albums_and_artists(player: Player) -> None:
    for path in (f"/Albums/{item_id(0xB001)}/Similar", f"/Items/{item_id(0xB001)}/Similar"):
        assert set(player.ids(path)) == {item_id(0xB000), item_id(0xB002), item_id(0xB003)}
    assert player.ids(f"/Artists/{item_id(0xA001)}/Similar?limit=5") == [item_id(0xA002)]


def test_only_what_the_user_may_see(player12: Player) -> None:
    hidden = set(player12.bench.best(0, 3))
    player12.fake.hidden_from[USER] = hidden
    _, _, document = player12.get(f"/Items/{FIRST}/InstantMix?userId={USER}")
    found = [plain(one["Id"]) for one in document["Items"]]
    assert set(found) == {item_id(n) for n in range(1, N + 1)} - hidden
    assert document["TotalRecordCount"] == N - 3


@pytest.mark.parametrize(
    "path",
    [
        f"/Items/{item_id(99)}/InstantMix",  # nobody has it
        f"/Items/{FIRST}/InstantMix?userId={OTHER}",  # a user that the token is not of
    ],
)
def test_what_jellyfin_refuses_is_refused_in_its_own_words(player12: Player, path: str) -> None:
    direct = Player(player12.fake.url, player12.bench, player12.headers).get(path)
    status, who, body = player12.get(path)
    assert (status, body) == (direct[0], direct[2])
    assert status in (403, 404)
    assert who.startswith("passed on")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ANN.replace("token-of-ann", "wrong")},
        {"Authorization": "Bearer a-token-for-tests-only"},
    ],
)
def test_nobody_gets_a_mix_without_credentials_of_jellyfin(
    player12: Player, headers: dict[str, str]
) -> None:
    assert player12.get(f"/Items/{FIRST}/InstantMix", headers)[0] == 401


NEW = [({"Authorization": ANN}, ""), ({}, "&ApiKey=token-of-ann")]
OLD = [
    ({"X-Emby-Token": "token-of-ann"}, ""),
    ({"X-MediaBrowser-Token": "token-of-ann"}, ""),
    ({"X-Emby-Authorization": ANN}, ""),
    ({"Authorization": ANN.replace("MediaBrowser", "Emby")}, ""),
    ({}, "&api_key=token-of-ann"),
]


def test_credentials_in_every_form_of_the_version_and_in_no_log(
    player: Player, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for headers, query in NEW + OLD:
        status, who, _ = player.get(f"/Items/{FIRST}/InstantMix?limit=3{query}", headers)
        allowed = player.fake.is_old or (headers, query) in NEW
        assert (status, who == "mix") == ((200, True) if allowed else (401, False)), (
            headers,
            query,
        )
    player.fake.failures = [503] * 2
    player.get(f"/Items/{FIRST}/InstantMix?ApiKey=token-of-ann", {})
    # uvicorn's access log is off (`serving.configuration`), but pytest listens to it all the same.
    said = [one.getMessage() for one in caplog.records if one.name != "uvicorn.access"]
    assert not any("token-of-ann" in one for one in said), said


def test_an_api_key_has_no_user_and_still_gets_a_mix(player12: Player) -> None:
    player12.headers = {"Authorization": ANN.replace("token-of-ann", "an-api-key")}
    assert player12.ids(f"/Items/{FIRST}/InstantMix?limit=3")[0] == FIRST


def test_camel_case_where_the_client_asks_for_it(player12: Player) -> None:
    headers = {**player12.headers, "Accept": 'application/json; profile="CamelCase"'}
    status, who, document = player12.get(f"/Items/{FIRST}/InstantMix?limit=3", headers)
    assert (status, who) == (200, "mix")
    assert document.keys() == {"items", "totalRecordCount", "startIndex"}
    assert plain(document["items"][0]["id"]) == FIRST


def test_never_an_empty_list(player12: Player) -> None:
    """Clients remember an empty answer, so what is not indexed yet is answered by Jellyfin."""
    fake = player12.fake
    new = fake.add(50, "New", "/media/new.flac", 30.0)
    fake.folders[item_id(0xC001)] = {"Type": "Movie", "Name": "A film"}
    for path in (
        f"/Items/{new}/InstantMix",
        f"/Items/{new}/Similar",
        f"/Items/{item_id(0xC001)}/Similar",
        f"/Playlists/{fake.make_playlist('empty')}/InstantMix",
    ):
        status, who, document = player12.get(path)
        assert (status, len(document["Items"])) == (200, N + 1)
        assert who.startswith("passed on: ")
    fake.hidden_from[USER] = {item_id(n) for n in range(2, N + 1)}
    status, who, _ = player12.get(f"/Items/{FIRST}/InstantMix")
    assert who == "passed on: the client may see none of the answers"


def test_base_path(one: Bench, eventually: Callable[..., None]) -> None:
    for player in player_of(one, eventually, base="/jellyfin"):
        assert player.ids(f"/jellyfin/Items/{FIRST}/InstantMix?limit=3")[0] == FIRST
        new = player.fake.add(50, "New", "/media/new.flac", 30.0)
        status, _, document = player.get(f"/jellyfin/Items/{new}/InstantMix")
        assert (status, len(document["Items"])) == (200, N + 1)


def test_other_paths_and_methods_are_not_answered(player12: Player) -> None:
    before = len(player12.fake.requests)
    assert player12.get("/Items")[0] == 404
    assert player12.get(f"/MusicGenres/{FIRST}/InstantMix")[0] == 404
    assert player12.get("/v1/similar?ref=x", {})[0] == 401
    assert len(player12.fake.requests) == before


def test_a_slow_or_absent_database_is_no_reason_to_wait(
    player12: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    monkeypatch.setattr(instant_mix, "_RANK_S", 0.2)
    monkeypatch.setattr(instant_mix, "_WAIT_S", 0.2)
    monkeypatch.setattr(instant_mix, "search", lambda *a, **k: held.wait(20))
    path = f"/Items/{FIRST}/InstantMix?limit=5"
    with ThreadPoolExecutor(20) as pool:  # more than rank at once
        answers = list(pool.map(lambda _: player12.get(path), range(20)))
    held.set()
    assert {status for status, _, _ in answers} == {200}
    n_ranked = instant_mix._RANKED_AT_ONCE
    assert Counter(who for _, who, _ in answers) == {
        "passed on: MESS did not answer within 0.2 s": n_ranked,
        "passed on: too many mixes are asked for at once": 20 - n_ranked,
    }


def test_jellyfin_may_close_a_connection_that_was_kept(
    player12: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request that finds it closed is sent once more."""
    path = f"/Items/{FIRST}/InstantMix?limit=5"
    assert player12.get(path)[0] == 200
    real, failures = urllib3.connectionpool.HTTPConnectionPool.urlopen, [1]

    def closed(self: object, *args: object, **words: object) -> object:
        if failures.pop() if failures else 0:
            raise urllib3.exceptions.ProtocolError("Connection aborted.")
        return real(self, *args, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(urllib3.connectionpool.HTTPConnectionPool, "urlopen", closed)
    status, who, _ = player12.get(path)
    assert (status, who) == (200, "mix")
    assert not failures


def test_a_fault_in_mess_is_answered_by_jellyfin(
    player12: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(instant_mix, "search", broken)
    status, who, document = player12.get(f"/Items/{FIRST}/InstantMix")
    assert (status, who) == (200, "passed on: unexpected ZeroDivisionError")
    assert len(document["Items"]) == N


def test_a_jellyfin_that_is_away_is_503_so_that_the_proxy_takes_over(
    one: Bench, eventually: Callable[..., None]
) -> None:
    settings = replace(one.settings, instant_mix="http://127.0.0.1:9")
    for client in serving_http(settings, eventually):
        player = Player(client.url, one, {"Authorization": ANN})
        status, who, body = player.get(f"/Items/{FIRST}/InstantMix?api_key=token-of-ann")
        assert (status, who) == (503, "failed")
        assert b"token" not in body


def test_fifty_clients_at_once(player12: Player) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: player12.get(f"/Items/{FIRST}/InstantMix?limit=5"), range(50))
        )
    assert {status for status, _, _ in answers} == {200}
    assert all(len(document["Items"]) == 5 for _, _, document in answers)
    assert sum(who == "mix" for _, who, _ in answers) > 0


def test_a_wrong_address_is_one_line(one: Bench, eventually: Callable[..., None]) -> None:
    with pytest.raises(ConfigError, match="instant_mix"):
        next(serving_http(replace(one.settings, instant_mix="jellyfin:8096"), eventually))


def test_spread_keeps_artists_and_albums_apart() -> None:
    keys = [("a", "x")] * 4 + [("b", "y"), ("c", "z"), ("b", "w"), ("", ""), ("", "")]
    assert spread(keys, 9, 9) == [0, 4, 5, 7, 1, 6, 8, 2, 3]
    assert spread(keys, 2, 9) == [0, 4, 5, 7, 1, 6, 8, 2, 3]
    assert spread(keys, 1, 9) == [0, 4, 5, 7, 8, 1, 2, 3, 6]
    assert spread(keys, 9, 1) == [0, 4, 5, 7, 6, 8, 1, 2, 3]
    assert spread([], 1, 1) == []
    assert spread([("a", "x")] * 3, 2, 2) == [0, 1, 2]
