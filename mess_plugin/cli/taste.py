"""`mess like`, `mess dislike`, `mess skip`, `mess taste show | reset | export`."""

from __future__ import annotations

import click

from mess_plugin.cli.output import encoder_option, json_option, print_json, print_table, say
from mess_plugin.config import load_settings
from mess_plugin.documents import taste_document, verdicts_document
from mess_plugin.errors import UsageError
from mess_plugin.reference import find_track
from mess_plugin.services import connected
from mess_plugin.steering.asking import answering_space
from mess_plugin.steering.query import check_listener
from mess_plugin.steering.taste import taste_of
from mess_plugin.store import open_store
from mess_plugin.switching import settled

_listener = click.option(
    "--listener", default="me", show_default=True, metavar="NAME", help="Who says so."
)


def _verdict(word: str, summary: str) -> click.Command:
    @click.command(name=word, help=summary)
    @click.argument("ref")
    @click.option("--for", "seed", required=True, metavar="REF", help="The track it answers to.")
    @_listener
    def command(ref: str, seed: str, listener: str) -> None:
        check_listener(listener)
        with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
            track_id, seed_id = find_track(store, ref), find_track(store, seed)
            if track_id == seed_id:
                raise UsageError(f"{ref!r} and {seed!r} are the same track")
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
@json_option
def show(listener: str, encoder: str | None, as_json: bool) -> None:
    """Show which aspects count for a listener, and whether that is used."""
    settings = load_settings(encoder=encoder)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        fitted = taste_of(store, answering_space(store, settled(store, ready)), listener)
    if as_json:
        print_json(taste_document(fitted))
        return
    say(f"{listener}: {fitted.n_verdicts} verdicts; {fitted.state}")
    rows = sorted(fitted.weights.items(), key=lambda item: -item[1])
    print_table(["aspect", "#weight"], [(name, f"{weight:.2f}") for name, weight in rows])


@taste.command()
@_listener
def reset(listener: str) -> None:
    """Forget all that a listener said."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        forgotten = store.verdicts.forget(listener)
    say(f"{forgotten} verdicts of {listener} forgotten")


@taste.command()
@_listener
def export(listener: str) -> None:
    """Write all that a listener said as JSON to standard output."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        said = store.verdicts.of(listener)
        ids = {i for one in said for i in (one.seed_id, one.track_id)}
        tracks = store.library.get(sorted(ids))
    print_json(verdicts_document(said, tracks))
