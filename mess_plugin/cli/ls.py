"""`mess ls`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.cli.play import play_option, play_tracks
from mess_plugin.cli.shared_options import (
    ANSWERS,
    ASKED,
    GroupedCommand,
    check_out,
    grouped,
    k_option,
    out_option,
)
from mess_plugin.cli.steering import filter_options
from mess_plugin.config import load_settings
from mess_plugin.documents import listing_document
from mess_plugin.facets import Measures
from mess_plugin.facets import key as keys
from mess_plugin.model import Track
from mess_plugin.playlists.formats import WRITERS, write_playlist
from mess_plugin.search import parsing
from mess_plugin.search.explain import timestamp
from mess_plugin.search.filters import describe, key_of, tempo_of
from mess_plugin.search.listing import list_tracks
from mess_plugin.services import connected
from mess_plugin.store import open_store

_EXAMPLES = """
mess ls                                    the whole library, page by page
mess ls nebula                             what has a word in its tags or file name
mess ls --tempo 90-110 --mood calm         by what was heard
mess ls --genre jazz --csv > jazz.csv      for a spreadsheet
"""


@click.command(cls=GroupedCommand, examples=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[WORDS]…")
@k_option(100, "How many tracks.", group=ASKED)
@grouped(ASKED, "--offset", default=0, metavar="N", help="Leave out the first N.")
@out_option("Write a playlist too: .m3u8, .xspf or .json.", group=ANSWERS)
@play_option
@filter_options
@table_options
def ls(
    words: tuple[str, ...],
    k: int,
    offset: int,
    out: Path | None,
    play: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """List the tracks that have all WORDS in tags or file name and pass all filters.

    They come by artist, album and number. Tempo and key are those of the tags, else as heard, and
    missing where MESS is not sure.
    """
    check_out(out, tuple(WRITERS), "playlist")
    wanted = parsing.query(filters).filters
    settings = load_settings()
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        text = " ".join(words)
        page = list_tracks(store, text, wanted, k=k, offset=offset)
        resembling = [] if page.total else store.library.find_resembling(text)
        meant = store.library.get(resembling)
    if out is not None:
        write_playlist(out, page.tracks)
        say(f"{len(page.tracks)} tracks written to {out}")
    document = listing_document(page)
    if as_json:
        print_json(document)
    elif page.tracks:
        rows = [_row(track, page.measures.get(track.id)) for track in page.tracks]
        print_table(["#id", "track", "#length", "#bpm", "key"], rows, records=document["tracks"])
    if page.n_after:
        say(f"{page.n_after} more: --offset {offset + len(page.tracks)}, or more words or filters")
    if not page.tracks:
        asked = ", ".join(filter(None, [text, describe(wanted)])) or "the library is empty"
        say(f"there are no more than {page.total} tracks" if page.total else f"no track: {asked}")
        for track_id in resembling:
            say(f"  did you mean {track_id}  {meant[track_id].describe()}?")
    elif play:
        play_tracks(settings, page.tracks)


def _row(track: Track, heard: Measures | None) -> tuple[object, ...]:
    bpm, key = tempo_of(track.tags, heard), key_of(track.tags, heard)
    length = timestamp(track.duration_s)
    return (
        track.id,
        track.describe(),
        length,
        f"{bpm:.0f}" if bpm else "",
        keys.name(*key) if key else "",
    )
