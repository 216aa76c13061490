"""Linking Jellyfin and reading its list, judged by its own documents."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from mess_integrations.jellyfin import accounts as links
from mess_integrations.jellyfin.auth import Login
from mess_integrations.jellyfin.cli import jellyfin
from mess_integrations.jellyfin.client import RetryPolicy, Unlinked
from mess_plugin.errors import ConfigError, ServiceError, UsageError
from mess_plugin.model import Tags
from mess_plugin.store.inbox import Feedback
from tests.jellyfin_bench import Bench, N, api_of, make_link
from tests.jellyfin_contract import VERSIONS, contract, document
from tests.jellyfin_host import PASSWORD, SERVER, USER, FakeJellyfin, item_id
from tests.stored_library import add_track, levels_of, raw_space


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


def test_quick_connect_and_password_give_the_account(fake: FakeJellyfin) -> None:
    shown: list[str] = []
    door = Login(fake.url + "/")
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
    links.add(tmp_path / "home", link)
    links.add(tmp_path / "home", link)
    file = links.links_file(tmp_path / "home")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert links.load(tmp_path / "home") == (link,)
    assert link.token not in repr(link)
    with pytest.raises(Unlinked, match="mess jellyfin link"):
        links.load(tmp_path)
    file.write_text('{"token": "token-of-ann"')
    with pytest.raises(ConfigError, match="link` again") as caught:
        links.load(tmp_path / "home")
    assert "token-of-ann" not in str(caught.value)


def test_a_token_that_is_no_longer_accepted_says_what_to_do(fake12: FakeJellyfin) -> None:
    with pytest.raises(Unlinked, match="run `mess jellyfin link`"):
        api_of(make_link(fake12, "revoked")).playlists()


def test_a_netrc_does_not_replace_the_token(
    fake12: FakeJellyfin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert api_of(make_link(fake12)).playlists() == []


def test_passing_failures_are_repeated_and_lasting_ones_are_one_line(
    fake12: FakeJellyfin,
) -> None:
    fake12.failures = [503, 503]
    assert api_of(make_link(fake12)).playlists() == []
    fake12.failures = [503] * 3
    with pytest.raises(ServiceError, match="it answers 503 to GET /Items"):
        api_of(make_link(fake12)).playlists()
    with pytest.raises(ServiceError, match="no connection"):
        api_of(make_link(fake12, url="http://127.0.0.1:1")).playlists()
    fake12.delay_s = 0.3
    with pytest.raises(ServiceError, match="does not answer"):
        api_of(make_link(fake12), RetryPolicy(answer_s=0.05, tries=1)).playlists()


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
