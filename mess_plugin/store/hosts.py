"""Media servers: their items, how far their lists were read, and playlists that are kept there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec

from mess_plugin.store.paths import to_text
from mess_plugin.store.session import DbSession

_AT_ONCE = 10_000


def normalise_id(text: str) -> str:
    """An id of Jellyfin without dashes and in lower case; it is written with and without them."""
    return text.replace("-", "").lower()


class HostItem(msgspec.Struct, frozen=True):
    """An audio item as a server lists it. recordings: MusicBrainz ids that may be the recording's."""

    id: str
    name: str
    path: str | None
    duration_s: float | None
    recordings: tuple[str, ...] = ()


class Identified(msgspec.Struct, frozen=True):
    """What an item is: a track, found in one of a few ways; or none, and why (a stable word first)."""

    item: HostItem
    track_id: int | None = None
    matched_by: str | None = None
    unmatched: str | None = None


class KnownFile(msgspec.Struct, frozen=True):
    """A file of the library: its track, unless it has none yet or failed."""

    path: str
    track_id: int | None
    duration_s: float | None
    recording: str | None
    failure: str | None


class Reading(msgspec.Struct, frozen=True):
    """A walk through a server's lists. next_start: how many items of the listener's list were read."""

    number: int
    next_start: int
    listener: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A playlist that is kept: what it held after the last write, and a write not seen to end."""

    playlist: str
    name: str
    written: tuple[str, ...]
    intended: tuple[str, ...] | None
    refreshed_at: datetime | None


class PlaylistEdit(msgspec.Struct, frozen=True):
    """A change by hand: `edit` is "pinned" or "removed"."""

    item: str
    track_id: int | None
    edit: str


class Hint(msgspec.Struct, frozen=True):
    """An event that a server sent."""

    id: int
    kind: str
    body: Mapping[str, Any]
    received_at: datetime


class Hosts:
    """What MESS knows of media servers; `host` is the server's own id."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    @contextmanager
    def alone(self, host: str) -> Iterator[None]:
        """Wait until no other program is changing what a server has; others wait until the end."""
        self._session.rows("lock_host", host=host)
        try:
            yield
        finally:
            if not self._session.connection.broken:
                self._session.rows("unlock_host", host=host)

    def begin(self, host: str, *, fresh: bool, resume_s: float) -> Reading:
        """Go on with a reading that began at most resume_s ago, unless fresh; else a new one."""
        return Reading(
            *self._session.row("begin_reading", host=host, fresh=fresh, resume_s=resume_s)
        )

    def save(self, host: str, number: int, items: Sequence[HostItem]) -> None:
        """Note items as listed; known ones stay matched as they are."""
        self._session.execute(
            "save_items",
            host=host,
            number=number,
            items=[item.id for item in items],
            names=[_clean(item.name) for item in items],
            paths=[None if item.path is None else _clean(item.path) for item in items],
            durations=[item.duration_s for item in items],
            recordings=[" ".join(item.recordings) for item in items],
        )

    def advance(self, host: str, reading: Reading) -> None:
        """The reading came so far."""
        self._session.execute(
            "continue_reading",
            host=host,
            number=reading.number,
            next_start=reading.next_start,
            listener=reading.listener,
        )

    def finish(self, host: str, number: int) -> None:
        """The reading came to its end."""
        self._session.execute("finish_reading", host=host, number=number)

    def unseen(self, host: str, number: int) -> list[str]:
        """Items that the reading did not meet."""
        return [row[0] for row in self._session.rows("unseen_items", host=host, number=number)]

    def delete(self, host: str, items: Sequence[str]) -> None:
        """Forget items."""
        self._session.execute("delete_items", host=host, items=list(items))

    def last_reading(self, host: str) -> tuple[datetime | None, int, int]:
        """(when the list was last read to its end, the last event looked at, number of reading)."""
        rows = self._session.rows("get_reading", host=host)
        return tuple(rows[0]) if rows else (None, 0, 0)

    def items(self, host: str) -> list[Identified]:
        """All items of a server."""
        return [
            Identified(HostItem(item, name, path, duration_s, tuple(recordings)), *found)
            for item, name, path, duration_s, recordings, *found in self._session.rows(
                "list_items", host=host
            )
        ]

    def match(self, host: str, found: Sequence[Identified]) -> None:
        """Note what items are."""
        for start in range(0, len(found), _AT_ONCE):
            group = found[start : start + _AT_ONCE]
            self._session.execute(
                "match_items",
                host=host,
                items=[one.item.id for one in group],
                tracks=[one.track_id for one in group],
                matched=[one.matched_by for one in group],
                unmatched=[one.unmatched for one in group],
            )

    def known_files(self) -> list[KnownFile]:
        """Every file of the library that is there."""
        return [
            KnownFile(to_text(row[0]), *row[1:]) for row in self._session.rows("list_known_files")
        ]

    def items_of(self, host: str, tracks: Iterable[int]) -> dict[int, list[str]]:
        """Items by track, the one at the library's own path first."""
        found: dict[int, list[str]] = {}
        for track_id, item in self._session.rows("items_of_tracks", host=host, tracks=list(tracks)):
            found.setdefault(track_id, []).append(item)
        return found

    def tracks_of(self, host: str, items: Iterable[str]) -> dict[str, int]:
        """Tracks by item, where they are known."""
        return dict(self._session.rows("tracks_of_items", host=host, items=list(items)))

    def find_item(self, item: str) -> tuple[int | None, str | None] | None:
        """(track, why it is none) of an item, whichever server has it; None where none has it."""
        rows = self._session.rows("find_item", item=item.replace("\0", ""))
        return (rows[0][0], rows[0][1]) if rows else None

    def attribute_feedback(self, source: str, host: str) -> None:
        """Let feedback on items count for the tracks that they are."""
        self._session.execute("attribute_feedback", source=source, host=host)

    def hints(self, source: str, after: int, limit: int = 1000) -> list[Hint]:
        """Events of a source that came after one, oldest first."""
        rows = self._session.rows("events_after", source=source, after=after, limit=limit)
        return [Hint(*row) for row in rows]

    def note_hints(self, host: str, last: int) -> None:
        """Events were looked at up to this one."""
        self._session.execute("note_events", host=host, last_event=last)

    def kept(self, host: str, listener: str) -> list[Kept]:
        """The playlists that are kept for a listener."""
        return [
            Kept(playlist, name, tuple(written), None if intended is None else tuple(intended), at)
            for playlist, name, written, intended, at in self._session.rows(
                "list_kept", host=host, listener=listener
            )
        ]

    def keep(self, host: str, listener: str, playlist: str, name: str) -> Kept:
        """Keep a playlist from now on, or under another name."""
        self._session.execute(
            "keep_playlist", host=host, listener=listener, playlist=playlist, title=_clean(name)
        )
        return next(one for one in self.kept(host, listener) if one.playlist == playlist)

    def intend(self, host: str, listener: str, playlist: str, items: Sequence[str]) -> None:
        """A write is about to begin."""
        self._session.execute(
            "intend_playlist", host=host, listener=listener, playlist=playlist, items=list(items)
        )

    def settle(self, host: str, listener: str, playlist: str, items: Sequence[str]) -> None:
        """The playlist holds these items now, and that is as we want it."""
        self._session.execute(
            "settle_playlist", host=host, listener=listener, playlist=playlist, items=list(items)
        )

    def drop(self, host: str, listener: str, playlist: str) -> None:
        """A playlist is not there any more."""
        self._session.execute("drop_playlist", host=host, listener=listener, playlist=playlist)

    def edits(self, host: str, listener: str, playlist: str) -> list[PlaylistEdit]:
        """What the listener changed by hand, in the order of the playlist."""
        rows = self._session.rows("list_edits", host=host, listener=listener, playlist=playlist)
        return [PlaylistEdit(*row) for row in rows]

    def save_edits(
        self, host: str, listener: str, playlist: str, edits: Sequence[PlaylistEdit]
    ) -> None:
        """The listener's changes are these. To be called in a transaction."""
        place = {"host": host, "listener": listener, "playlist": playlist}
        self._session.execute("delete_edits", **place)
        for ordinal, edit in enumerate(edits):
            self._session.execute(
                "save_edit",
                **place,
                item=edit.item,
                track_id=edit.track_id,
                edit=edit.edit,
                ordinal=ordinal,
            )


def _clean(text: str) -> str:
    """Postgres takes neither NUL nor lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
