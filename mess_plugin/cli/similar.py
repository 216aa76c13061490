"""`mess similar`."""

from __future__ import annotations

from pathlib import Path

import click

from mess_plugin.cli.output import encoder_option, json_option, print_json, print_table, say
from mess_plugin.config import load_settings
from mess_plugin.documents import answer_document
from mess_plugin.errors import UsageError
from mess_plugin.explain import clock
from mess_plugin.model import Interval, Level
from mess_plugin.playlist import write_m3u
from mess_plugin.search import Answer
from mess_plugin.search import similar as find_similar
from mess_plugin.services import connected
from mess_plugin.store import open_store
from mess_plugin.switching import settled


@click.command()
@click.argument("ref")
@click.option("--k", default=10, show_default=True, metavar="N", help="How many answers.")
@click.option(
    "--start", "start_s", type=float, metavar="SECONDS", help="Ask about a section: from."
)
@click.option("--end", "end_s", type=float, metavar="SECONDS", help="Ask about a section: to.")
@click.option(
    "--scope",
    type=click.Choice([Level.SONG.value, Level.SECTION.value]),
    help="Compare whole songs (default) or find the most alike sections.",
)
@click.option(
    "--m3u",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a playlist too.",
)
@encoder_option
@json_option
def similar(
    ref: str,
    k: int,
    start_s: float | None,
    end_s: float | None,
    scope: str | None,
    m3u: Path | None,
    encoder: str | None,
    as_json: bool,
) -> None:
    """Find what sounds like REF: a path, a track id, or words that name one track.

    A file that is not in the library is heard on the fly and not stored. With --start or --end the
    question is about that section, and the answers are sections.
    """
    settings = load_settings(encoder=encoder)
    interval = None
    if start_s is not None or end_s is not None:
        interval = Interval(start_s or 0.0, end_s if end_s is not None else float("inf"))
        if scope == Level.SONG.value:
            raise UsageError("--scope song and --start/--end exclude each other: leave one out")
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        answer = find_similar(
            store,
            settled(store, ready),
            ref,
            k=k,
            scope=Level(scope or Level.SONG),
            interval=interval,
        )
    if m3u is not None:
        write_m3u(m3u, [match.track for match in answer.matches])
        say(f"{len(answer.matches)} tracks written to {m3u}")
    if as_json:
        print_json(answer_document(answer))
    elif answer.matches:
        _print(answer)
    else:
        say(f"nothing to compare {answer.seed.name} with: the library holds no other track")


def _print(answer: Answer) -> None:
    asked = f", {clock(answer.interval)}" if answer.interval else ""
    rows = [
        (
            match.rank,
            f"{match.score:.2f}",
            match.track.id,
            match.track.describe(),
            clock(match.match_section) if match.match_section else "",
            "; ".join(reason.text for reason in match.reasons),
        )
        for match in answer.matches
    ]
    say(f"similar to {answer.seed.name}{asked}:")
    print_table(["#", "#score", "#id", "track", "where", "why"], rows)
