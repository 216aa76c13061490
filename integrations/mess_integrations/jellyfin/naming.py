"""Rules as the names of playlists: "MESS: like so what · 50 tracks · 2 per artist · weekly".

    name     = "MESS:" seed { separator part }
    separator = "·" | "•" | "|", with a space before or behind it
    seed     = ( "like" | "radio" ) ( "favourites" | "recent" | "these" | "playlist" NAME
             | REF [ "from" TIME "to" TIME ] | REF { " + " REF } )
    part     = N "tracks" | N "per artist" | N "per album" | "calm" | "driving" | "varied"
             | ( "tempo" | "key" | "year" | "length" ) RANGE
             | ( "genre" | "artist" | "album" | "without" ) TEXT | ( "more" | "only" ) FACET
             | "auto" | "daily" | "weekly" | "once"
             | "locked in" | "adventurous" | "stay on the seed" | "follow the vibe"  (of a radio)

Case does not matter. One part that is not understood makes the whole name wrong: a playlist that
follows half of what was asked would be worse than none. The options are those of
`mess_plugin.search.parsing`; names say them in parts, playlists.toml in keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from mess_integrations.jellyfin.rules import MAX_TRACKS, Refresh, Rule, RuleSeed
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval
from mess_plugin.options import ASPECTS, LIMITS, MOODS, OPTIONS, Kind
from mess_plugin.playlists.radio import RadioStyle
from mess_plugin.search import Query, parsing

PREFIX = "mess:"
_OPTIONS = {option.playlist: option for option in OPTIONS if option.playlist}
_BY_WORD = {
    word: option
    for word, option in _OPTIONS.items()
    if option.kind in (*LIMITS, Kind.KEY, Kind.TEXT, Kind.NAMES) and word != "mood"
}
"""Options that a part says as their word and a value."""
_AGES = {word: option for word, option in _OPTIONS.items() if option.kind is Kind.AGE}
KNOWN = ", ".join(
    (
        "N tracks, N per artist, N per album",
        *MOODS,
        "varied",
        *(f"{word} {option.example}" for word, option in {**_BY_WORD, **_AGES}.items()),
        f"without X, more X, only X (X: {', '.join(ASPECTS)})",
        *get_args(Refresh),
        "of a radio locked in, adventurous, stay on the seed, follow the vibe",
    )
)
_WORDS: Mapping[str, tuple[str, Any]] = {
    "varied": ("diversity", 0.5),
    "locked in": ("strictness", 1.0),
    "adventurous": ("strictness", 0.0),
    "stay on the seed": ("anchor", "seed"),
    "follow the vibe": ("anchor", "vibe"),
    **{word: ("refresh", word) for word in get_args(Refresh)},
}
_NUMBERS = {"track": "size", "song": "size", "per artist": "per_artist", "per album": "per_album"}
_AGE = rf"({'|'.join(_AGES)}) (\d{{1,5}}(?:\.\d+)?)( ?(?:d|days?|w|weeks?))?"
_MORE = 2.0  # what "more rhythm" counts; the feel counts 1
# Inside a word it belongs to the word: "intel·ligent", "AC•DC".
_SEPARATOR = re.compile(r"\s+[·•|]\s*|\s*[·•|]\s+")
_SECTION = re.compile(r"(.+?)\s+from\s+([\d:.]+)\s+to\s+([\d:.]+)", re.IGNORECASE)


def is_rule(name: str) -> bool:
    """Whether a playlist's name is a rule."""
    return name.strip().lower().startswith(PREFIX)


def parse(name: str) -> Rule:
    """The rule that a name says. Raises UsageError with every part that is not understood."""
    head, *parts = _SEPARATOR.split(name.strip()[len(PREFIX) :].strip())
    kind, _, seed = head.partition(" ")
    if kind.lower() not in ("like", "radio") or not seed.strip():
        raise UsageError(
            f"{name!r}: wanted `MESS: like …` or `MESS: radio …`, but it says {head!r}"
        )
    values: dict[str, Any] = {"radio": kind.lower() == "radio"}
    unknown = [part for part in parts if part and not read_part(part, values)]
    if unknown:
        listed = ", ".join(map(repr, unknown))
        raise UsageError(f"{name!r}: {listed} is not understood; known are: {KNOWN}")
    return make(name, parse_seed(seed.strip()), values)


def make(name: str, seed: RuleSeed, values: dict[str, Any]) -> Rule:
    """A rule from values by name. Raises UsageError for what cannot be."""
    size = values.get("size", 50)
    if not 1 <= size <= MAX_TRACKS:
        raise UsageError(f"{name!r}: {size} tracks: wanted 1 to {MAX_TRACKS}")
    try:
        query = query_of(values)
        style = _style(values)
        if style:
            query.heeded_by("radio")
    except UsageError as error:
        raise UsageError(f"{name!r}: {error}") from error
    if style and seed.interval:
        raise UsageError(f"{name!r}: a radio starts from whole tracks: leave the section out")
    return Rule(name, seed, size, query, values.get("refresh", "auto"), style)


def _style(values: Mapping[str, Any]) -> RadioStyle | None:
    said = {word: values[word] for word in RadioStyle.__struct_fields__ if word in values}
    if values.get("radio"):
        return RadioStyle(**said)
    if said:
        raise UsageError(f"{' and '.join(said)} can only be said of a radio")
    return None


def parse_seed(text: str) -> RuleSeed:
    """The words after "like"."""
    lower = text.lower()
    if lower in ("favourites", "favorites", "my favourites", "my favorites"):
        return RuleSeed("favourites")
    if lower in ("recent", "recently played"):
        return RuleSeed("recent")
    if lower in ("these", "this"):
        return RuleSeed("these")
    if lower.startswith("playlist "):
        return RuleSeed("playlist", (text[len("playlist ") :].strip(),))
    if section := _SECTION.fullmatch(text):
        return RuleSeed("tracks", (section[1],), interval(section[2], section[3]))
    return RuleSeed("tracks", tuple(filter(None, re.split(r"\s+\+\s+", text))))


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


def read_part(part: str, values: dict[str, Any]) -> bool:
    """Add one part of a name to the values; False where it is not understood."""
    lower = " ".join(part.lower().split())
    if found := re.fullmatch(r"(\d{1,6}) (track|song|per artist|per album)s?", lower):
        values[_NUMBERS[found[2]]] = int(found[1])
        return True
    if lower in MOODS:
        values["mood"] = f"{values.get('mood', '')},{lower}"
        return True
    if found := re.fullmatch(_AGE, lower):
        values[found[1]] = f"{found[2]}{found[3] or ''}"
        return True
    if lower in _WORDS:
        key, value = _WORDS[lower]
        values[key] = value
        return True
    word, _, text = part.strip().partition(" ")
    word, text = word.lower(), text.strip()
    if not text:
        return False
    if word in _BY_WORD:
        values[word] = text
    elif word == "without":
        values["without"] = (*values.get("without", ()), text)
    elif word == "more" and text.lower() in ASPECTS:
        more = values.get("emphasis", "")
        values["emphasis"] = f"{more},{text.lower()}={_MORE:g}"
    else:
        return False
    return True


def query_of(values: Mapping[str, Any]) -> Query:
    """The query of values by the words of playlists. Raises UsageError (and UnknownName)."""
    words = {option.key: values[word] for word, option in _OPTIONS.items() if word in values}
    return parsing.query({**words, "emphasis": values.get("emphasis")})
