"""Jellyfin over real HTTP, judged by its own documents, with a real database behind."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from mess_integrations.jellyfin import link as links
from mess_integrations.jellyfin.cli import jellyfin
from mess_integrations.jellyfin.client import Client, Patience, Unlinked
from mess_integrations.jellyfin.following import Follower, Pace
from mess_integrations.jellyfin.host import Host
from mess_integrations.jellyfin.keeping import Keeper, Outcome
from mess_integrations.jellyfin.link import Link
from mess_integrations.jellyfin.naming import parse
from mess_integrations.jellyfin.sync import Report, sync
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, ServiceError, UsageError
from mess_plugin.model import Tags
from mess_plugin.pooling import unit
from mess_plugin.store import Store, open_store
from mess_plugin.store.inbox import Feedback
from tests.jellyfin_contract import VERSIONS, contract, document
from tests.jellyfin_host import OTHER, PASSWORD, SERVER, USER, FakeJellyfin, item_id, serving
from tests.stored_library import add_track, levels_of, random_unit, raw_space, settings

QUICK = Patience(answer_s=5.0, tries=3, backoff_s=0.01)
N = 12


@pytest.fixture(
    params=[(version, dashes) for version in VERSIONS for dashes in (False, True)], ids=str
)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeJellyfin]:
    version, dashes = request.param
    with serving(FakeJellyfin(contract(version), dashes)) as served:
        yield served


@pytest.fixture
def fake12() -> Iterator[FakeJellyfin]:
    with serving(FakeJellyfin(contract("12.0.0"))) as served:
        yield served


@dataclass
class Bench:
    """MESS with N tracks at /music, and Jellyfin with the same at /media."""

    store: Store
    settings: Settings
    fake: FakeJellyfin
    link: Link
    host: Host
    tracks: list[int]

    def sync(self, **options: Any) -> Report:
        return sync(self.store, self.host, self.link, **options)

    def keep(self, **options: bool) -> list[Outcome]:
        return Keeper(self.store, self.settings, self.host, self.link, **options).keep_all()

    def declare(self, text: str) -> None:
        self.settings.home.mkdir(parents=True, exist_ok=True)
        (self.settings.home / "playlists.toml").write_text(text)

    def best(self, number: int, k: int) -> list[str]:
        """What the search itself answers, as items."""
        from mess_plugin.search import similar

        found = similar(self.store, self.settings, f"mess:{self.tracks[number]}", k=k)
        return [item_id(self.tracks.index(match.track.id) + 1) for match in found.matches]


def make_link(fake: FakeJellyfin, token: str = "token-of-ann", **changes: Any) -> Link:
    made = Link(
        url=fake.url, server=SERVER, version=fake.contract.version, user_id=USER, user="ann",
        device_id="d" * 32, token=token, paths=("/media=/music",),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def host_of(link: Link, patience: Patience = QUICK) -> Host:
    return Host(Client(link.url, link.device_id, link.token, patience), link.user_id)


def bench(fake: FakeJellyfin, database_url: str, home: Path) -> Iterator[Bench]:
    with open_store(database_url) as store:
        space = raw_space(store)
        tracks = []
        # All somewhat alike: what is unlike the seeds is no answer to a steered question.
        songs = unit(random_unit(1, seed=7) + 0.7 * random_unit(N, seed=8))
        for n in range(N):
            tags = Tags(title=f"Song {n:02}", artist=f"Artist {n % 3}", genre="Jazz", year=1990 + n)
            tracks.append(
                add_track(store, space, f"/music/{n:02}.flac", levels_of(n, song=songs[n]), tags)
            )
            fake.add(n + 1, f"Song {n:02}", f"/media/{n:02}.flac", 30.0)
        link = make_link(fake)
        host = host_of(link)
        yield Bench(store, settings(home, database_url=database_url), fake, link, host, tracks)
        host.close()


@pytest.fixture
def both(fake: FakeJellyfin, database_url: str, tmp_path: Path) -> Iterator[Bench]:
    yield from bench(fake, database_url, tmp_path / "home")


@pytest.fixture
def one(fake12: FakeJellyfin, database_url: str, tmp_path: Path) -> Iterator[Bench]:
    yield from bench(fake12, database_url, tmp_path / "home")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_documents_judge(version: str) -> None:
    if document(version) is None:
        pytest.skip(f"Jellyfin's OpenAPI document of {version} is not on this machine")
    judge = contract(version)
    with pytest.raises(AssertionError, match="has no parameter usrId"):
        judge.check_request("get", "/Items", {"usrId": [USER]}, None)
    with pytest.raises(AssertionError, match="'Song' is not one of"):
        judge.check_request("get", "/Items", {"includeItemTypes": ["Song"]}, None)
    with pytest.raises(AssertionError, match="Additional properties"):
        judge.check_request("post", "/Playlists", {}, {"Name": "x", "Public": False})
    with pytest.raises(AssertionError, match="not documented"):
        judge.check_request("post", "/Users/x/FavoriteItems", {}, None)
    with pytest.raises(AssertionError, match="is not of type 'array'"):
        judge.check_response("get", "/Items", 200, {"Items": 5})


# Linking ----------------------------------------------------------------------------------------


def test_quick_connect_and_password_give_the_account(fake: FakeJellyfin) -> None:
    shown: list[str] = []
    door = links.Door(fake.url + "/")
    quick = door.by_quick_connect(shown.append, poll_s=0.01)
    assert shown == ["314159"]
    assert (quick.user, quick.user_id, quick.server) == ("ann", USER, SERVER)
    assert door.by_password("ann", PASSWORD).token == quick.token == "token-of-ann"
    with pytest.raises(UsageError, match="does not accept user 'ann'"):
        door.by_password("ann", "wrong")
    for headers in fake.headers:
        assert headers["Authorization"].startswith("MediaBrowser ")
        assert not any("emby" in name.lower() for name in headers)


def test_the_link_is_private_and_names_no_token(fake12: FakeJellyfin, tmp_path: Path) -> None:
    link = make_link(fake12)
    links.save(tmp_path / "home", link)
    links.save(tmp_path / "home", link)
    file = links.file_of(tmp_path / "home")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert links.load(tmp_path / "home") == link
    assert link.token not in repr(link)
    with pytest.raises(Unlinked, match="mess jellyfin link"):
        links.load(tmp_path)
    file.write_text('{"token": "token-of-ann"')
    with pytest.raises(ConfigError, match="link` again") as caught:
        links.load(tmp_path / "home")
    assert "token-of-ann" not in str(caught.value)


def test_a_token_that_is_no_longer_accepted_says_what_to_do(fake12: FakeJellyfin) -> None:
    with pytest.raises(Unlinked, match="run `mess jellyfin link`"):
        host_of(make_link(fake12, "revoked")).playlists()


def test_a_netrc_does_not_replace_the_token(
    fake12: FakeJellyfin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert host_of(make_link(fake12)).playlists() == []


def test_passing_failures_are_repeated_and_lasting_ones_are_one_line(
    fake12: FakeJellyfin,
) -> None:
    fake12.failures = [503, 503]
    assert host_of(make_link(fake12)).playlists() == []
    fake12.failures = [503] * 3
    with pytest.raises(ServiceError, match="it answers 503 to GET /Items"):
        host_of(make_link(fake12)).playlists()
    with pytest.raises(ServiceError, match="no connection"):
        host_of(make_link(fake12, url="http://127.0.0.1:1")).playlists()
    fake12.delay_s = 0.3
    with pytest.raises(ServiceError, match="does not answer"):
        host_of(make_link(fake12), Patience(answer_s=0.05, tries=1)).playlists()


# Reading the list -------------------------------------------------------------------------------


def test_all_items_become_tracks_page_by_page(both: Bench) -> None:
    report = both.sync(page=5)
    assert report.matched == {"path": N}
    assert not report.unmatched
    again = both.sync(page=5)
    assert again.document() == report.document()


def test_what_does_not_match_says_why(one: Bench) -> None:
    store, fake, space = one.store, one.fake, raw_space(one.store)
    recorded = Tags(title="R", musicbrainz_recording="11111111-1111-1111-1111-111111111111")
    track = add_track(store, space, "/elsewhere/r.flac", levels_of(50), recorded)
    add_track(store, space, "/elsewhere/a/same.flac", levels_of(51))
    add_track(store, space, "/elsewhere/b/same.flac", levels_of(52))
    fake.add(
        100, "R", "/x/r.mp3", 33.0, MusicBrainzRecording="11111111-1111-1111-1111-111111111111"
    )
    fake.add(101, "same", "/x/same.flac", 30.5)
    fake.add(102, "tail", "D:\\Music\\a\\SAME.flac", 30.5)
    fake.add(103, "long", "/x/same.flac", 300.0)
    fake.add(104, "new", "/x/new.flac", 30.0)
    fake.add(105, 'a "12\\" Mix" of nothing', None, 30.0)
    report = one.sync()
    assert report.matched == {"path": N, "recording": 1, "tail": 1}
    assert {kind: len(group) for kind, group in report.unmatched.items()} == {
        "ambiguous": 1, "duration": 1, "not-indexed": 1, "no-path": 1,
    }  # fmt: skip
    assert store.hosts.tracks_of(SERVER, [item_id(100)]) == {item_id(100): track}


def test_a_reading_that_was_cut_short_goes_on(one: Bench) -> None:
    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.sync(page=5, progress=stop)
    one.fake.requests.clear()
    assert len(one.sync(page=5).items) == N
    starts = [query["startIndex"] for _, _, query in one.fake.requests if "startIndex" in query]
    assert starts[0] == ["5"]


def test_pages_that_are_too_large_get_smaller(one: Bench) -> None:
    for n in range(N, 200):
        one.fake.add(n + 1, str(n), f"/media/{n}.flac", 30.0)
    one.fake.largest_page = 100
    assert len(one.sync(page=500).items) == 200


def test_only_what_the_server_denies_is_forgotten(one: Bench) -> None:
    one.sync()
    del one.fake.items[item_id(1)]
    report = one.sync()
    assert (report.gone, len(report.items)) == (1, N - 1)


def test_feedback_on_items_becomes_feedback_on_tracks(one: Bench) -> None:

    act = Feedback("jellyfin", b"x" * 16, USER, item_id(3), "like", 1.0, datetime.now(UTC))
    one.store.inbox.save_feedback(act)
    one.sync()
    connection = one.store._session.connection
    assert connection.execute("SELECT track_id FROM feedback").fetchall() == [(one.tracks[2],)]


# Playlists --------------------------------------------------------------------------------------


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
        host_of(link).replace(playlist, [item_id(1)])


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
    seen = one.host.playlists()
    revoked = host_of(make_link(one.fake, "revoked"))
    keeper = Keeper(one.store, one.settings, revoked, one.link)
    with pytest.raises(Unlinked):
        keeper._keep(("x", parse("MESS: like favourites"), seen[0].id), seen)


# Following --------------------------------------------------------------------------------------


def hint(store: Store, kind: str, **body: object) -> None:
    event = store.inbox.receive_once("jellyfin", kind, {"NotificationType": kind, **body})
    assert event is not None
    store.inbox.handled(event, "walk")


def test_hints_are_gathered_and_then_looked_at(one: Bench) -> None:
    pace = Pace(quiet_s=0.0, names_s=1e9, all_s=1e9)
    follower = Follower(one.store, one.settings, one.host, one.link, pace)
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
    pace = Pace(quiet_s=1e6, longest_s=1e6, names_s=1e9, all_s=1e9)
    follower = Follower(one.store, one.settings, one.host, one.link, pace)
    follower.tick()
    hint(one.store, "TaskCompleted", ResultKey="RefreshLibrary", EndTime="1")
    one.fake.requests.clear()
    assert not follower.tick()
    assert one.fake.requests == []
    # Another follower, after a crash, still finds the hint.
    eager = Pace(quiet_s=0.0, names_s=1e9, all_s=1e9)
    after = Follower(one.store, one.settings, one.host, one.link, eager)
    assert after.tick()
    assert any("startIndex" in query for _, _, query in one.fake.requests)


def test_a_playlist_made_in_jellyfin_is_noticed(one: Bench) -> None:
    one.sync()
    follower = Follower(
        one.store, one.settings, one.host, one.link, Pace(quiet_s=0.0, names_s=0.0, all_s=1e9)
    )
    follower.tick()
    assert not follower.tick()
    one.fake.make_playlist("MESS: like song 03 · 5 tracks")
    assert follower.tick()
    assert one.fake.named("MESS: like song 03 · 5 tracks").items == one.best(3, 5)


# Commands ---------------------------------------------------------------------------------------


def test_the_commands_link_sync_and_fill(one: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESS_HOME", str(one.settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", one.settings.database_url or "")
    monkeypatch.setenv("MESS_ENCODER", "descriptors")
    monkeypatch.setenv("MESS_JELLYFIN_PASSWORD", PASSWORD)

    def run(*words: str) -> str:
        done = CliRunner().invoke(jellyfin, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    run("link", one.fake.url, "--user", "ann", "--path", "/media=/music")
    assert run("sync") == f"{N} of {N} items are tracks ({N} by path)\n"
    assert msgspec.json.decode(run("sync", "--json"))["matched"] == {"path": N}
    one.fake.make_playlist("MESS: like song 03 · 5 tracks")
    assert "updated" in run("playlists", "--dry-run")
    assert one.fake.writes() == ["/Users/AuthenticateByName"]
    assert msgspec.json.decode(run("playlists", "--json"))[0]["items"] == one.best(3, 5)
