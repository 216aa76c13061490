"""Smart playlists declared over HTTP, up to the playlist in Jellyfin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from mess_integrations.jellyfin import accounts as links
from tests.http_client import Client, serving
from tests.jellyfin_bench import Bench
from tests.jellyfin_host import OTHER, USER

PATH = "/v1/smart-playlists"


@pytest.fixture
def http(one: Bench, eventually: Callable[..., None]) -> Iterator[Client]:
    links.add(one.settings.home, one.link)
    yield from serving(one.settings, eventually)


def test_declared_changed_and_forgotten(one: Bench, http: Client) -> None:
    one.sync()
    follower = one.follower()
    follower.tick()
    rule: dict[str, Any] = {"name": "Work", "like": ["song 03"], "size": 4, "year": 1995}
    status, made = http(PATH, rule)
    assert (status, made["user"], made["playlist"]) == (201, one.link.address, None)
    assert follower.tick(), "a running MESS takes notice"
    playlist = one.fake.named("Work")
    assert (len(playlist.items), playlist.owner, playlist.public) == (1, USER, False)
    status, shown = http(f"{PATH}/{made['id']}")
    assert (status, shown["tracks"], shown["like"]) == (200, 1, ["song 03"])
    assert one.fake.playlists[shown["playlist"]] is playlist
    assert shown["refreshed_at"] > made["created_at"]
    del rule["year"]
    status, changed = http(f"{PATH}/{made['id']}", rule, method="PUT")
    assert (status, "year" in changed) == (200, False)
    assert follower.tick()
    assert playlist.items == one.best(3, 4)
    assert http(f"{PATH}/{made['id']}", method="DELETE")[0] == 204
    follower.tick()
    assert playlist.items == one.best(3, 4), "it stays as it is"
    assert http(PATH) == (200, {"total": 0, "smart_playlists": []})
    assert http(f"{PATH}/{made['id']}")[0] == 404


def test_each_user_has_own_ones_and_what_is_wrong_is_named(one: Bench, http: Client) -> None:
    links.add(
        one.settings.home,
        msgspec.structs.replace(one.link, user_id=OTHER, user="bob", token="token-of-bob"),
    )
    one.declare('[[playlist]]\nname = "File"\nlike = "recent"\n')
    for user in ("ann", "bob"):
        assert http(PATH, {"name": "Work", "user": user, "like": "recent"})[0] == 201
    status, page = http(f"{PATH}?user=bob")
    assert (status, page["total"], page["smart_playlists"][0]["user"][:4]) == (200, 1, "bob@")
    assert len(http(f"{PATH}?offset=1")[1]["smart_playlists"]) == 1
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": "Work", "like": "recent"}, "ann has a smart playlist called 'Work' already"),
        ({"name": "File", "like": "recent"}, "'File' is declared in playlists.toml"),
        ({"name": "MESS: x", "like": "recent"}, "wanted one that does not begin with MESS:"),
        (
            {"name": "x", "like": "recent", "user": "eve"},
            "user 'eve' is not linked: known are ann@",
        ),
        ({"name": "x", "like": "recent", "size": 501}, "501 tracks: wanted 1 to 500"),
        ({"name": "x", "like": "recent", "tempo": "fast"}, "tempo 'fast': wanted a range"),
        ({"name": "x", "like": "recent", "colour": "red"}, "colour"),
        ({"name": "x", "like": "a\0b"}, "NUL"),
        ({"like": "recent"}, "missing required field `name`"),
    ]
    for body, reason in wrong:
        status, answer = http(PATH, body)
        is_conflict = "already" in reason or "playlists.toml" in reason
        assert status == (409 if is_conflict else 400), body
        assert reason in answer["error"]
    number = page["smart_playlists"][0]["id"]
    status, answer = http(f"{PATH}/{number}", {"name": "Else", "like": "recent"}, method="PUT")
    assert (status, "declare another one" in answer["error"]) == (409, True)
    assert http(f"{PATH}/x", method="DELETE")[0] == 404
    assert http(PATH, {"name": "x", "like": "recent"}, token=None)[0] == 401
