"""What notifications of jellyfin-plugin-webhook mean (its "Send All Properties" form, version 21).

Ids come with or without dashes, yes and no as JSON or as words, times with or without a zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from mess_plugin.store.hosts import normalise_id
from mess_plugin.store.inbox import Feedback

_MUSIC = ("Audio", "MusicAlbum")
_LONGEST_TEXT = 200
_OLDEST_YEAR = 1970


class ReportedAct(msgspec.Struct, frozen=True):
    """Something a listener did with an item."""

    listener: str
    item: str
    kind: str
    value: float | None
    happened_at: datetime

    def of_event(self, digest: bytes) -> Feedback:
        """As it is stored."""
        return Feedback(
            "jellyfin", digest, self.listener, self.item, self.kind, self.value, self.happened_at
        )


def feedback_of(body: Mapping[str, Any], received_at: datetime) -> list[ReportedAct]:
    """The acts that a notification reports; none where it is about something else or not music."""
    if body.get("ItemType") != "Audio" or not (item := _id(body.get("ItemId"))):
        return []
    at = _time(body.get("UtcTimestamp"), received_at) or received_at
    listener = _id(body.get("UserId"))
    kinds: list[tuple[str, float | None]] = []
    if body.get("NotificationType") == "PlaybackStop":
        kinds = [("play", _share_heard(body))]
    elif body.get("NotificationType") == "UserDataSaved":
        kinds = _opinions(body)
    return [ReportedAct(listener, item, kind, value, at) for kind, value in kinds]


def means_library_change(body: Mapping[str, Any]) -> bool:
    """Whether music was added, removed or looked for, so that the folders are worth a look.

    A deleted album is announced without its tracks by some versions, and no message has a path.
    """
    kind = body.get("NotificationType")
    if kind in ("ItemAdded", "ItemDeleted"):
        return body.get("ItemType") in _MUSIC
    return kind == "TaskCompleted" and body.get("ResultKey") == "RefreshLibrary"


def _opinions(body: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    if body.get("SaveReason") not in ("UpdateUserRating", "UpdateUserData"):
        return []  # playing saves user data too; that is reported by itself
    kinds: list[tuple[str, float | None]] = []
    for key, kind in (("Favorite", "favourite"), ("Likes", "like")):
        value = _yes(body.get(key))
        if value is not None:
            kinds.append((kind, float(value)))
    rating = _number(body.get("Rating"))
    return [*kinds, ("rating", rating)] if rating is not None else kinds


def _share_heard(body: Mapping[str, Any]) -> float | None:
    if _yes(body.get("PlayedToCompletion")):
        return 1.0
    at, length = _number(body.get("PlaybackPositionTicks")), _number(body.get("RunTimeTicks"))
    return None if at is None or not length else min(1.0, max(0.0, at / length))


def _id(value: object) -> str:
    return normalise_id(value)[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _yes(value: object) -> bool | None:
    words = {"true": True, "false": False}
    return value if isinstance(value, bool) else words.get(str(value).lower())


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 1e18 else None


def _time(value: object, received_at: datetime) -> datetime | None:
    """None for what is no time, or none at which a player can have reported anything."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value[:26] + "Z" if value.endswith("Z") else value)
    except ValueError:
        return None
    if not _OLDEST_YEAR <= found.year <= received_at.year + 1:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
