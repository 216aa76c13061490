"""`mess like`, `mess dislike`, `mess skip`, and `mess taste` with its commands."""

from __future__ import annotations

from collections.abc import Mapping

import click

from mess_plugin.cli.output import encoder_option, print_json, print_table, say, table_options
from mess_plugin.cli.shared_options import complete_ref
from mess_plugin.config import load_settings
from mess_plugin.documents import evidence_document, taste_document
from mess_plugin.model import Track
from mess_plugin.search import listeners as accounts_of
from mess_plugin.search.engine import answering_space
from mess_plugin.search.feedback import evidence_of
from mess_plugin.search.listeners import accounts_document
from mess_plugin.search.query import check_listener
from mess_plugin.search.references import find_pair
from mess_plugin.search.taste import taste_of
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.store import open_store

_listener = click.option(
    "--listener", default="me", show_default=True, metavar="NAME", help="Who says so."
)


def _verdict(word: str, summary: str) -> click.Command:
    @click.command(name=word, help=summary)
    @click.argument("ref", shell_complete=complete_ref)
    @click.option(
        "--for",
        "seed",
        required=True,
        metavar="REF",
        help="The track it answers to.",
        shell_complete=complete_ref,
    )
    @_listener
    def command(ref: str, seed: str, listener: str) -> None:
        check_listener(listener)
        with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
            track_id, seed_id = find_pair(store, ref, seed)
            store.verdicts.save(listener, seed_id, track_id, word)
        say(f"noted for {listener}")

    return command


like = _verdict("like", "Note that REF is a good answer to another track.")
dislike = _verdict("dislike", "Note that REF is no good answer to another track.")
skip = _verdict("skip", "Note that REF was skipped as an answer to another track.")


@click.group()
def taste() -> None:
    """Show, reset or export what a listener's verdicts say."""


@taste.command()
@_listener
@encoder_option
@table_options
def show(listener: str, encoder: str | None, as_json: bool) -> None:
    """Show what counts for a listener, and whether that is used."""
    settings = load_settings(encoder=encoder)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        fitted = taste_of(store, answering_space(store, ready), listener)
        leaning = fitted.leaning
        ends = store.library.get([leaning.toward_id, leaning.away_id]) if leaning else {}
    if as_json:
        print_json(taste_document(fitted))
        return
    sources = ", ".join(f"{n} of {source}" for source, n in sorted(fitted.sources.items()))
    say(f"{listener}: {sources or 'nothing said or done'}; {fitted.state}")
    rows = sorted(fitted.weights.items(), key=lambda item: -item[1])
    print_table(["aspect", "#weight"], [(name, f"{weight:.2f}") for name, weight in rows])
    if leaning:
        toward, away = (_name(ends, i) for i in (leaning.toward_id, leaning.away_id))
        say(
            f"{leaning.share:.0%} of a score is a leaning in timbre, whatever is asked for: "
            f"toward what sounds like {toward}, away from {away}"
        )


def _name(tracks: Mapping[int, Track], track_id: int) -> str:
    return tracks[track_id].describe() if track_id in tracks else f"track {track_id}"


@taste.command()
@_listener
def reset(listener: str) -> None:
    """Forget all that a listener said; what players reported so far counts no more."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        forgotten = store.verdicts.forget(listener)
    say(f"{forgotten} verdicts of {listener} forgotten")


@taste.command()
@_listener
@encoder_option
def export(listener: str, encoder: str | None) -> None:
    """Write all that a listener said and did, and the taste learned from it, as JSON."""
    settings = load_settings(encoder=encoder)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        found = evidence_of(store, listener)
        ids = {i for one in found for i in (one.seed_id, one.track_id) if i is not None}
        tracks = store.library.get(sorted(ids))
        space = store.spaces.searchable(active_recipe(store, ready))
        learned = taste_document(taste_of(store, space, listener)) if space else None
    print_json({"taste": learned, "evidence": evidence_document(found, tracks)})


@taste.command()
@table_options
def accounts(as_json: bool) -> None:
    """List the players' accounts that did something, and whose they are."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        found = store.verdicts.accounts()
    if as_json:
        print_json(accounts_document(found))
    elif found:
        rows = [(one.source, one.account, one.n_acts, one.listener or "nobody") for one in found]
        print_table(["player", "account", "#acts", "listener"], rows)
    else:
        say("no player reported anything yet: see docs/jellyfin.md, Webhooks")


@taste.command()
@click.argument("account")
@_listener
def join(account: str, listener: str) -> None:
    """Let what ACCOUNT does and did in a player count for a listener."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        accounts_of.join(store, listener, account)
    say(f"what {account} does counts for {listener}")


@taste.command()
@click.argument("account")
def leave(account: str) -> None:
    """Let what ACCOUNT does count for nobody; an account named like a listener counts for that one."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        accounts_of.leave(store, account)
    say(f"{account} is nobody's any more")
