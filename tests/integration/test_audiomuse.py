"""The routes of AudioMuse's core API: Jellyfin's ids in and out, errors rather than empty lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from mess_integrations.jellyfin import accounts
from tests.http_client import Client, serving
from tests.jellyfin_bench import Bench, N
from tests.jellyfin_host import item_id

FIRST = item_id(1)


@pytest.fixture
def http(one: Bench, eventually: Callable[..., None]) -> Iterator[Client]:
    accounts.add(one.settings.home, one.link)
    one.sync()
    yield from serving(replace(one.settings, audiomuse_api=True), eventually)


def test_similar_tracks_are_those_of_the_search(http: Client, one: Bench) -> None:
    status, found = http(f"/api/similar_tracks?item_id={FIRST}&n=4&eliminate_duplicates=true")
    assert status == 200
    assert [row["item_id"] for row in found] == one.best(0, 4)
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)
    assert found[0].keys() == {"item_id", "title", "author", "album", "distance"}
    dashed = f"{FIRST[:8]}-{FIRST[8:12]}-{FIRST[12:16]}-{FIRST[16:20]}-{FIRST[20:]}"
    assert http(f"/api/similar_tracks?item_id={dashed.upper()}&n=4") == (200, found)


def test_similar_artists_by_name(http: Client) -> None:
    status, found = http("/api/similar_artists?artist=artist%200&n=5")
    assert status == 200
    assert {row["artist"] for row in found} == {"Artist 1", "Artist 2"}
    assert found[0]["divergence"] == 0 <= found[1]["divergence"]
    assert http("/api/similar_artists?artist=Artist&n=5")[0] == 404  # part of a name is no artist
    assert http("/api/similar_artists?artist_id=x")[0] == 400


def test_a_path_has_both_ends(http: Client) -> None:
    last = item_id(9)
    status, found = http(f"/api/find_path?start_song_id={FIRST}&end_song_id={last}&max_steps=5")
    assert status == 200
    ids = [row["item_id"] for row in found["path"]]
    assert (ids[0], ids[-1], len(ids), len(set(ids))) == (FIRST, last, 5, 5)
    steps = [row["distance"] for row in found["path"]]
    assert found["total_distance"] == pytest.approx(sum(steps), abs=0.001)


def test_health_and_tasks(http: Client) -> None:
    assert http("/api/health") == (200, {"status": "ok"})
    assert http("/api/active_tasks") == (200, {})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (item_id(99), "is not an item of a linked Jellyfin"),
        (item_id(50), "is not indexed (not-indexed: "),
    ],
)
def test_an_unknown_item_is_an_error(http: Client, one: Bench, item: str, reason: str) -> None:
    one.fake.add(50, "New", "/media/new.flac", 30.0)
    one.sync(fresh=True)
    for path in (
        f"/api/similar_tracks?item_id={item}&n=3",
        f"/api/find_path?start_song_id={item}&end_song_id={FIRST}",
    ):
        status, said = http(path)
        assert status == 404
        assert reason in said["error"]


def test_the_guard_and_the_switch(
    http: Client, one: Bench, eventually: Callable[..., None]
) -> None:
    assert http(f"/api/similar_tracks?item_id={FIRST}", token=None)[0] == 401
    assert http(f"/api/similar_tracks?item_id={FIRST}&n=0")[0] == 400
    assert http(f"/api/similar_tracks?item_id={FIRST}&n={N}")[0] == 200
    assert "/api/similar_tracks" in http("/openapi.json")[1]["paths"]
    for off in serving(one.settings, eventually):
        assert off(f"/api/similar_tracks?item_id={FIRST}")[0] == 404
