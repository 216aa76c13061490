"""Rules in the names of playlists: "MESS: like so what · 50 tracks · 2 per artist · weekly".

    name     = "MESS:" seed { separator part }
    separator = "·" | "•" | "|", with a space before or behind it
    seed     = "like" ( "favourites" | "recent" | "these" | "playlist" NAME
             | REF [ "from" TIME "to" TIME ] | REF { " + " REF } )
    part     = N "tracks" | N "per artist" | N "per album" | "calm" | "driving" | "varied"
             | ( "tempo" | "key" | "year" | "length" ) RANGE
             | ( "genre" | "artist" | "album" | "without" ) TEXT | ( "more" | "only" ) FACET
             | "auto" | "daily" | "weekly" | "once"

Case does not matter. A part that is not understood makes the whole name wrong: half a wish would be
worse than none.
"""

from __future__ import annotations

import re
from typing import Any

from mess_integrations.jellyfin.grammar import KNOWN, check, query_of, read_part
from mess_integrations.jellyfin.rules import MOST_TRACKS, Rule, Seed
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval

PREFIX = "mess:"
# Inside a word it belongs to the word: "intel·ligent", "AC•DC".
_SEPARATOR = re.compile(r"\s+[·•|]\s*|\s*[·•|]\s+")
_SECTION = re.compile(r"(.+?)\s+from\s+([\d:.]+)\s+to\s+([\d:.]+)", re.IGNORECASE)


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
    unknown = [part for part in parts if part and not read_part(part, values)]
    if unknown:
        listed = ", ".join(map(repr, unknown))
        raise UsageError(f"{name!r}: {listed} is not understood; known are: {KNOWN}")
    return make(name, parse_seed(seed.strip()), values)


def make(name: str, seed: Seed, values: dict[str, Any]) -> Rule:
    """A rule from values by name. Raises UsageError for what cannot be."""
    size = values.get("size", 50)
    if not 1 <= size <= MOST_TRACKS:
        raise UsageError(f"{name!r}: {size} tracks: wanted 1 to {MOST_TRACKS}")
    try:
        query = query_of(values)
        check(seed.interval is not None, query)
    except UsageError as error:
        raise UsageError(f"{name!r}: {error}") from error
    return Rule(name, seed, size, query, values.get("refresh", "auto"))


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
