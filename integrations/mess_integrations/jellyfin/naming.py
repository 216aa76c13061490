"""Rules in the names of playlists: "MESS: like so what · 50 tracks · 2 per artist · weekly".

    name     = "MESS:" seed { separator part }
    separator = "·" | "•" | "|"
    seed     = "like" ( "favourites" | "recent" | "these" | "playlist" NAME
             | REF [ "from" TIME "to" TIME ] | REF { " + " REF } )
    part     = N "tracks" | N "per artist" | "genre" TEXT | "artist" TEXT | "without" TEXT
             | "year" YEAR [ "-" YEAR ] | "length" [TIME] "-" [TIME]
             | "auto" | "daily" | "weekly" | "once"

Case does not matter. A part that is not understood makes the whole name wrong: half a wish would be
worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, get_args

from mess_integrations.jellyfin.filtering import Filters, Span
from mess_integrations.jellyfin.rules import MOST_TRACKS, Refresh, Rule, Seed
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval

PREFIX = "mess:"
_SEPARATOR = re.compile(r"\s*[·•|]\s*")
_SECTION = re.compile(r"(.+?)\s+from\s+([\d:.]+)\s+to\s+([\d:.]+)", re.IGNORECASE)
_KNOWN = (
    "N tracks, N per artist, genre X, artist X, without X, year 1990-1999, length 2:00-5:00, "
    + ", ".join(get_args(Refresh))
)


def is_rule(name: str) -> bool:
    """Whether a playlist's name asks us to fill it."""
    return name.strip().lower().startswith(PREFIX)


def parse(name: str) -> Rule:
    """The rule that a name says. Raises UsageError with every part that is not understood."""
    head, *parts = _SEPARATOR.split(name.strip()[len(PREFIX) :].strip())
    kind, _, seed = head.partition(" ")
    if kind.lower() != "like" or not seed.strip():
        raise UsageError(f"{name!r}: wanted `MESS: like …`, but it says {head!r}")
    values: dict[str, Any] = {}
    unknown = [part for part in parts if part and not _read(part, values)]
    if unknown:
        listed = ", ".join(map(repr, unknown))
        raise UsageError(f"{name!r}: {listed} is not understood; known are: {_KNOWN}")
    return make(name, parse_seed(seed.strip()), values)


def make(name: str, seed: Seed, values: dict[str, Any]) -> Rule:
    """A rule from values by name. Raises UsageError for a size out of range."""
    size = values.pop("size", 50)
    refresh = values.pop("refresh", "auto")
    if not 1 <= size <= MOST_TRACKS:
        raise UsageError(f"{name!r}: {size} tracks: wanted 1 to {MOST_TRACKS}")
    if values.get("per_artist") == 0:
        raise UsageError(f"{name!r}: 0 per artist: wanted 1 or more")
    return Rule(name, seed, size, Filters(**values), refresh)


def parse_seed(text: str) -> Seed:
    """What stands behind "like"."""
    lower = text.lower()
    if lower in ("favourites", "favorites", "my favourites", "my favorites"):
        return Seed("favourites")
    if lower in ("recent", "recently played"):
        return Seed("recent")
    if lower in ("these", "this"):
        return Seed("these")
    if lower.startswith("playlist "):
        return Seed("playlist", (text[len("playlist ") :].strip(),))
    if section := _SECTION.fullmatch(text):
        return Seed("tracks", (section[1],), interval(section[2], section[3]))
    return Seed("tracks", tuple(filter(None, re.split(r"\s+\+\s+", text))))


def interval(start: str, end: str) -> Interval:
    """A section from two times. Raises UsageError."""
    start_s, end_s = seconds(start), seconds(end)
    if not start_s < end_s:
        raise UsageError(f"the section ends ({end}) before it starts ({start})")
    return Interval(start_s, end_s)


def seconds(text: str) -> float:
    """ "1:10" → 70.0. Raises UsageError."""
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if not found:
        raise UsageError(f"time {text!r}: wanted M:SS or seconds")
    hours, minutes, rest = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def span(text: str, read: Callable[[str], float] = float) -> Span:
    """ "1990-1999", "1990-", "-1999" or "1990". Raises UsageError."""
    low, dash, high = (part.strip() for part in text.partition("-"))
    try:
        start = read(low) if low else None
        end = (read(high) if high else None) if dash else start
    except ValueError as error:
        raise UsageError(f"{text!r}: wanted a range such as 1990-1999") from error
    if start is None and end is None:
        raise UsageError(f"{text!r}: wanted a range such as 1990-1999")
    if start is not None and end is not None and start > end:
        raise UsageError(f"{text!r}: this range is empty, swap the two")
    return Span(start, end)


def _read(part: str, values: dict[str, Any]) -> bool:
    """Take one part; False where it is not understood."""
    if found := re.fullmatch(r"(\d{1,6})\s+(tracks?|songs?|per artist)", part, re.IGNORECASE):
        values["per_artist" if "artist" in found[2].lower() else "size"] = int(found[1])
        return True
    if part.lower() in get_args(Refresh):
        values["refresh"] = part.lower()
        return True
    key, _, text = part.partition(" ")
    match key.lower():
        case ("genre" | "artist") as field if text:
            values[field] = text
        case "without" if text:
            values["without"] = (*values.get("without", ()), text)
        case "year" if text:
            values["year"] = span(text)
        case "length" if text:
            values["length_s"] = span(text, seconds)
        case _:
            return False
    return True
