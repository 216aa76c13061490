"""The words of a query as people write them → its values. Errors name what was written."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mess_plugin.errors import UsageError
from mess_plugin.facets import key as keys
from mess_plugin.search.query import HIDE, Filters, Query, Range

_DURATION_UNITS = 60


def query(words: Mapping[str, Any]) -> Query:
    """The query that words say, by the names of the options of `mess similar`; None: not said.

    Raises UsageError (and UnknownName) for what cannot be.
    """
    tempo, tone, folder = words.get("tempo"), words.get("key"), words.get("folder")
    return Query(
        emphasis=emphasis(words.get("emphasis")),
        only=only(words.get("only")),
        exact_key=bool(words.get("exact_key")),
        against=tuple(words.get("against") or ()),
        diversity=words.get("diversity") or 0.0,
        per_artist=words.get("per_artist"),
        per_album=words.get("per_album"),
        listener=words.get("listener"),
        blend=blend(words.get("blend") or ()),
        duplicates=words.get("duplicates") or HIDE,
        filters=Filters(
            tempo_bpm=None if tempo == "same" else limits("tempo", tempo),
            same_tempo=tempo == "same",
            key=None if tone == "same" else key(tone),
            same_key=tone == "same",
            duration_s=limits("duration", words.get("duration"), clock=True),
            year=limits("year", words.get("year")),
            activity=limits("activity", words.get("activity")),
            brightness=limits("bright", words.get("bright")),
            drive=limits("drive", words.get("drive")),
            moods=only(words.get("mood"), "mood"),
            loudness_lufs=limits("loudness", words.get("loudness")),
            genre=words.get("genre"),
            artist=words.get("artist"),
            album=words.get("album"),
            folder=os.path.abspath(os.path.expanduser(folder)) if folder else None,  # noqa: PTH100, PTH111
            excluded_words=tuple(words.get("exclude") or ()),
            languages=only(words.get("language"), "language"),
            rating=limits("rating", words.get("rating")),
            unplayed_days=words.get("unplayed"),
        ),
    )


def emphasis(text: str | None) -> dict[str, float]:
    """ "rhythm=2,timbre=0.5" → {"rhythm": 2.0, "timbre": 0.5}; empty for None."""
    weights: dict[str, float] = {}
    for part in filter(None, (text or "").split(",")):
        name, _, number = part.partition("=")
        try:
            weights[name.strip().lower()] = float(number)
        except ValueError as error:
            raise UsageError(
                f"emphasis {part.strip()!r}: wanted FACET=WEIGHT, such as rhythm=2"
            ) from error
    if text is not None and not weights:
        raise UsageError(f"emphasis {text!r}: wanted FACET=WEIGHT, such as rhythm=2")
    return weights


def blend(texts: Sequence[str]) -> dict[str, float]:
    """("plays=0.3", "scores.tsv=0.2") → {"plays": 0.3, "scores.tsv": 0.2}."""
    shares: dict[str, float] = {}
    for text in texts:
        source, _, number = text.rpartition("=")
        try:
            shares[source] = float(number)
        except ValueError as error:
            raise UsageError(f"blend {text!r}: wanted plays=SHARE or FILE=SHARE") from error
        if not source:
            raise UsageError(f"blend {text!r}: wanted plays=SHARE or FILE=SHARE")
    return shares


def only(text: str | None, what: str = "facet") -> tuple[str, ...]:
    """ "harmony,rhythm" → ("harmony", "rhythm"); empty for None. what: one of them is called so."""
    names = (part.strip().lower() for part in (text or "").split(","))
    found = tuple(dict.fromkeys(name for name in names if name))
    if text is not None and not found:
        raise UsageError(
            f"{text!r} names no {what}: name one, or more with commas, or leave it out"
        )
    return found


def limits(name: str, text: str | None, *, clock: bool = False) -> Range | None:
    """ "90-110", "90-", "-110", "100" → a range; None for None. clock: "2:30-4:00" in seconds.

    ".." stands for "-" where numbers may be negative: "-14..-9".
    """
    if text is None:
        return None
    low, separator, high = text.partition("..")
    if not separator:
        low, separator, high = text.partition("-")
    try:
        start = _number(low, clock)
        end = _number(high, clock) if separator else start
    except ValueError as error:
        example = "2:30-4:00" if clock else "90-110, 90- or -110"
        raise UsageError(f"{name} {text!r}: wanted a range such as {example}") from error
    if any(number is not None and math.isnan(number) for number in (start, end)):
        raise UsageError(f"{name} {text!r}: that is no number")
    if start is None and end is None:
        raise UsageError(f"{name} {text!r}: wanted at least one number")
    return Range(start, end)


def key(text: str | None) -> tuple[int, str] | None:
    """ "Am", "F# minor", "8A" → (tonic, mode); None for None."""
    if text is None:
        return None
    found = keys.parse(text)
    if found is None:
        raise UsageError(f"key {text!r}: wanted a key such as Am, 'F# minor' or 8A")
    return found


def _number(text: str, clock: bool) -> float | None:
    text = text.strip()
    if not text:
        return None
    if not clock:
        return float(text)
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * _DURATION_UNITS + float(part)
    return seconds
