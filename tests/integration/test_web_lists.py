"""What the page needs beside questions: live status, failures, lists in any order, points."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mess_integrations.jellyfin import accounts
from mess_plugin.config import Settings
from mess_plugin.model import Tags
from mess_plugin.store import Store, open_store
from tests.http_client import TOKEN, Client, Eventually, serving
from tests.jellyfin_bench import Bench
from tests.jellyfin_host import item_id
from tests.stored_library import add_track, levels_of, made_up_facets, raw_space, want
from tests.stored_library import settings as made_up_settings

N = 12


@dataclass
class Library:
    call: Client
    settings: Settings
    store: Store
    ids: list[int]

    def live(self, n: int) -> list[Any]:
        """The first n documents of the stream."""
        asked = urllib.request.Request(
            f"{self.call.url}/v1/status/live?n={n}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            lines = [line for line in answer.read().decode().splitlines() if line]
        assert all(line.startswith("data: ") for line in lines)
        return [json.loads(line[6:]) for line in lines]


@pytest.fixture
def library(tmp_path: Path, database_url: str, eventually: Eventually) -> Iterator[Library]:
    settings = made_up_settings(tmp_path / "home", database_url=database_url, http_rate_hz=10_000.0)
    settings.home.mkdir()
    with open_store(database_url) as store:
        space = raw_space(store)
        ids = []
        for n in range(N):
            tags = Tags(title=f"song {n}", artist=f"artist {n % 3}", album=f"album {n % 2}")
            ids.append(add_track(store, space, f"/music/{n}.mp3", levels_of(n), tags))
            store.facets.write(ids[-1], made_up_facets(n))
        for call in serving(settings, eventually):
            yield Library(call, settings, store, ids)


def fail(store: Store, path: str) -> None:
    (job_id,) = want(store, path)
    assert store.jobs.lock(job_id)
    assert store.jobs.start(job_id) is not None
    store.jobs.fail(job_id, "damaged", "It is cut off.")
    store.jobs.unlock(job_id)


def test_the_live_status_says_what_changes_and_failures_are_tried_again(library: Library) -> None:
    (before,) = library.live(1)
    assert before["library"]["tracks"] == N
    assert (before["problem"], before["failed"], before["left_s"]) == (None, [], None)
    assert before["disk"]["free_bytes"] > 0
    fail(library.store, "/music/broken.mp3")
    fail(library.store, "/music/other.mp3")
    (after,) = library.live(1)
    assert {one["path"] for one in after["failed"]} == {"/music/broken.mp3", "/music/other.mp3"}
    listed = library.call("/v1/failures")[1]["failures"]
    assert listed == after["failed"]
    assert library.call("/v1/failures/retry", {"paths": ["/music/broken.mp3"]})[1] == {"retried": 1}
    (retried,) = library.live(1)
    assert [one["path"] for one in retried["failed"]] == ["/music/other.mp3"]
    assert sum(states.get("wanted", 0) for states in retried["jobs"].values()) == 1
    assert library.call("/v1/failures/retry", {})[1] == {"retried": 1}
    assert library.call("/v1/failures/retry", {"paths": 3})[0] == 400


def test_a_list_keeps_its_order_and_says_how_it_flows(library: Library) -> None:
    order = [library.ids[i] for i in (3, 0, 7)]
    status, made = library.call("/v1/lists", {"tracks": order})
    assert status == 200
    assert [one["id"] for one in made["tracks"]] == order
    assert len(made["smoothness"]) == 2
    assert all(0 <= step <= 1 for step in made["smoothness"])
    status, text = library.call("/v1/lists?format=m3u8", {"tracks": order})
    paths = [line for line in text.splitlines() if not line.startswith("#")]
    assert paths == ["/music/3.mp3", "/music/0.mp3", "/music/7.mp3"]
    assert "song 7" in library.call("/v1/lists?format=xspf", {"tracks": order})[1]
    assert library.call("/v1/lists", {"tracks": [999_999]})[0] == 404
    assert library.call("/v1/lists", {"tracks": []})[0] == 400


def test_points_are_columns_of_one_length_and_follow_the_library(library: Library) -> None:
    status, points = library.call("/v1/map/points")
    assert status == 200
    columns = ("id", "x", "y", "cluster", "tempo", "key", "energy", "album")
    assert {len(points[name]) for name in columns} == {N}
    assert points["id"] == library.ids
    assert max(*points["x"], *points["y"]) == points["scale"]
    assert [points["albums"][place] for place in points["album"]] == [
        f"album {n % 2}" for n in range(N)
    ]
    assert max(points["cluster"]) < len(points["clusters"])
    added = add_track(library.store, raw_space(library.store), "/music/new.mp3", levels_of(77))
    assert added in library.call("/v1/map/points")[1]["id"]


def test_without_a_player_there_is_none(library: Library) -> None:
    assert library.call("/v1/players") == (200, {"jellyfin": []})
    status, answer = library.call("/v1/players/jellyfin", {"tracks": library.ids[:2], "name": "x"})
    assert status == 400
    assert "mess jellyfin link" in answer["error"]


def test_a_list_becomes_a_playlist_of_jellyfin(one: Bench, eventually: Eventually) -> None:
    one.settings.home.mkdir(parents=True, exist_ok=True)
    accounts.add(one.settings.home, one.link)
    one.sync()
    order = [one.tracks[i] for i in (4, 1, 8)]
    settings = replace(one.settings, http_rate_hz=10_000.0)
    for call in serving(settings, eventually):
        assert call("/v1/players")[1] == {"jellyfin": [one.link.address]}
        body = {"tracks": order, "name": "From the page"}
        status, sent = call("/v1/players/jellyfin", body)
        assert (status, sent["sent"], sent["unknown"]) == (201, 3, [])
    (playlist,) = one.fake.playlists.values()
    assert (playlist.name, playlist.public) == ("From the page", False)
    assert playlist.items == [item_id(i + 1) for i in (4, 1, 8)]
