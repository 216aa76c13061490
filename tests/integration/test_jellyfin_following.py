"""Following Jellyfin by its hints."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mess_plugin.store import Store
from tests.jellyfin_bench import Bench, N
from tests.jellyfin_host import SERVER, item_id
from tests.stored_library import add_track, levels_of, raw_space


def hint(store: Store, kind: str, **body: object) -> None:
    event = store.inbox.receive_once("jellyfin", kind, {"NotificationType": kind, **body})
    assert event is not None
    store.inbox.handled(event, "walk")


def test_hints_are_gathered_and_then_looked_at(one: Bench) -> None:
    follower = one.follower()
    one.fake.make_playlist("MESS: like song 03 · 20 tracks")
    assert follower.tick()  # never read before: a whole reading
    playlist = one.fake.named("MESS: like song 03 · 20 tracks")
    assert len(playlist.items) == N - 1
    assert not follower.tick()
    track = add_track(one.store, raw_space(one.store), "/music/new.flac", levels_of(90))
    new = one.fake.add(200, 'New 12" Mix', "/media/new.flac", 30.0)
    dashed = f"{new[:8]}-{new[8:12]}-{new[12:16]}-{new[16:20]}-{new[20:]}"
    hint(one.store, "ItemAdded", ItemType="Audio", ItemId=dashed, Name='New 12\\" Mix')
    one.fake.requests.clear()
    assert follower.tick()
    assert one.store.hosts.tracks_of(SERVER, [new]) == {new: track}
    assert new in playlist.items
    assert not any("startIndex" in q for _, path, q in one.fake.requests if path == "/Items")
    del one.fake.items[new]
    hint(one.store, "ItemDeleted", ItemType="MusicAlbum", ItemId="f" * 32)  # 10.11: no tracks
    assert follower.tick()
    assert one.store.hosts.tracks_of(SERVER, [new]) == {}


def test_a_burst_waits_for_quiet(one: Bench) -> None:
    one.sync()
    follower = one.follower(quiet_s=1e6, longest_s=1e6)
    follower.tick()
    hint(one.store, "TaskCompleted", ResultKey="RefreshLibrary", EndTime="1")
    one.fake.requests.clear()
    assert not follower.tick()
    assert one.fake.requests == []
    # Another follower, after a crash, still finds the hint.
    after = one.follower()
    assert after.tick()
    assert any("startIndex" in query for _, _, query in one.fake.requests)


def test_a_playlist_made_in_jellyfin_is_noticed(one: Bench) -> None:
    one.sync()
    follower = one.follower(names_s=0.0)
    follower.tick()
    assert not follower.tick()
    one.fake.make_playlist("MESS: like song 03 · 5 tracks")
    assert follower.tick()
    assert one.fake.named("MESS: like song 03 · 5 tracks").items == one.best(3, 5)


def test_a_track_heard_at_any_moment_gets_into_the_playlist(one: Bench) -> None:
    """Just after the first reading, while nobody follows, and while names are being looked at."""
    name = "MESS: like song 03 · 20 tracks"
    one.fake.make_playlist(name)
    items = {n: one.fake.add(n, str(n), f"/media/{n}.flac", 30.0) for n in (90, 91, 92)}

    def hear(number: int) -> str:
        add_track(one.store, raw_space(one.store), f"/music/{number}.flac", levels_of(number))
        return items[number]

    follower = one.follower()
    assert follower.tick()  # reads the list
    after_the_reading = hear(90)
    assert follower.tick()
    assert after_the_reading in one.fake.named(name).items
    assert not follower.tick()
    while_away = hear(91)
    follower = one.follower()
    assert follower.tick()
    assert while_away in one.fake.named(name).items
    assert not follower.tick()


def test_a_playlist_made_while_others_are_kept_is_noticed(
    one: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.sync()
    first, second = "MESS: like song 03 · 5 tracks", "MESS: like song 04 · 5 tracks"
    one.fake.make_playlist(first)
    contents = one.api.contents

    def meanwhile(playlist: str) -> list[str]:
        if len(one.fake.playlists) == 1:
            one.fake.make_playlist(second)
        return contents(playlist)

    monkeypatch.setattr(one.api, "contents", meanwhile)
    follower = one.follower(names_s=0.0)
    follower.tick()
    assert follower.tick()
    assert one.fake.named(second).items == one.best(4, 5)
    assert not follower.tick()


def test_what_a_listener_likes_changes_the_playlists_that_follow_it(one: Bench) -> None:
    one.sync()
    one.fake.favourites = [item_id(4)]
    one.fake.make_playlist("MESS: like favourites · 4 tracks")
    follower = one.follower()
    follower.tick()
    playlist = one.fake.named("MESS: like favourites · 4 tracks")
    assert playlist.items == one.best(3, 4)
    one.fake.favourites = [item_id(6)]
    act = {"ItemType": "Audio", "ItemId": item_id(6), "Favorite": True}
    hint(one.store, "UserDataSaved", ServerId="e" * 32, **act)
    assert not follower.tick(), "another server says so"
    hint(one.store, "UserDataSaved", ServerId=SERVER, **act)
    assert follower.tick()
    assert playlist.items == one.best(5, 4)


def test_new_items_are_found_without_any_webhook(one: Bench) -> None:
    name = "MESS: like song 03 · 20 tracks"
    one.fake.make_playlist(name)
    follower = one.follower(all_s=0.0)
    follower.tick()
    add_track(one.store, raw_space(one.store), "/music/90.flac", levels_of(90))
    follower.tick()  # Jellyfin has not scanned yet
    late = one.fake.add(90, "90", "/media/90.flac", 30.0)
    one.fake.saved[late] = datetime.now(UTC)
    one.fake.requests.clear()
    assert follower.tick()
    assert late in one.fake.named(name).items
    starts = [query for _, _, query in one.fake.requests if "startIndex" in query]
    assert all("minDateLastSaved" in q for q in starts if "includeItemTypes" in q)
