"""Smart playlists in Jellyfin: filled, kept, and otherwise left alone."""

from __future__ import annotations

import psycopg
import pytest

from mess_integrations.jellyfin.api import JellyfinAccount
from mess_integrations.jellyfin.client import Unlinked
from mess_integrations.jellyfin.naming import parse
from mess_integrations.jellyfin.reconciler import Reconciler
from mess_plugin.errors import ConfigError, ServiceError
from mess_plugin.playlists.radio import RadioStyle, first_of_radio
from mess_plugin.search import Query
from tests.jellyfin_bench import Bench, N, api_of, make_link
from tests.jellyfin_host import OTHER, SERVER, USER, item_id


def test_a_name_in_jellyfin_fills_its_playlist_and_nothing_is_written_twice(both: Bench) -> None:
    both.sync()
    name = "MESS: like song 03 · 5 tracks"
    both.fake.make_playlist(name)
    (outcome,) = both.keep()
    assert outcome.state == "updated"
    assert both.fake.named(name).items == both.best(3, 5)
    written = len(both.fake.writes())
    assert [one.state for one in both.keep()] == ["unchanged"]
    assert len(both.fake.writes()) == written


def test_a_declared_playlist_is_made_for_its_user_alone(both: Bench) -> None:
    both.sync()
    both.declare('[[playlist]]\nname = "Evening"\nlike = ["song 03", "song 04"]\nsize = 6\n')
    assert [one.state for one in both.keep(dry_run=True)] == ["created"]
    assert not both.fake.playlists
    (outcome,) = both.keep()
    made = both.fake.named("Evening")
    assert (outcome.state, made.owner, made.public, len(made.items)) == ("created", USER, False, 6)
    assert not {item_id(4), item_id(5)} & set(made.items)
    assert [one.state for one in both.keep()] == ["unchanged"]


def test_pinned_and_removed_tracks_stay_so(both: Bench) -> None:
    both.sync()
    both.fake.make_playlist("MESS: like song 03 · 5 tracks")
    both.keep()
    playlist = both.fake.named("MESS: like song 03 · 5 tracks")
    best = both.best(3, N)
    pin = best[-1]
    playlist.items = [*best[2:5], pin]
    both.keep()
    assert playlist.items == [pin, *best[2:6]]
    assert [one.state for one in both.keep()] == ["unchanged"]
    # The pin goes and what was out comes back: the newer wish. The order is the user's.
    playlist.items = [*best[2:6], best[0]]
    assert [one.state for one in both.keep(force=True)] == ["unchanged"]
    playlist.items = [*best[3:6], best[0]]
    both.keep()
    assert playlist.items == [best[0], *best[3:7]]
    edits = both.store.hosts.edits(SERVER, USER, next(iter(both.fake.playlists)))
    assert {(edit.item, edit.edit) for edit in edits} == {
        (best[0], "pinned"), (pin, "removed"), (best[1], "removed"), (best[2], "removed"),
    }  # fmt: skip


def test_an_item_that_the_server_lost_was_not_removed_by_hand(one: Bench) -> None:
    one.sync()
    one.fake.make_playlist("MESS: like song 03 · 5 tracks")
    one.keep()
    playlist = one.fake.named("MESS: like song 03 · 5 tracks")
    lost = playlist.items[0]
    moved = one.fake.items.pop(lost)
    one.fake.items[item_id(999)] = moved  # a file that moved is another item
    one.sync()
    one.keep()
    assert playlist.items[0] == item_id(999)


def test_a_user_may_reorder_and_a_write_that_died_is_not_taken_for_the_users(one: Bench) -> None:
    one.sync()
    playlist_id = one.fake.make_playlist("MESS: like song 03 · 5 tracks")
    one.keep()
    playlist = one.fake.playlists[playlist_id]
    playlist.items.reverse()
    turned = list(playlist.items)
    assert [outcome.state for outcome in one.keep()] == ["unchanged"]
    assert playlist.items == turned
    best = one.best(3, 8)
    one.store.hosts.intend(SERVER, USER, playlist_id, best[3:8])
    playlist.items = best[3:6]
    one.keep()
    assert playlist.items == best[:5]
    assert one.store.hosts.edits(SERVER, USER, playlist_id) == []


def test_other_peoples_playlists_are_never_touched(both: Bench) -> None:
    both.sync()
    both.fake.make_playlist("MESS: like song 03", owner=OTHER, public=True)
    both.fake.make_playlist("MESS: like song 04", owner=OTHER)
    assert both.keep() == []
    assert both.fake.writes() == []


def test_what_a_name_does_not_say_clearly_is_reported_and_left(one: Bench) -> None:
    one.sync()
    for name in ("MESS: like song 03 · groovy · 5 tracks", "MESS: like nothing there", "MESS: hm"):
        one.fake.make_playlist(name, [item_id(7)])
    outcomes = one.keep()
    assert [outcome.state for outcome in outcomes] == ["wrong"] * 3
    assert "'groovy' is not understood; known are: N tracks" in outcomes[0].reason
    assert all(playlist.items == [item_id(7)] for playlist in one.fake.playlists.values())


def test_all_seeds(one: Bench) -> None:
    one.sync()
    one.fake.favourites = [item_id(4)]
    one.fake.played = [item_id(5)]
    one.fake.make_playlist("Work", [item_id(6)])
    wishes = {
        "MESS: like favourites | 4 tracks": one.best(3, 4),
        "MESS: like recent | 4 tracks": one.best(4, 4),
        "MESS: like playlist work | 4 tracks": one.best(5, 4),
        "MESS: like these | 4 tracks": [item_id(7), *one.best(6, 3)],
    }
    for name in wishes:
        one.fake.make_playlist(name, [item_id(7)] if "these" in name else [])
    section = "MESS: like song 08 from 0:05 to 0:15 | 4 tracks"
    one.fake.make_playlist(section)
    one.keep()
    for name, wanted in wishes.items():
        assert one.fake.named(name).items == wanted, name
    assert len(one.fake.named(section).items) == 4
    assert one.fake.named("Work").items == [item_id(6)]


def test_a_radio_is_that_of_the_command_line_and_heeds_the_users_taste(one: Bench) -> None:
    one.sync()
    name = "MESS: radio song 03 | locked in | 6 tracks"
    one.fake.make_playlist(name)
    one.keep()
    store, settings = one.store, one.settings
    style = RadioStyle(strictness=1.0)
    made = first_of_radio(store, settings, ["song 03"], Query(), n=6, style=style)
    items = store.hosts.items_of(one.link.server, [track.id for track in made.tracks])
    assert one.fake.named(name).items == [items[track.id][0] for track in made.tracks]
    disliked = made.tracks[2].id
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute(
            "INSERT INTO feedback (source, digest, listener, item, track_id, kind, value, happened_at)"
            " VALUES ('jellyfin', '\\x01', %s, %s, %s, 'like', 0, now())",
            (USER, items[disliked][0], disliked),
        )
    one.keep(force=True)
    assert items[disliked][0] not in one.fake.named(name).items


def test_filters_and_refresh(one: Bench) -> None:
    one.sync()
    name = "MESS: like song 00 | year 1993-2000 | 2 per artist | without artist 1 | weekly"
    one.fake.make_playlist(name)
    one.keep()
    numbers = sorted(int(item, 16) - 1 for item in one.fake.named(name).items)
    assert len(numbers) == 4  # two of artist 0, two of artist 2
    assert {n % 3 for n in numbers} == {0, 2}
    assert all(3 <= n <= 10 for n in numbers)
    assert [outcome.state for outcome in one.keep()] == ["not due"]
    assert [outcome.state for outcome in one.keep(force=True)] == ["unchanged"]
    one.declare('[[playlist]]\nname = "N"\nlike = "song 00"\nyear = 1995\nper_artist = 1\n')
    one.keep()
    assert one.fake.named("N").items == [item_id(6)]


def test_items_that_the_server_refuses_are_not_taken_for_removed(one: Bench) -> None:
    one.sync()
    best = one.best(3, 5)
    one.fake.hidden = {best[0]}
    one.fake.make_playlist("MESS: like song 03 · 5 tracks")
    one.keep()
    one.fake.hidden = set()
    one.keep()
    assert one.fake.named("MESS: like song 03 · 5 tracks").items == best


def test_duplicates_are_dropped_by_us_where_the_server_keeps_them(both: Bench) -> None:
    both.sync()
    both.fake.make_playlist("MESS: like song 03 · 5 tracks", [item_id(9), item_id(9)])
    both.keep()
    items = both.fake.named("MESS: like song 03 · 5 tracks").items
    assert items[0] == item_id(9)
    assert len(items) == len(set(items)) == 5


def test_an_api_key_is_named_as_the_reason(one: Bench) -> None:
    one.sync()
    one.fake.make_playlist("MESS: like song 03", public=True)
    link = make_link(one.fake, "an-api-key")
    playlist = next(iter(one.fake.playlists))
    with pytest.raises(ServiceError, match="link its owner's account"):
        api_of(link).replace(playlist, [item_id(1)])


def test_a_taken_name_is_reported_and_an_empty_playlist_is_taken_over(one: Bench) -> None:
    one.sync()
    one.declare('[[playlist]]\nname = "Evening"\nlike = "song 03"\nsize = 3\n')
    playlist = one.fake.make_playlist("Evening", [item_id(1)])
    (outcome,) = one.keep()
    assert "a playlist of this name already" in outcome.reason
    one.fake.playlists[playlist].items = []
    assert [outcome.state for outcome in one.keep()] == ["updated"]
    assert len(one.fake.playlists) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[[playlist]]\nname = "x"\nlike = "y"\nsise = 3', "sise"),
        ('[[playlist]]\nname = "x"\nlike = []', "wanted tracks"),
        ('[[playlist]]\nname = "x"\nlike = "y"\nyear = "soon"', "wanted a range"),
        ('[[playlist]]\nname = "x"\nlike = "y"\n' * 2, "declared twice"),
        ("[[playlist", "cannot be read"),
    ],
)
def test_a_wrong_declaration_is_one_clear_line(one: Bench, text: str, reason: str) -> None:
    one.declare(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        one.keep()
    assert "playlists.toml" in str(caught.value)


def test_a_token_withdrawn_meanwhile_is_not_blamed_on_a_playlist(one: Bench) -> None:
    one.sync()
    one.fake.make_playlist("MESS: like favourites")
    seen = one.api.playlists()
    revoked = api_of(make_link(one.fake, "revoked"))
    keeper = Reconciler(one.store, one.settings, JellyfinAccount(one.link, revoked), (one.link,))
    with pytest.raises(Unlinked):
        keeper._keep(("x", parse("MESS: like favourites"), seen[0].id), seen)
