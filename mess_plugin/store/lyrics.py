"""Lyrics of files, and their full-text search."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from mess_plugin.folding import fold
from mess_plugin.store.paths import to_bytes, to_text
from mess_plugin.store.session import DbSession


class Lyrics(msgspec.Struct, frozen=True):
    """The lyrics of one file."""

    text: str
    """Lines with line feeds between them; "" where what could hold lyrics holds none."""
    starts_s: tuple[float, ...] = ()
    """When each line is sung, in seconds; () for lyrics without times."""
    language: str | None = None
    """ISO 639-1; None where it is not clear."""
    language_names: tuple[str, ...] = ()
    """What filters may call the language, folded."""
    stemmer: str = "simple"
    """The text search configuration of Postgres for the language."""
    beside: str = ""
    """Names, times and sizes of the files beside the music that could hold lyrics."""


class LyricsHit(msgspec.Struct, frozen=True):
    """A track whose lyrics match, and the lines that hold the words."""

    track_id: int
    rank: float
    """Postgres' `ts_rank_cd`, divided by 1 + the logarithm of the length."""
    language: str | None
    lines: tuple[tuple[float | None, str], ...]
    """(seconds or None, line with the words found between MARK and END_MARK)."""


MARK, END_MARK = "\x02", "\x03"
"""Around words that were found, in lines of a `LyricsHit`: lyrics hold no control characters."""


class LyricsStore:
    """The table of lyrics."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save(self, path: str, lyrics: Lyrics | None) -> None:
        """What a known file has; None for none. Nothing is noted about an unknown file."""
        if lyrics is None:
            self._session.execute("delete_lyrics", path=to_bytes(path))
            return
        fields = msgspec.structs.asdict(lyrics)
        starts, names = list(lyrics.starts_s), list(lyrics.language_names)
        self._session.execute(
            "save_lyrics",
            **{**fields, "path": to_bytes(path), "starts_s": starts, "language_names": names},
            folded=folded_lines(lyrics.text),
        )

    def stamps(self, paths: Sequence[str]) -> dict[str, str]:
        """Path → `Lyrics.beside`, "" where none is stored, of those files that hold a recording."""
        rows = self._session.rows("lyrics_stamps", paths=[to_bytes(path) for path in paths])
        return {to_text(path): stamp for path, stamp in rows}

    def of_tracks(self, track_ids: Sequence[int]) -> Mapping[int, Lyrics]:
        """The lyrics of tracks that have any: of several files' those with times, then the longest."""
        rows = self._session.rows("lyrics_of_tracks", track_ids=list(track_ids))
        return {
            track_id: Lyrics(text, tuple(starts), language, tuple(names))
            for track_id, text, starts, language, names in rows
        }

    def search(
        self, words: str, among: Sequence[int] | None, *, limit: int
    ) -> tuple[list[LyricsHit], int]:
        """Tracks whose lyrics match, the best first, and how many there are.

        words: as for `websearch_to_tsquery`. among: their ids; None for all tracks.
        """
        rows = self._session.rows(
            "search_lyrics",
            words=words,
            folded=fold(words),
            among=None if among is None else list(among),
            limit=limit,
            options=f'StartSel="{MARK}", StopSel="{END_MARK}", HighlightAll=true',
        )
        hits = [
            LyricsHit(track_id, rank, language, _marked(text, shown, starts, words))
            for track_id, rank, language, starts, text, shown, _ in rows
        ]
        return hits, rows[0][-1] if rows else 0

    def count(self) -> int:
        """How many tracks have lyrics."""
        return int(self._session.row("count_lyrics")[0])


def folded_lines(text: str) -> str:
    """Lines as they are compared."""
    return "\n".join(map(fold, text.split("\n")))


def _marked(
    text: str, shown: str, starts: Sequence[float], words: str
) -> tuple[tuple[float | None, str], ...]:
    """The lines that hold a word that was found.

    shown: the text with the words marked that Postgres finds without folding accents; others are
    marked here.
    """
    lines = shown.split("\n")
    wanted = set(_WORD.findall(fold(words)))
    if MARK not in shown:
        lines = [
            _WORD.sub(lambda one: _mark(one[0]) if fold(one[0]) in wanted else one[0], line)
            for line in text.split("\n")
        ]
    times: Sequence[float | None] = starts if len(starts) == len(lines) else [None] * len(lines)
    return tuple((time, line) for time, line in zip(times, lines, strict=True) if MARK in line)


def _mark(word: str) -> str:
    return f"{MARK}{word}{END_MARK}"


_WORD = re.compile(r"\w+")
