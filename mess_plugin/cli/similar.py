"""`mess similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mess_plugin.cli.output import encoder_option, json_option, print_json, print_table, say
from mess_plugin.cli.steering import query_of, steering_options
from mess_plugin.config import load_settings
from mess_plugin.documents import answer_document, steered_document
from mess_plugin.errors import UsageError
from mess_plugin.explain import clock
from mess_plugin.model import Interval, Level
from mess_plugin.playlist import write_m3u
from mess_plugin.search import Answer
from mess_plugin.search import similar as find_similar
from mess_plugin.services import connected
from mess_plugin.steering.asking import Steered, steer
from mess_plugin.store import open_store
from mess_plugin.switching import settled


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF…")
@click.option("--k", default=10, show_default=True, metavar="N", help="How many answers.")
@click.option(
    "--start", "start_s", type=float, metavar="SECONDS", help="Ask about a section: from."
)
@click.option("--end", "end_s", type=float, metavar="SECONDS", help="Ask about a section: to.")
@click.option("--section", metavar="LABEL", help="Ask about a section: by its letter.")
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
@steering_options
@encoder_option
@json_option
def similar(
    refs: tuple[str, ...],
    k: int,
    start_s: float | None,
    end_s: float | None,
    section: str | None,
    scope: str | None,
    m3u: Path | None,
    encoder: str | None,
    as_json: bool,
    **words: Any,
) -> None:
    """Find what sounds like REF: a path, a track id, or words that name one track.

    A file that is not in the library is heard on the fly and not stored. With --start or --end, or
    with --section (see `mess sections REF`), the question is about that section, and the answers are
    sections. An excerpt as a file is looked up with --start 0. Several REFs ask together.
    """
    query = query_of(words)
    sections_asked = scope == Level.SECTION.value or {start_s, end_s, section} != {None}
    if sections_asked and (query.steers or len(refs) > 1):
        raise UsageError("sections are asked about with one REF and without steering options")
    settings = load_settings(encoder=encoder)
    interval = None
    if start_s is not None or end_s is not None:
        interval = Interval(start_s or 0.0, end_s if end_s is not None else float("inf"))
    if scope == Level.SONG.value and (interval is not None or section is not None):
        raise UsageError("--scope song and a section exclude each other: leave one out")
    with connected(settings) as home, open_store(home.database_url or "") as store:
        ready = settled(store, home)
        answer: Answer | Steered
        if query.steers or len(refs) > 1:
            answer = steer(store, ready, refs, query, k=k)
        else:
            answer = find_similar(
                store,
                ready,
                refs[0],
                k=k,
                scope=Level(scope or Level.SONG),
                interval=interval,
                section=section,
            )
    if m3u is not None:
        write_m3u(m3u, [match.track for match in answer.matches])
        say(f"{len(answer.matches)} tracks written to {m3u}")
    if as_json:
        print_json(
            answer_document(answer) if isinstance(answer, Answer) else steered_document(answer)
        )
    elif answer.matches:
        _print(answer)
    else:
        say(f"nothing to compare {_name(answer)} with: the library holds no other such track")


def _name(answer: Answer | Steered) -> str:
    if isinstance(answer, Answer):
        return answer.seed.name
    return ", ".join(one.seed.name for one in answer.seeds)


def _print(answer: Answer | Steered) -> None:
    interval = answer.interval if isinstance(answer, Answer) else None
    asked = f", {clock(interval)}" if interval else ""
    rows = [
        (
            match.rank,
            f"{match.score:.2f}",
            "" if match.confidence is None else f"{match.confidence:.0%}",
            match.track.id,
            match.track.describe(),
            clock(match.match_section) if match.match_section else "",
            "; ".join(reason.text for reason in match.reasons),
        )
        for match in answer.matches
    ]
    say(f"similar to {_name(answer)}{asked}:")
    if isinstance(answer, Steered) and answer.taste is not None:
        say(f"the taste of {answer.taste.listener} is {answer.taste.state}")
    print_table(["#", "#score", "#sure", "#id", "track", "where", "why"], rows)
