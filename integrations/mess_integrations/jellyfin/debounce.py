"""Changes come in bursts: an album is forty hints, a scan a thousand. Each burst is answered once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from mess_integrations.jellyfin.api import plain
from mess_plugin.store.hosts import Hint


class Pace(msgspec.Struct, frozen=True):
    """How long a burst is waited for, and how often playlists are looked at.

    quiet_s: nothing new for so long ends a burst; longest_s ends it in any case. names_s: between
    two looks at the names of playlists; all_s: at all that they hold.
    """

    quiet_s: float = 5.0
    longest_s: float = 120.0
    names_s: float = 20.0
    all_s: float = 900.0


@dataclass(slots=True)
class Timer:
    """From the first change of a burst to its end; started by a change while it does not run."""

    first_s: float | None = None
    last_s: float = 0.0

    def change(self, now_s: float) -> None:
        """Something changed."""
        self.first_s = now_s if self.first_s is None else self.first_s
        self.last_s = now_s

    def is_over(self, now_s: float, pace: Pace) -> bool:
        """Whether there was a burst, and it is time to act."""
        if self.first_s is None:
            return False
        return now_s - self.last_s >= pace.quiet_s or now_s - self.first_s >= pace.longest_s


@dataclass(slots=True)
class Hints:
    """What a server told since we last acted."""

    timer: Timer = field(default_factory=Timer)
    hints: list[Hint] = field(default_factory=list)

    def take(self, hints: Sequence[Hint], now_s: float) -> None:
        """More of them."""
        if hints:
            self.timer.change(now_s)
            self.hints += hints

    @property
    def want_reading(self) -> bool:
        """Whether only a whole reading tells what happened.

        Jellyfin 10.11 says of a deleted album nothing about its tracks.
        """
        return any(
            hint.kind == "TaskCompleted"
            or (hint.kind == "ItemDeleted" and hint.body.get("ItemType") == "MusicAlbum")
            for hint in self.hints
        )

    @property
    def items(self) -> list[str]:
        """The audio items that were added or deleted."""
        named = [
            plain(str(hint.body.get("ItemId") or ""))
            for hint in self.hints
            if hint.kind in ("ItemAdded", "ItemDeleted") and hint.body.get("ItemType") == "Audio"
        ]
        return list(dict.fromkeys(filter(None, named)))


@dataclass(slots=True)
class Watched:
    """A state that changes in bursts, and the state that was acted upon: at first none."""

    timer: Timer = field(default_factory=Timer)
    seen: object = None
    acted: object = None

    def look(self, state: object, now_s: float) -> None:
        """This is how it is now."""
        if state != self.seen:
            self.seen = state
            self.timer.change(now_s)

    def settle(self) -> None:
        """What was seen last has been acted upon."""
        self.timer, self.acted = Timer(), self.seen
