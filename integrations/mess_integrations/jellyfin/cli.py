"""`mess jellyfin link`, `users`, `unlink`, `sync`, `playlists`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from mess_integrations.jellyfin import accounts as links
from mess_integrations.jellyfin.api import (
    JellyfinAccount,
    JellyfinApi,
    accepted_accounts,
    by_server,
)
from mess_integrations.jellyfin.auth import Login
from mess_integrations.jellyfin.file_index import path_map
from mess_integrations.jellyfin.reconciler import Outcome, Reconciler
from mess_integrations.jellyfin.sync import SyncReport
from mess_integrations.jellyfin.sync import sync as read_list
from mess_plugin.cli.output import json_option, print_json, print_table, say, table_options
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError
from mess_plugin.logs import printable
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store

_EXAMPLES = 3  # of each reason why items are no tracks


@click.group()
def jellyfin() -> None:
    """Keep playlists in Jellyfin that follow the music."""


@jellyfin.command()
@click.argument("url")
@click.option("--user", metavar="NAME", help="Log in by password instead of Quick Connect.")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="JELLYFIN=LIBRARY",
    help="Where the library has a folder of Jellyfin, such as /media/music=/music.",
)
def link(url: str, user: str | None, paths: tuple[str, ...]) -> None:
    """Act for a user of the Jellyfin at URL. Run it again for each further user.

    Without --user a code is shown that the user enters in Jellyfin (Quick Connect). The password is
    asked for, or taken from MESS_JELLYFIN_PASSWORD, and not kept.
    """
    settings = load_settings()
    path_map(paths)  # a wrong rule is said before anybody logs in
    door = Login(url)
    if user is None:
        made = door.by_quick_connect(_show_code)
    else:
        made = door.by_password(user, _password(user))
    links.add(settings.home, msgspec.structs.replace(made, paths=paths))
    say(f"linked to {made.user} on Jellyfin {made.version} at {made.url}")
    say("next: `mess jellyfin sync`; `mess up` then keeps playlists up to date")


@jellyfin.command()
@table_options
def users(as_json: bool) -> None:
    """Show for whom MESS acts."""
    linked = links.load(load_settings().home)
    if as_json:
        print_json(
            [
                {"user": one.user, "url": one.url, "version": one.version, "paths": one.paths}
                for one in linked
            ]
        )
    else:
        rows = [(one.user, one.url, one.version, ", ".join(one.paths)) for one in linked]
        print_table(["user", "server", "version", "paths"], rows)


@jellyfin.command()
@click.argument("user", metavar="USER")
def unlink(user: str) -> None:
    """Stop acting for USER (or USER@HOST). Playlists stay in Jellyfin as they are."""
    home = load_settings().home
    link = links.find_link(links.load(home), user)
    api = JellyfinApi.of(link)
    try:
        api.log_out()
    except MessError as error:
        say(f"the token was not withdrawn ({error}): Jellyfin, Dashboard, Devices")
    finally:
        api.close()
    links.remove(home, link)
    say(f"{link.address} is not linked any more")


@jellyfin.command()
@click.option("--fresh", is_flag=True, help="Start over where an earlier reading was cut short.")
@json_option
def sync(fresh: bool, as_json: bool) -> None:
    """Match the items of Jellyfin with the tracks of the library."""
    with _opened() as (_, store, accounts, _linked):
        groups = by_server(accounts)
        reports = [
            (group[0].link, read_list(store, accepted_accounts(group, _refused), fresh=fresh))
            for group in groups
        ]
    if as_json and len(reports) == 1:
        print_json(reports[0][1].document())
    elif as_json:
        print_json([{"server": link.url, **report.document()} for link, report in reports])
    else:
        for link, report in reports:
            if len(reports) > 1:
                click.echo(f"{link.url}:")
            _print_report(report)


@jellyfin.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--now", is_flag=True, help="Also those that are refreshed daily, weekly or once.")
@click.option("--user", metavar="NAME", help="Those of this user only.")
@json_option
def playlists(dry_run: bool, now: bool, user: str | None, as_json: bool) -> None:
    """Create, fill and update the smart playlists (docs/jellyfin.md says how to ask for one)."""
    outcomes: list[Outcome] = []
    with _opened() as (settings, store, accounts, linked):
        wanted = None if user is None else links.find_link(linked, user)
        mine = [account for account in accounts if wanted in (None, account.link)]
        for account in accepted_accounts(mine, _refused):
            keeper = Reconciler(store, settings, account, linked, dry_run=dry_run, force=now)
            outcomes += keeper.reconcile()
    if as_json:
        print_json([msgspec.to_builtins(outcome) for outcome in outcomes])
    else:
        _print_outcomes(outcomes, dry_run=dry_run, with_users=len(linked) > 1)
    if any(outcome.state == "wrong" for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _refused(account: JellyfinAccount) -> None:
    say(
        f"{account.link.address} is not accepted any more: run "
        f"`mess jellyfin link {account.link.url}` as this user"
    )


@contextmanager
def _opened() -> Iterator[
    tuple[Settings, Store, list[JellyfinAccount], tuple[links.JellyfinLink, ...]]
]:
    settings = load_settings()
    linked = links.load(settings.home)
    accounts = [JellyfinAccount.of(one) for one in linked]
    try:
        with connected(settings) as ready, open_store(ready.database_url or "") as store:
            yield ready, store, accounts, linked
    finally:
        for account in accounts:
            account.api.close()


def _password(user: str) -> str:
    if given := os.environ.get("MESS_JELLYFIN_PASSWORD"):
        return given
    password: str = click.prompt(f"Password of {user}", hide_input=True, err=True, default="")
    return password


def _show_code(code: str) -> None:
    say(f"enter {code} in Jellyfin: user icon, Quick Connect")


def _print_report(report: SyncReport) -> None:
    known = sum(report.matched.values())
    ways = ", ".join(f"{count} by {way}" for way, count in sorted(report.matched.items()))
    click.echo(f"{known} of {len(report.items)} items are tracks{f' ({ways})' if ways else ''}")
    if report.gone:
        click.echo(f"{report.gone} items are gone from Jellyfin")
    for kind, group in sorted(report.unmatched.items()):
        click.echo(f"{len(group)} {kind}:")
        for one in group[:_EXAMPLES]:
            reason = (one.unmatched or "").partition(": ")[2]
            click.echo(printable(f"  {one.item.name} ({one.item.path or one.item.id}): {reason}"))
        if len(group) > _EXAMPLES:
            click.echo(f"  … and {len(group) - _EXAMPLES} more: see --json")


def _print_outcomes(outcomes: list[Outcome], *, dry_run: bool, with_users: bool) -> None:
    if not outcomes:
        say("no smart playlist: make one in Jellyfin called `MESS: like …`, or see playlists.toml")
        return
    users = [[outcome.user] if with_users else [] for outcome in outcomes]
    rows = [
        (
            *user,
            outcome.name,
            outcome.state,
            len(outcome.items),
            f"+{len(outcome.added)} -{len(outcome.dropped)}",
            outcome.reason,
        )
        for user, outcome in zip(users, outcomes, strict=True)
    ]
    head = ["user"] if with_users else []
    print_table([*head, "playlist", "state", "#tracks", "#changes", "why"], rows)
    if dry_run:
        say("nothing was written")
