"""Several users of one Jellyfin: each with an own token, own playlists, and an own view."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from mess_integrations.jellyfin import accounts as links
from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount, accepted_accounts
from mess_integrations.jellyfin.cli import jellyfin
from mess_integrations.jellyfin.follower import Follower
from mess_integrations.jellyfin.reconciler import Outcome, Reconciler
from mess_integrations.jellyfin.sync import sync
from mess_plugin.errors import ConfigError, UsageError
from tests.jellyfin_bench import Bench, N, account_of, make_link
from tests.jellyfin_host import OTHER, PASSWORD, SERVER, USER, FakeJellyfin, item_id


def bob_of(link: JellyfinLink) -> JellyfinAccount:
    return account_of(
        msgspec.structs.replace(link, user_id=OTHER, user="bob", token="token-of-bob")
    )


def keep(bench: Bench, *accounts: JellyfinAccount) -> list[Outcome]:
    linked = [account.link for account in accounts]
    return [
        outcome
        for account in accounts
        for outcome in Reconciler(bench.store, bench.settings, account, linked).reconcile()
    ]


def test_each_has_an_own_link_and_the_paths_of_the_server(
    fake12: FakeJellyfin, tmp_path: Path
) -> None:
    ann = make_link(fake12)
    bob = msgspec.structs.replace(ann, user_id=OTHER, user="bob", token="token-of-bob", paths=())
    elsewhere = msgspec.structs.replace(ann, server="e" * 32, url="http://attic:8096")
    for link in (ann, bob, elsewhere):
        links.add(tmp_path, link)
    linked = links.load(tmp_path)
    assert [one.address for one in linked] == [ann.address, bob.address, "ann@attic:8096"]
    assert linked[1].paths == ann.paths
    assert stat.S_IMODE(links.links_file(tmp_path).stat().st_mode) == 0o600
    assert links.find_link(linked, "BOB").token == "token-of-bob"
    assert links.find_link(linked, "ann@attic:8096") == elsewhere
    with pytest.raises(UsageError, match="'ann' is linked more than once: known are ann@"):
        links.find_link(linked, "ann")
    with pytest.raises(UsageError, match="'eve' is not linked"):
        links.find_link(linked, "eve")
    links.add(tmp_path, msgspec.structs.replace(ann, token="newer", paths=("/m=/n",)))
    assert [one.token for one in links.load(tmp_path)] == ["newer", "token-of-bob", ann.token]
    assert {one.paths for one in links.load(tmp_path)[:2]} == {("/m=/n",)}


def test_a_link_of_an_older_mess_is_read(fake12: FakeJellyfin, tmp_path: Path) -> None:
    link = make_link(fake12)
    links.links_file(tmp_path).write_bytes(msgspec.json.encode(link))
    assert links.load(tmp_path) == (link,)


def test_playlists_are_each_users_own(one: Bench) -> None:
    bob = bob_of(one.link)
    one.sync()
    name = "MESS: like song 03 · 5 tracks"
    of_ann = one.fake.make_playlist(name, public=True)
    of_bob = one.fake.make_playlist(name, owner=OTHER, public=True)
    one.declare(
        '[[playlist]]\nname = "First"\nlike = "song 04"\n'
        '[[playlist]]\nname = "Evening"\nlike = "song 05"\nuser = "Bob"\n'
    )
    outcomes = keep(one, one.account, bob)
    assert [(outcome.user, outcome.name) for outcome in outcomes] == [
        ("ann", "First"), ("ann", name), ("bob", "Evening"), ("bob", name),
    ]  # fmt: skip
    assert one.fake.playlists[of_ann].items == one.fake.playlists[of_bob].items == one.best(3, 5)
    assert one.fake.named("First").owner == USER
    assert one.fake.named("Evening").owner == OTHER
    # What bob takes out stays in ann's.
    one.fake.playlists[of_bob].items.pop()
    keep(one, one.account, bob)
    assert one.fake.playlists[of_ann].items == one.best(3, 5)
    assert one.fake.playlists[of_bob].items != one.best(3, 5)
    with pytest.raises(ConfigError, match="user 'Bob' is not linked: known are ann@"):
        one.keep()


def test_nobody_gets_what_only_another_may_see(one: Bench) -> None:
    bob = bob_of(one.link)
    best = one.best(3, 5)
    one.fake.hidden_from = {OTHER: {best[0]}, USER: {best[1]}}
    follower = Follower(
        one.store, one.settings, (one.account, bob), (one.link, bob.link),
        one.follower().times,
    )  # fmt: skip
    name = "MESS: like song 03 · 3 tracks"
    of_ann, of_bob = (one.fake.make_playlist(name, owner=user) for user in (USER, OTHER))
    assert follower.tick()
    known = one.store.hosts.tracks_of(SERVER, [item_id(n + 1) for n in range(N)])
    assert len(known) == N, "each one's list was read"
    assert one.fake.playlists[of_ann].items == [best[0], *best[2:4]]
    assert one.fake.playlists[of_bob].items == best[1:4]
    written = len(one.fake.writes())
    keep(one, one.account, bob)
    assert len(one.fake.writes()) == written
    # Out of one's sight is not gone.
    assert len(sync(one.store, (one.account, bob), fresh=True).items) == N


def test_a_refused_token_stops_its_user_alone(one: Bench) -> None:
    one.fake.revoked = {"token-of-bob"}
    refused: list[str] = []
    accounts = accepted_accounts(
        (bob_of(one.link), one.account), lambda account: refused.append(account.link.user)
    )
    assert (accounts, refused) == ((one.account,), ["bob"])


def test_the_commands_know_all_users(one: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESS_HOME", str(one.settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", one.settings.database_url or "")
    monkeypatch.setenv("MESS_ENCODER", "descriptors")
    monkeypatch.setenv("MESS_JELLYFIN_PASSWORD", PASSWORD)

    def run(*words: str) -> Result:
        return CliRunner().invoke(jellyfin, words)

    run("link", one.fake.url, "--user", "ann", "--path", "/media=/music")
    run("link", one.fake.url, "--user", "bob")
    users = msgspec.json.decode(run("users", "--json").stdout)
    assert [(user["user"], user["paths"]) for user in users] == [
        ("ann", ["/media=/music"]), ("bob", ["/media=/music"]),
    ]  # fmt: skip
    assert "token" not in run("users").stdout
    assert run("sync").stdout == f"{N} of {N} items are tracks ({N} by path)\n"
    name = "MESS: like song 03 · 5 tracks"
    one.fake.make_playlist(name)
    one.fake.make_playlist(name, owner=OTHER)
    outcomes = msgspec.json.decode(run("playlists", "--user", "bob", "--json").stdout)
    assert [outcome["user"] for outcome in outcomes] == ["bob"]
    assert run("unlink", "eve").exit_code == 1
    assert run("unlink", "bob").exit_code == 0
    assert one.fake.revoked == {"token-of-bob"}
    assert [link.user for link in links.load(one.settings.home)] == ["ann"]
    run("unlink", "ann")
    assert not links.links_file(one.settings.home).exists()
