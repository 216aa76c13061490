"""Tracks: what is known of each recording, and how it is found by what a person types."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mess_plugin.folding import fold
from mess_plugin.model import Tags, Track
from mess_plugin.store.paths import containing, to_bytes, to_text
from mess_plugin.store.session import DbSession

_ID_DIGITS = 19
_AROUND_WORDS = "()[]-"


class Library:
    """Tracks."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save(self, identity: str, duration_s: float, damage: str | None) -> int:
        """The track of some audio, made if new. Returns its id."""
        row = self._session.rows(
            "save_track", identity=identity, duration_s=duration_s, damage=damage
        )[0]
        return int(row[0])

    def find_identity(self, identity: str) -> int | None:
        """The track of some audio, None if it is not known."""
        rows = self._session.rows("find_identity", identity=identity)
        return rows[0][0] if rows else None

    def get(self, track_ids: Sequence[int]) -> dict[int, Track]:
        """Tracks by id; the ones that do not exist (or lie nowhere) are left out."""
        return {
            row[0]: _track(row) for row in self._session.rows("get_tracks", ids=list(track_ids))
        }

    def find_path(self, path: str) -> tuple[int | None, str | None] | None:
        """(track id, reason of failure) of a known file, each None where there is none.

        None for a file that was never seen, or is not there now.
        """
        try:
            exact = to_bytes(path)
        except UnicodeEncodeError:
            return None  # no file system has such a name
        rows = self._session.rows("find_path", path=exact)
        return (rows[0][0], rows[0][2]) if rows else None

    def known(self, refs: Sequence[str]) -> dict[str, int]:
        """Paths and ids (`17` or `mess:17`) → tracks; what the library does not know is left out."""
        by_key: dict[bytes, list[str]] = {}
        ids = []
        for ref in refs:
            number = ref.removeprefix("mess:")
            is_id = number.isascii() and number.isdigit() and len(number) < _ID_DIGITS
            ids += [int(number)] if is_id else []
            with suppress(UnicodeEncodeError):  # no file system has such a name
                key = str(int(number)).encode() if is_id else to_bytes(os.path.abspath(ref))  # noqa: PTH100
                by_key.setdefault(key, []).append(ref)
        rows = self._session.rows("find_known_tracks", paths=list(by_key), ids=ids)
        return {ref: track_id for key, track_id in rows for ref in by_key.get(key, ())}

    def find_recording(self, musicbrainz_id: str) -> int | None:
        """The track whose files name a MusicBrainz recording, the first of several."""
        rows = self._session.rows("find_recording", musicbrainz_id=musicbrainz_id)
        return rows[0][0] if rows else None

    def find_words(self, text: str, limit: int = 8) -> tuple[list[int], int]:
        """Tracks whose tags or name contain all the words, and how many there are.

        Those whose title is the text come first, then the closest. Brackets and dashes, with which
        tables and people set album and artist apart, are no words.
        """
        rows = self._session.rows(
            "find_words", patterns=_patterns(text), words=fold(text), limit=limit
        )
        return [row[0] for row in rows], (rows[0][1] if rows else 0)

    def page(
        self, text: str, among: Sequence[int] | None, *, limit: int, offset: int
    ) -> tuple[list[Track], int]:
        """Tracks with all the words, by artist, album and number, and how many there are.

        text: "" for all. among: their ids; None for all tracks.
        """
        asked = {"patterns": _patterns(text), "ids": None if among is None else list(among)}
        rows = self._session.rows("list_tracks", **asked, limit=limit, offset=offset)
        if not rows and offset:  # behind the last one
            first = self._session.rows("list_tracks", **asked, limit=1, offset=0)
            return [], first[0][1] if first else 0
        tracks = self.get([row[0] for row in rows])
        return [tracks[row[0]] for row in rows if row[0] in tracks], rows[0][1] if rows else 0

    def titles(self) -> list[str]:
        """What tracks are called, each once: the title, else the name of the file; in one line each."""
        names = {
            title if title is not None else os.path.basename(to_text(path))  # noqa: PTH119
            for title, path in self._session.rows("list_titles")
        }
        return sorted(" ".join(name.split()) for name in names if name.isprintable())

    def of_groups(self, *, albums: Sequence[str] = (), artists: Sequence[str] = ()) -> list[int]:
        """Tracks of some albums or some artists, whose names are folded; album artists count too."""
        rows = self._session.rows("tracks_of_groups", albums=list(albums), artists=list(artists))
        return [row[0] for row in rows]

    def suggest_names(
        self, text: str, *, limit: int, most_tracks: int
    ) -> list[tuple[str, str, str | None, list[int], int]]:
        """Artists and albums of tracks whose words contain all the words, the largest first.

        Each as ("artist" or "album", name, artist of an album, up to most_tracks ids, how many).
        """
        patterns = [containing(word) for word in fold(text).split()]
        rows = self._session.rows(
            "suggest_names", patterns=patterns, limit=limit, most_tracks=most_tracks
        )
        return [tuple(row) for row in rows]

    def find_resembling(self, text: str, limit: int = 5) -> list[int]:
        """Tracks whose words look like the text, most alike first."""
        return [
            row[0] for row in self._session.rows("find_resembling", words=fold(text), limit=limit)
        ]

    def folders(self) -> list[str]:
        """The folders that hold indexed files; "" is the root of the file system."""
        return [to_text(row[0]) for row in self._session.rows("list_folders")]

    def newest(self) -> int:
        """The highest track id, 0 in an empty library."""
        return int(self._session.row("newest_track")[0])

    def mark(self) -> tuple[object, ...]:
        """A value that is another one when recordings, their files or tags have changed."""
        return tuple(self._session.row("mark_library"))

    def after(self, track_id: int, limit: int) -> list[int]:
        """Ids of the tracks that came after one, at most `limit`, in order."""
        return [row[0] for row in self._session.rows("tracks_after", after=track_id, limit=limit)]

    def count(self) -> tuple[int, int, float]:
        """Tracks, locations of tracks, and hours of music."""
        n_tracks, n_files, seconds = self._session.rows("count_library")[0]
        return n_tracks, n_files, seconds / 3600.0


def _patterns(text: str) -> list[str]:
    """What the words of a text look like in those of a track."""
    words = fold(text).split()
    bare = [stripped for word in words if (stripped := word.strip(_AROUND_WORDS))]
    return [containing(word) for word in bare or words]


def _track(row: tuple[Any, ...]) -> Track:
    track_id, duration_s, *tags, paths, damage = row
    return Track(track_id, duration_s, Tags(*tags), tuple(to_text(path) for path in paths), damage)
