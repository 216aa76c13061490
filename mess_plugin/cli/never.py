"""`mess never add | list | remove`."""

from __future__ import annotations

from typing import Any

import click

from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.cli.steering import filter_options
from mess_plugin.config import load_settings
from mess_plugin.documents import never_document
from mess_plugin.errors import UsageError
from mess_plugin.search.filters import describe
from mess_plugin.search.never import add_rule, filters_of
from mess_plugin.services import connected
from mess_plugin.store import open_store


@click.group()
def never() -> None:
    """Keep a list of what is never suggested: audiobooks, interludes, Christmas songs."""


@never.command()
@click.option("--listener", metavar="NAME", help="For this listener only; else for all.")
@click.option(
    "--except-month", "months", type=int, multiple=True, metavar="1..12",
    help="The rule does not hold in this month; repeatable.",
)  # fmt: skip
@filter_options
def add(listener: str | None, months: tuple[int, ...], **words: Any) -> None:
    """Never suggest tracks that pass all these filters."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        rule, n_tracks = add_rule(store, words, listener=listener, except_months=months)
    say(f"rule {rule}: {n_tracks} tracks are never suggested by it")


@never.command(name="list")
@table_options
def list_rules(as_json: bool) -> None:
    """Show the rules."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        rules = store.never.all()
    if as_json:
        print_json([never_document(rule) for rule in rules])
        return
    rows = [
        (
            rule.id,
            rule.listener or "all",
            describe(filters_of(rule.words)),
            ", ".join(map(str, rule.except_months)),
        )
        for rule in rules
    ]
    print_table(["#rule", "listener", "never", "except in months"], rows)


@never.command()
@click.argument("rule", type=int)
def remove(rule: int) -> None:
    """Forget RULE, by its number."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        if not store.never.remove(rule):
            raise UsageError(f"there is no rule {rule}: see `mess never list`")
    say(f"rule {rule} is gone")
