"""`mess similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from mess_plugin.cli.output import encoder_option, json_option, print_json, print_table, say
from mess_plugin.cli.steering import steering_options
from mess_plugin.config import load_settings
from mess_plugin.documents import question_document
from mess_plugin.model import Level
from mess_plugin.playlists.formats import write_m3u
from mess_plugin.search import parsing
from mess_plugin.search.asking import Steered
from mess_plugin.search.engine import Answer
from mess_plugin.search.explain import clock, told
from mess_plugin.search.question import answer, depth, interval_of
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import settled
from mess_plugin.store import open_store


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF…")
@click.option("--k", default=10, show_default=True, metavar="N", help="How many answers.")
@click.option("--offset", default=0, metavar="N", help="Leave out the first N answers.")
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
    offset: int,
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
    query = parsing.query(words)
    settings = load_settings(encoder=encoder)
    with connected(settings) as home, open_store(home.database_url or "") as store:
        found = answer(
            store,
            settled(store, home),
            refs,
            query,
            k=depth(offset, k),
            scope=Level(scope) if scope else None,
            interval=interval_of(start_s, end_s),
            section=section,
        )
    found = replace(found, matches=found.matches[offset : offset + k])
    if m3u is not None:
        sections = [match.match_section for match in found.matches]
        asked = section is not None or interval_of(start_s, end_s) is not None
        tracks = [match.track for match in found.matches]
        write_m3u(m3u, tracks, sections=sections if asked else ())
        say(f"{len(found.matches)} tracks written to {m3u}")
    if as_json:
        print_json(question_document(found))
    elif found.matches:
        _print(found)
    elif offset:
        say(f"there are no more than {offset} answers")
    else:
        say(f"nothing to compare {_name(found)} with: the library holds no other such track")


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
            told(match.reasons, match.score),
        )
        for match in answer.matches
    ]
    say(f"similar to {_name(answer)}{asked}:")
    if isinstance(answer, Steered) and answer.taste is not None:
        say(f"the taste of {answer.taste.listener} is {answer.taste.state}")
    columns = ("#", "#score", "#same recording", "#id", "track", "where", "why")
    said = [place for place, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    print_table([columns[i] for i in said], [[row[i] for i in said] for row in rows])
