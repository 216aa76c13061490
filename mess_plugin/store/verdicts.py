"""What listeners said of answers."""

from __future__ import annotations

from datetime import datetime

import msgspec

from mess_plugin.store.session import DbSession


class Verdict(msgspec.Struct, frozen=True):
    """word: "like", "dislike" or "skip", said of a track as an answer to a seed."""

    seed_id: int
    track_id: int
    word: str
    noted_at: datetime


class Act(msgspec.Struct, frozen=True):
    """What an account of a player did with a track; see `mess_plugin.store.inbox.Feedback`.

    kind: also "pinned" or "removed", of a playlist. happened_at: for a play, when it ended.
    """

    source: str
    account: str
    track_id: int
    kind: str
    value: float | None
    happened_at: datetime
    duration_s: float


class ListenerAccount(msgspec.Struct, frozen=True):
    """An account that acts came from: how many, and whose it is, None where nobody claimed it."""

    source: str
    account: str
    n_acts: int
    listener: str | None


class Verdicts:
    """Likes, dislikes and skips; a later one replaces an earlier one on the same pair."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save(self, listener: str, seed_id: int, track_id: int, word: str) -> None:
        """Note one."""
        self._session.execute(
            "save_verdict", listener=listener, seed_id=seed_id, track_id=track_id, verdict=word
        )

    def of(self, listener: str) -> list[Verdict]:
        """All of a listener, oldest first."""
        return [Verdict(*row) for row in self._session.rows("get_verdicts", listener=listener)]

    def forget(self, listener: str) -> int:
        """Delete all of a listener; returns how many there were.

        What players reported so far does not count any more either, but is kept.
        """
        self._session.execute("outdate_acts", listener=listener)
        return len(self._session.rows("delete_verdicts", listener=listener))

    def acts(self, listener: str) -> list[Act]:
        """What the accounts of a listener did, oldest first: those joined, and one of that name."""
        return [Act(*row) for row in self._session.rows("get_acts", listener=listener)]

    def plays(self, heard_from: float) -> dict[int, int]:
        """How often anybody heard each track, at least this share of it."""
        return dict(self._session.rows("count_plays", heard_from=heard_from))

    def accounts(self) -> list[ListenerAccount]:
        """All accounts that did anything."""
        return [ListenerAccount(*row) for row in self._session.rows("list_accounts")]

    def join(self, listener: str, source: str, account: str) -> None:
        """From now on what an account does and did is of this listener."""
        self._session.execute("join_account", listener=listener, source=source, account=account)

    def leave(self, source: str, account: str) -> bool:
        """An account is nobody's any more; whether it was anybody's."""
        return bool(self._session.rows("leave_account", source=source, account=account))
