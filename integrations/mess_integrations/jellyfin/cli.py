"""`mess jellyfin link`, `sync`, `playlists`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from mess_integrations.jellyfin import link as links
from mess_integrations.jellyfin.host import Host
from mess_integrations.jellyfin.keeping import Keeper, Outcome
from mess_integrations.jellyfin.matching import path_map
from mess_integrations.jellyfin.sync import Report
from mess_integrations.jellyfin.sync import sync as read_list
from mess_plugin.cli.output import json_option, print_json, print_table, printable, say
from mess_plugin.config import Settings, load_settings
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
    """Act for one user of the Jellyfin at URL.

    Without --user a code is shown that the user enters in Jellyfin (Quick Connect). The password is
    asked for, or taken from MESS_JELLYFIN_PASSWORD, and not kept.
    """
    settings = load_settings()
    path_map(paths)  # a wrong rule is said before anybody logs in
    door = links.Door(url)
    if user is None:
        made = door.by_quick_connect(_show_code)
    else:
        made = door.by_password(user, _password(user))
    links.save(settings.home, msgspec.structs.replace(made, paths=paths))
    say(f"linked to {made.user} on Jellyfin {made.version} at {made.url}")
    say("next: `mess jellyfin sync`; `mess up` then keeps playlists up to date")


@jellyfin.command()
@click.option("--fresh", is_flag=True, help="Start over where an earlier reading was cut short.")
@json_option
def sync(fresh: bool, as_json: bool) -> None:
    """Find out which items of Jellyfin are which tracks."""
    with _opened() as (_, store, host, account):
        report = read_list(store, host, account, fresh=fresh)
    if as_json:
        print_json(report.document())
    else:
        _print_report(report)


@jellyfin.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--now", is_flag=True, help="Also those that are refreshed daily, weekly or once.")
@json_option
def playlists(dry_run: bool, now: bool, as_json: bool) -> None:
    """Make, fill and update the smart playlists (docs/jellyfin.md says how to wish for one)."""
    with _opened() as (settings, store, host, account):
        keeper = Keeper(store, settings, host, account, dry_run=dry_run, force=now)
        outcomes = keeper.keep_all()
    if as_json:
        print_json([dataclasses.asdict(outcome) for outcome in outcomes])
    else:
        _print_outcomes(outcomes, dry_run=dry_run)
    if any(outcome.state == "wrong" for outcome in outcomes):
        raise click.exceptions.Exit(1)


@contextmanager
def _opened() -> Iterator[tuple[Settings, Store, Host, links.Link]]:
    settings = load_settings()
    account = links.load(settings.home)
    host = Host.of(account)
    try:
        with connected(settings) as ready, open_store(ready.database_url or "") as store:
            yield ready, store, host, account
    finally:
        host.close()


def _password(user: str) -> str:
    if given := os.environ.get("MESS_JELLYFIN_PASSWORD"):
        return given
    password: str = click.prompt(f"Password of {user}", hide_input=True, err=True, default="")
    return password


def _show_code(code: str) -> None:
    say(f"enter {code} in Jellyfin: user icon, Quick Connect")


def _print_report(report: Report) -> None:
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


def _print_outcomes(outcomes: list[Outcome], *, dry_run: bool) -> None:
    if not outcomes:
        say("no smart playlist: make one in Jellyfin called `MESS: like …`, or see playlists.toml")
        return
    rows = [
        (
            outcome.name,
            outcome.state,
            len(outcome.items),
            f"+{len(outcome.added)} -{len(outcome.dropped)}",
            outcome.reason,
        )
        for outcome in outcomes
    ]
    print_table(["playlist", "state", "#tracks", "#changes", "why"], rows)
    if dry_run:
        say("nothing was written")
