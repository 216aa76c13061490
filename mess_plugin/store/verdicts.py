"""What listeners said of answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mess_plugin.store.session import Session


@dataclass(frozen=True, slots=True)
class Verdict:
    """word: "like", "dislike" or "skip", said of a track as an answer to a seed."""

    seed_id: int
    track_id: int
    word: str
    noted_at: datetime


class Verdicts:
    """Likes, dislikes and skips; a later one replaces an earlier one on the same pair."""

    def __init__(self, session: Session) -> None:
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
        """Delete all of a listener; returns how many there were."""
        return len(self._session.rows("delete_verdicts", listener=listener))
