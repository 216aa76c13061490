"""`mess similar`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import click

from mess_plugin.cli.groups import answer_with_groups
from mess_plugin.cli.output import encoder_option, print_json, print_table, say, table_options
from mess_plugin.cli.play import play_option, play_tracks
from mess_plugin.cli.shared_options import (
    ANSWERS,
    ASKED,
    GroupedCommand,
    check_out,
    complete_ref,
    grouped,
    k_option,
    out_option,
    time,
)
from mess_plugin.cli.steering import steering_options
from mess_plugin.config import Settings, load_settings
from mess_plugin.documents import search_document
from mess_plugin.errors import UsageError
from mess_plugin.library.pathmap import PathMap
from mess_plugin.model import Interval, Level, Match
from mess_plugin.playlists.formats import WRITERS, write_playlist
from mess_plugin.search import SearchResult, parsing, search
from mess_plugin.search.explain import clock, in_words, percent, timestamp, told
from mess_plugin.search.groups import By
from mess_plugin.search.references import interval_of
from mess_plugin.services import connected
from mess_plugin.store import open_store

_EXAMPLES = """
mess similar nebula                              ten tracks like one
mess similar nebula -k 30 -o like.m3u8           thirty, as a playlist
mess similar nebula --only rhythm --tempo same   by the rhythm alone
mess similar farewell --start 0:34 --end 0:50    passages like this one
mess similar bounce.wav                          a file outside the library
mess similar "kenta cho" --by artist             artists like one
"""
_LIKELY = 0.5  # of a confidence that is worth a column


@click.command(cls=GroupedCommand, examples=_EXAMPLES)
@click.argument("refs", nargs=-1, required=True, metavar="REF…", shell_complete=complete_ref)
@k_option(10, "How many answers.", group=ASKED)
@grouped(ASKED, "--offset", default=0, metavar="N", help="Leave out the first N answers.")
@grouped(ASKED, "--start", "start_s", type=time, metavar="TIME", help="Ask about a section: from.")
@grouped(ASKED, "--end", "end_s", type=time, metavar="TIME", help="Ask about a section: to.")
@grouped(ASKED, "--section", metavar="LABEL", help="Ask about a section: by its letter.")
@grouped(
    ASKED,
    "--scope",
    type=click.Choice([Level.SONG.value, Level.SECTION.value]),
    help="Compare whole songs (default) or find the most alike sections.",
)
@grouped(
    ASKED,
    "--by",
    type=click.Choice(["track", *get_args(By)]),
    default="track",
    show_default=True,
    help="Find tracks, albums or artists; REF names one, or a track of it.",
)
@out_option("Write a playlist too: .m3u8, .xspf or .json.", old=("--m3u",), group=ANSWERS)
@grouped(
    ANSWERS,
    "--excerpts",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write the matched stretches there as WAV files.",
)
@play_option
@grouped(ANSWERS, "--why", is_flag=True, help="Show the numbers that a score is the sum of.")
@steering_options
@encoder_option
@table_options
def similar(
    refs: tuple[str, ...],
    k: int,
    offset: int,
    start_s: float | None,
    end_s: float | None,
    section: str | None,
    scope: str | None,
    by: Literal["track"] | By,
    out: Path | None,
    excerpts: Path | None,
    play: bool,
    why: bool,
    encoder: str | None,
    as_json: bool,
    **words: Any,
) -> None:
    """Find what sounds like REF: a path, a track id, or words that name one track.

    A file that is not in the library is heard on the fly and not stored. With --start or --end, or
    with --section (see `mess sections REF`), the question is about that section, and the answers are
    sections; so they are for a file outside the library that is shorter than a minute, unless --scope
    song says otherwise. Several REFs ask together.
    """
    query = parsing.query(words)
    check_out(out, tuple(WRITERS), "playlist")
    settings = load_settings(encoder=encoder)
    if by != "track":
        if start_s is not None or end_s is not None or section or scope or excerpts or why:
            raise UsageError(
                f"--by {by} asks about all of it: leave out sections, --excerpts and --why"
            )
        answer_with_groups(
            settings, refs, query, by, k=k, offset=offset, out=out, play=play, as_json=as_json
        )
        return
    with connected(settings) as home, open_store(home.database_url or "") as store:
        found = search(
            store,
            home,
            refs,
            query,
            k=k,
            offset=offset,
            scope=Level(scope) if scope else None,
            interval=interval_of(start_s, end_s),
            section=section,
        )
    are_stretches = found.interval is not None or scope == Level.SECTION.value
    if out is not None:
        tracks = [match.track for match in found.matches]
        sections = [match.match_section for match in found.matches] if are_stretches else ()
        write_playlist(out, tracks, sections=sections)
        say(f"{len(found.matches)} tracks written to {out}")
    if excerpts is not None:
        _write_excerpts(found, excerpts, PathMap.parse(settings.path_map))
    if as_json:
        print_json(search_document(found))
    elif found.matches:
        _print(found, why)
    elif offset:
        say(f"there are no more than {offset} answers")
    else:
        say(f"nothing to compare {found.name} with: the library holds no other such track")
    if play and found.matches:
        _play(settings, found, only_stretches=are_stretches)


def _play(settings: Settings, found: SearchResult, *, only_stretches: bool) -> None:
    """From where each match is most like what was asked about; to the end where songs answer."""
    stretches = [
        match.match_section
        if only_stretches or match.match_section is None
        else Interval(match.match_section.start_s, float("inf"))
        for match in found.matches
    ]
    play_tracks(settings, [match.track for match in found.matches], stretches)


def _write_excerpts(found: SearchResult, folder: Path, here: PathMap) -> None:
    from mess_plugin.search.excerpts import write_excerpts  # noqa: PLC0415  loads FFmpeg

    written, problems = write_excerpts(found.matches, folder, here)
    for problem in problems:
        say(problem)
    say(f"{len(written)} excerpts written to {folder}")


def _print(found: SearchResult, why: bool) -> None:
    asked = f", {clock(found.interval)}" if found.interval else ""
    say(f"similar to {found.name}{asked}:")
    if found.n_never:
        say(f"left out: {found.n_never} tracks that are never suggested (`mess never list`)")
    if found.taste is not None:
        say(f"the taste of {found.taste.listener} is {found.taste.state}")
    is_known = any((match.confidence or 0) >= _LIKELY for match in found.matches)
    columns: dict[str, Sequence[object]] = {
        "#": [match.rank for match in found.matches],
        "#score": [f"{match.score:.2f}" for match in found.matches] if why else [],
        "#likeness": [
            "" if match.likeness is None else percent(match.likeness) for match in found.matches
        ],
        "#same recording": [
            "" if match.confidence is None else f"{match.confidence:.0%}" for match in found.matches
        ]
        if is_known
        else [],
        "#id": [match.track.id for match in found.matches] if why else [],
        "track": [match.track.describe() for match in found.matches],
        "where": [_where(match, found.interval is not None) for match in found.matches],
        "why": [
            told(match.reasons, match.score) if why else in_words(match.reasons)
            for match in found.matches
        ],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    print_table(
        list(shown),
        list(zip(*shown.values(), strict=True)),
        records=search_document(found)["matches"],
    )


def _where(match: Match, is_stretch: bool) -> str:
    """The stretch that answers; of songs where both are most alike, in the question and the answer."""
    own, other = match.query_section, match.match_section
    if other is None:
        return ""
    if is_stretch or own is None:
        return clock(other)
    return f"{timestamp(own.start_s)} ↔ {timestamp(other.start_s)}"
