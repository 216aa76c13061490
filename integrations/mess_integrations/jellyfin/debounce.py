"""Debouncing: one action after a burst of changes (an album is forty webhooks, a scan a thousand)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from mess_plugin.store.hosts import Hint, normalise_id


class FollowerTimes(msgspec.Struct, frozen=True):
    """Intervals of the follower, in seconds."""

    quiet_s: float = 5.0
    """A burst ends when nothing new has come for this long …"""
    longest_s: float = 120.0
    """… or this long after it began."""
    names_s: float = 20.0
    """Between two listings of the playlists' names."""
    all_s: float = 900.0
    """Between two checks of every playlist's content."""


@dataclass(slots=True)
class DebounceTimer:
    """Runs from the first change of a burst until the burst is over."""

    first_s: float | None = None
    last_s: float = 0.0

    def change(self, now_s: float) -> None:
        """Something changed."""
        self.first_s = now_s if self.first_s is None else self.first_s
        self.last_s = now_s

    def is_over(self, now_s: float, times: FollowerTimes) -> bool:
        """Whether there was a burst and it has ended."""
        if self.first_s is None:
            return False
        return now_s - self.last_s >= times.quiet_s or now_s - self.first_s >= times.longest_s


@dataclass(slots=True)
class PendingHints:
    """Webhooks of one server that have not been acted upon yet."""

    timer: DebounceTimer = field(default_factory=DebounceTimer)
    hints: list[Hint] = field(default_factory=list)

    def add(self, hints: Sequence[Hint], now_s: float) -> None:
        """Append webhooks and restart the quiet time."""
        if hints:
            self.timer.change(now_s)
            self.hints += hints

    @property
    def need_full_sync(self) -> bool:
        """Whether only reading the whole list tells what happened.

        Jellyfin 10.11 reports a deleted album without its tracks.
        """
        return any(
            hint.kind == "TaskCompleted"
            or (hint.kind == "ItemDeleted" and hint.body.get("ItemType") == "MusicAlbum")
            for hint in self.hints
        )

    @property
    def items(self) -> list[str]:
        """Ids of the audio items that were added or deleted."""
        named = [
            normalise_id(str(hint.body.get("ItemId") or ""))
            for hint in self.hints
            if hint.kind in ("ItemAdded", "ItemDeleted") and hint.body.get("ItemType") == "Audio"
        ]
        return list(dict.fromkeys(filter(None, named)))


@dataclass(slots=True)
class DebouncedState:
    """A value that changes in bursts, and the value that was last acted upon (None at first)."""

    timer: DebounceTimer = field(default_factory=DebounceTimer)
    seen: object = None
    acted: object = None

    def update(self, state: object, now_s: float) -> None:
        """Compare with the value seen last."""
        if state != self.seen:
            self.seen = state
            self.timer.change(now_s)

    def settle(self) -> None:
        """The value seen last has been acted upon."""
        self.timer, self.acted = DebounceTimer(), self.seen
