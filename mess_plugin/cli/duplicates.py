"""`mess duplicates find | list | confirm | reject | unlink`."""

from __future__ import annotations

import click

from mess_plugin.cli.output import (
    encoder_option,
    json_option,
    print_json,
    print_table,
    say,
    table_options,
)
from mess_plugin.cli.shared_options import complete_ref
from mess_plugin.config import load_settings
from mess_plugin.duplicates.finding import find as look
from mess_plugin.errors import UsageError
from mess_plugin.model import Track
from mess_plugin.search.engine import answering_space
from mess_plugin.search.references import find_pair
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.store import open_store
from mess_plugin.store.duplicates import KINDS, DuplicateLink


@click.group()
def duplicates() -> None:
    """Link recordings that are the same music; nothing is ever deleted or merged."""


@duplicates.command()
@click.option("--again", is_flag=True, help="Let every track look, not only the new ones.")
@encoder_option
@json_option
def find(again: bool, encoder: str | None, as_json: bool) -> None:
    """Look for duplicates by ear among the tracks that have not looked yet. Ctrl-C stops."""
    with (
        connected(load_settings(encoder=encoder)) as home,
        open_store(home.database_url or "") as store,
    ):
        ready = resolve_settings(store, home)
        space = answering_space(store, ready)
        n_looked, found = 0, set()
        for _track_id, links in look(store, ready, space, again=again):
            n_looked += 1
            found |= {(link.one_id, link.other_id) for link in links}
        n_links = sum(link.state != "rejected" for link in store.duplicates.all())
    if as_json:
        print_json({"looked": n_looked, "found": sorted(found), "links": n_links})
        return
    say(f"{n_looked} tracks looked, {len(found)} pairs found; {n_links} pairs are linked")
    if n_links:
        say("to see them: mess duplicates list; they are left out of answers (--duplicates show)")


@duplicates.command(name="list")
@click.option("--kind", type=click.Choice(KINDS), help="Only these.")
@click.option("--rejected", is_flag=True, help="Those that somebody rejected instead.")
@table_options
def list_links(kind: str | None, rejected: bool, as_json: bool) -> None:
    """List the links, with what was heard."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        links = [
            link
            for link in store.duplicates.all()
            if (link.state == "rejected") == rejected and kind in (None, link.kind)
        ]
        tracks = store.library.get(sorted({i for one in links for i in (one.one_id, one.other_id)}))
    if as_json:
        print_json([_document(link, tracks) for link in links])
    elif links:
        print_table(
            ["#id", "track", "#id", "track", "kind", "state", "heard"],
            [_row(link, tracks) for link in links],
        )
    else:
        say("no such links; `mess duplicates find` looks for them")


def _judging(word: str, state: str, summary: str) -> click.Command:
    @click.command(name=word, help=summary)
    @click.argument("ref", shell_complete=complete_ref)
    @click.argument("other", shell_complete=complete_ref)
    @click.option("--kind", type=click.Choice(KINDS), help="What they are to each other.")
    def command(ref: str, other: str, kind: str | None) -> None:
        with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
            one_id, other_id = find_pair(store, ref, other)
            store.duplicates.judge(one_id, other_id, state, kind)
        say(f"{state}: {one_id} and {other_id}")

    return command


duplicates.add_command(
    _judging("confirm", "confirmed", "Say that REF and OTHER are the same music, found or not.")
)
duplicates.add_command(
    _judging("reject", "rejected", "Say that REF and OTHER are not the same music, for good.")
)


@duplicates.command()
@click.argument("ref", shell_complete=complete_ref)
@click.argument("other", shell_complete=complete_ref)
def unlink(ref: str, other: str) -> None:
    """Forget what is known of REF and OTHER, whoever said it; `find --again` may find it anew."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        one_id, other_id = find_pair(store, ref, other)
        if not store.duplicates.unlink(one_id, other_id):
            raise UsageError(f"{ref!r} and {other!r} are not linked")
    say(f"forgotten: {one_id} and {other_id}")


def _document(link: DuplicateLink, tracks: dict[int, Track]) -> dict[str, object]:
    heard = link.evidence
    return {
        "tracks": [
            {"id": i, "path": tracks[i].path if i in tracks else None}
            for i in (link.one_id, link.other_id)
        ],
        "kind": link.kind,
        "state": link.state,
        "heard": None
        if heard is None
        else {name: _rounded(getattr(heard, name)) for name in heard.__struct_fields__},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _row(link: DuplicateLink, tracks: dict[int, Track]) -> tuple[object, ...]:
    names = [
        tracks[i].describe() if i in tracks else "not there now"
        for i in (link.one_id, link.other_id)
    ]
    heard = link.evidence
    facts = "" if heard is None else (
        f"windows {heard.likeness:.2f}, harmony {heard.harmony:.2f}, "
        f"speed × {heard.speed:.2f}, {heard.semitones:+d} semitones, covers {heard.coverage:.0%}"
    )  # fmt: skip
    if heard is not None and heard.range_lu is not None:
        facts += f", loudness ranges {heard.range_lu:.1f} LU apart"
    return link.one_id, names[0], link.other_id, names[1], link.kind, link.state, facts
