"""The inbox: what other programs told us, kept as they said it before anybody answers them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from mess_plugin.store.session import DbSession

_KINDS_COUNTED = 50  # further kinds of a source are counted together


class Event(msgspec.Struct, frozen=True):
    """A message that waits. digest: equal for equal bodies of one source."""

    id: int
    source: str
    kind: str
    digest: bytes
    body: dict[str, Any]
    received_at: datetime


class Feedback(msgspec.Struct, frozen=True):
    """What a listener did with an item of a media server.

    kind: "play", "favourite", "like" or "rating"; value: the share of the track that was heard, 1 or
    0 for yes and no, the rating itself.
    """

    source: str
    digest: bytes
    listener: str
    item: str
    kind: str
    value: float | None
    happened_at: datetime


class Inbox:
    """Messages and what they said about listening."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def receive(self, source: str, kind: str, body: dict[str, Any]) -> int:
        """Keep a message. The same one again, while the first waits, is only counted. Its id."""
        clean, digest = _clean(body), digest_of(body)
        row = self._session.row(
            "receive_event", source=source, kind=kind, digest=digest, body=Jsonb(clean)
        )
        self._session.rows("announce_work")
        return int(row[0])

    def receive_all(self, source: str, kind: str, bodies: Sequence[dict[str, Any]]) -> None:
        """Keep different messages of one kind at once, as `receive` keeps each."""
        self._session.execute(
            "receive_events",
            source=source,
            kind=kind,
            digests=[digest_of(body) for body in bodies],
            bodies=[Jsonb(_clean(body)) for body in bodies],
        )
        self._session.rows("announce_work")

    def receive_once(self, source: str, kind: str, body: dict[str, Any]) -> Event | None:
        """Keep a message that says by itself when it happened, so that it comes only once.

        None where it came before and was only counted. To be called in a transaction.
        """
        clean, digest = _clean(body), digest_of(body)
        self._session.rows("lock_event", digest=digest)
        if self._session.rows("count_delivery", source=source, digest=digest):
            return None
        row = self._session.row(
            "receive_event", source=source, kind=kind, digest=digest, body=Jsonb(clean)
        )
        return Event(row[0], source, kind, digest, clean, row[1])

    def take(self, source: str, limit: int) -> list[Event]:
        """Messages of a source that wait, oldest first, held until the end of the transaction."""
        return [
            Event(*row) for row in self._session.rows("take_events", source=source, limit=limit)
        ]

    def handled(self, event: Event, outcome: str) -> None:
        """A message was dealt with."""
        self._session.execute("handle_event", event_id=event.id, outcome=outcome)

    def postpone(self, event: Event, wait_s: float) -> None:
        """A message waits for some time."""
        self._session.execute("postpone_event", event_id=event.id, wait_s=wait_s)

    def forget_old(self, keep_s: float) -> None:
        """Drop messages that were dealt with longer ago than this."""
        self._session.execute("delete_old_events", keep_s=keep_s)

    def ignore(self, source: str, kind: str) -> None:
        """Count a kind of message that means nothing to us."""
        known = self._session.row("count_ignored_kinds", source=source, kind=kind)[0]
        counted = kind if known < _KINDS_COUNTED else "other"
        self._session.execute("ignore_event", source=source, kind=counted)

    def counts(self) -> list[tuple[str, str, str, int]]:
        """("waiting" or "ignored", source, kind, number)."""
        return [tuple(row) for row in self._session.rows("count_events")]

    def save_feedback(self, feedback: Feedback) -> None:
        """Note an act of a listener; the same act reported again changes nothing."""
        self._session.execute(
            "save_feedback",
            source=feedback.source,
            digest=feedback.digest,
            listener=feedback.listener,
            item=feedback.item,
            kind=feedback.kind,
            value=feedback.value,
            happened_at=feedback.happened_at,
        )


def digest_of(body: dict[str, Any]) -> bytes:
    """16 bytes, equal for equal bodies."""
    return blake2b(json.dumps(_clean(body), sort_keys=True).encode(), digest_size=16).digest()


def _clean(value: Any) -> Any:
    """Postgres takes no NUL; lone surrogates of JSON escapes become readable escapes."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
