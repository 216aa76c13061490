"""`mess find`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.cli.shared_options import ASKED, GroupedCommand, grouped, k_option
from mess_plugin.cli.steering import filter_options
from mess_plugin.config import load_settings
from mess_plugin.documents import described_document, lyrics_document
from mess_plugin.errors import UsageError
from mess_plugin.model import Track
from mess_plugin.search import parsing
from mess_plugin.search.explain import timestamp
from mess_plugin.search.lyrics import LyricsFound, find_lyrics
from mess_plugin.search.query import Filters
from mess_plugin.services import connected
from mess_plugin.store import open_store
from mess_plugin.store.lyrics import END_MARK, MARK, LyricsHit

_EXAMPLES = """
mess find --lyrics "rain love"              both words
mess find --lyrics '"purple rain" OR snow'  one after the other, or another word
mess find --lyrics "rain -love" --tempo 60-90
mess find --text "rain on a tin roof, slow piano"
"""
_MOST_LINES = 4  # of one track


@click.command(cls=GroupedCommand, examples=_EXAMPLES)
@grouped(ASKED, "--lyrics", metavar="WORDS", help="What is sung.")
@grouped(ASKED, "--text", metavar="TEXT", help="What it sounds like; with clap-htsat in use.")
@k_option(10, "How many tracks.", group=ASKED)
@filter_options
@table_options
def find(lyrics: str | None, text: str | None, k: int, as_json: bool, **filters: Any) -> None:
    """Find tracks by words: by their lyrics, or by what they sound like."""
    wanted = parsing.query(filters).filters
    if (lyrics is None) == (text is None):
        raise UsageError(
            'say what is sung, --lyrics "rain love", or what it sounds like, --text "…"'
        )
    if lyrics is not None:
        _find_lyrics(lyrics, wanted, k, as_json)
    elif text is not None:
        _find_described(text, wanted, k, as_json)


def _find_described(text: str, wanted: Filters, k: int, as_json: bool) -> None:
    from mess_plugin.search.texts import find_described  # noqa: PLC0415  numpy and the encoder

    settings = load_settings()
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        found = find_described(store, settings, text, wanted, k=k)
    document = described_document(found)
    if as_json:
        print_json(document)
    elif found.matches:
        rows = [
            (one.track.id, one.track.describe(), f"{one.similarity:.3f}") for one in found.matches
        ]
        print_table(["#id", "track", "#similarity"], rows, records=document["tracks"])
    else:
        say("no track of this encoder passes the filters")
    if found.n_never:
        say(f"{found.n_never} left out: never suggested")


def _find_lyrics(words: str, wanted: Filters, k: int, as_json: bool) -> None:
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        found = find_lyrics(store, words, wanted, k=k)
    document = lyrics_document(found)
    if as_json:
        print_json(document)
    elif found.hits:
        rows = [row for hit in found.hits for row in _rows(hit, found.tracks[hit.track_id])]
        print_table(["#id", "track", "#at", "lyrics"], rows, records=_records(document))
    _say_how_many(found, words)


def _records(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record for each line that holds a word, with its track."""
    return [
        {**{name: value for name, value in track.items() if name != "lines"}, **line}
        for track in document["tracks"]
        for line in track["lines"]
    ]


def _rows(hit: LyricsHit, track: Track) -> Iterator[tuple[object, ...]]:
    """A row for each line that holds a word, the track beside the first."""
    head: tuple[object, object] = (track.id, track.describe())
    for start, line in hit.lines[:_MOST_LINES] or ((None, ""),):
        moment = "" if start is None else timestamp(start)
        yield (*head, moment, line.replace(MARK, "*").replace(END_MARK, "*"))
        head = ("", "")
    if (more := len(hit.lines) - _MOST_LINES) > 0:
        yield (*head, "", f"… and {more} more lines")


def _say_how_many(found: LyricsFound, words: str) -> None:
    if not found.n_with_lyrics:
        say(
            "no track has lyrics: they are read from tags and from .lrc and .txt files beside the "
            "music when it is indexed; for what was indexed before, run `mess index --force FOLDER`"
        )
    elif not found.hits:
        say(f"no lyrics match: {words} (tracks with lyrics: {found.n_with_lyrics})")
    elif (more := found.total - len(found.hits)) > 0:
        say(f"{more} more: -k {found.total}, or more words or filters")
