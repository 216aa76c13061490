"""What can be wished for beside the seed: the one place that turns words and keys into a query.

The vocabulary is that of `mess_plugin.steering`; a playlist's name says it in parts, playlists.toml in
keys, and both come out as the same values by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from mess_integrations.jellyfin.rules import Refresh
from mess_plugin.errors import UsageError
from mess_plugin.search import parsing
from mess_plugin.search.query import ASPECTS, MOODS, Query

KNOWN = (
    f"N tracks, N per artist, N per album, {', '.join(MOODS)}, varied, tempo 90-110, key Am, year "
    "1990-1999, length 2:00-5:00, genre X, artist X, album X, language X, rating 4-5, unplayed 30 "
    f"(days), without X, more X, only X (X: {', '.join(ASPECTS)}), {', '.join(get_args(Refresh))}"
)
_WORDS: Mapping[str, tuple[str, Any]] = {
    "varied": ("diversity", 0.5),
    **{word: ("refresh", word) for word in get_args(Refresh)},
}
_NUMBERS = {"track": "size", "song": "size", "per artist": "per_artist", "per album": "per_album"}
_TEXTS = (
    "tempo",
    "key",
    "year",
    "length",
    "genre",
    "artist",
    "album",
    "only",
    "language",
    "rating",
)
_MORE = 2.0  # what "more rhythm" counts; the feel counts 1


def read_part(part: str, values: dict[str, Any]) -> bool:
    """Take one part of a name; False where it is not understood."""
    lower = " ".join(part.lower().split())
    if found := re.fullmatch(r"(\d{1,6}) (track|song|per artist|per album)s?", lower):
        values[_NUMBERS[found[2]]] = int(found[1])
        return True
    if lower in MOODS:
        values["mood"] = f"{values.get('mood', '')},{lower}"
        return True
    if found := re.fullmatch(r"unplayed (\d{1,5}(?:\.\d+)?)( days?)?", lower):
        values["unplayed"] = float(found[1])
        return True
    if lower in _WORDS:
        key, value = _WORDS[lower]
        values[key] = value
        return True
    word, _, text = part.strip().partition(" ")
    word, text = word.lower(), text.strip()
    if not text:
        return False
    if word in _TEXTS:
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
    """The query that values by name say. Raises UsageError (and UnknownName)."""
    return parsing.query(
        {
            **values,
            "duration": values.get("length"),
            "exclude": values.get("without", ()),
        }
    )


def check(seed_has_section: bool, query: Query) -> None:
    """A section cannot be steered. Raises UsageError."""
    if seed_has_section and query.steers:
        raise UsageError("beside a section only the number of tracks and the refresh can be wished")
