"""A query as people, programs and URLs write it → its value. Errors name what was written.

On the command line and in URLs every option is a word (`mess_plugin.options`). In JSON the fields of
`Query` and `Filters` are written themselves; a range may be {"low": 90, "high": 110} or "90-110", a key
as people write it ("Am", "8A"), and "same" stands for the seed's tempo or key.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.facets import key as keys
from mess_plugin.options import FILTERS, LIMITS, OPTIONS, Kind, Option
from mess_plugin.search.blending import PLAYS
from mess_plugin.search.query import Filters, Query, Range

QUERY_WORDS = frozenset(Query.__struct_fields__)
FILTER_WORDS = frozenset(Filters.__struct_fields__)
RANGES = frozenset(option.target for option in FILTERS if option.kind in LIMITS)
_SAME = {"tempo_bpm": "same_tempo", "key": "same_key"}
_DURATION_UNITS = 60
MOMENT = r"\d+(\.\d*)?(:[0-5]?\d(\.\d*)?){0,2}"
"""Seconds, or minutes and seconds, or hours, minutes and seconds."""
_MOMENT = re.compile(MOMENT)
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(d|days?|w|weeks?)?", re.IGNORECASE)
_DAYS_PER_WEEK = 7


def query(words: Mapping[str, Any], *, remote: bool = False) -> Query:
    """The query that words say, by the keys of OPTIONS; None and what is missing: not said.

    remote: they come from another machine, which can name no file of this one and no folder relative
    to its own. Raises UsageError (and UnknownName) for what cannot be.
    """
    values: dict[str, Any] = {}
    filters: dict[str, Any] = {}
    for option in OPTIONS:
        said = words.get(option.key)
        if said is None or said == ():
            continue
        into = filters if option.is_filter else values
        if said == "same" and option.target in _SAME:
            into[_SAME[option.target]] = True
        else:
            into[option.target] = _READERS[option.kind](option, said)
    if remote:
        _check_blend(values.get("blend") or {})
        if folder := words.get("folder"):
            _check_folder(folder)
    return Query(**values, filters=Filters(**filters))


def query_from_json(document: Mapping[str, Any]) -> Query:
    """The query that a JSON object asks for; an empty one asks for the plain feel.

    Raises UnknownName for a word that there is none of and UsageError for what cannot be.
    """
    known(document, QUERY_WORDS)
    values = dict(document)
    if filters := values.get("filters"):
        if not isinstance(filters, Mapping):
            raise UsageError(
                f"filters is {filters!r}: wanted an object such as {{'year': '1990-'}}"
            )
        known(filters, FILTER_WORDS)
        values["filters"] = _plain(filters)
    _check_blend(values.get("blend") or {})
    try:
        return msgspec.convert(values, Query)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong question: {error}") from error


def known(document: Mapping[str, Any], words: frozenset[str]) -> None:
    """Raise UnknownName for the first word that is not among some."""
    for word in document:
        if word not in words:
            raise UnknownName("word", str(word), words)


def weights(text: str) -> dict[str, float]:
    """ "rhythm=2,timbre=0.5" → {"rhythm": 2.0, "timbre": 0.5}."""
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        try:
            found[name.strip().lower()] = float(number)
        except ValueError as error:
            raise UsageError(
                f"emphasis {part.strip()!r}: wanted FACET=WEIGHT, such as rhythm=2"
            ) from error
    if not found:
        raise UsageError(f"emphasis {text!r}: wanted FACET=WEIGHT, such as rhythm=2")
    return found


def shares(texts: Sequence[str]) -> dict[str, float]:
    """("plays=0.3", "scores.tsv=0.2") → {"plays": 0.3, "scores.tsv": 0.2}."""
    found: dict[str, float] = {}
    for text in texts:
        source, _, number = text.rpartition("=")
        try:
            found[source] = float(number)
        except ValueError as error:
            raise UsageError(f"blend {text!r}: wanted plays=SHARE or FILE=SHARE") from error
        if not source:
            raise UsageError(f"blend {text!r}: wanted plays=SHARE or FILE=SHARE")
    return found


def names(text: str, what: str) -> tuple[str, ...]:
    """ "harmony,rhythm" → ("harmony", "rhythm"). what: one of them is called so."""
    parts = (part.strip().lower() for part in text.split(","))
    found = tuple(dict.fromkeys(name for name in parts if name))
    if not found:
        raise UsageError(
            f"{text!r} names no {what}: name one, or more with commas, or leave it out"
        )
    return found


def limits(name: str, text: str, *, clock: bool = False) -> Range:
    """ "90-110", "90-", "-110", "100" → a range. clock: "2:30-4:00" in seconds.

    ".." stands for "-" where numbers may be negative: "-14..-9".
    """
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


def key(text: str) -> tuple[int, str]:
    """ "Am", "F# minor", "8A" → (tonic, mode)."""
    found = keys.parse(text)
    if found is None:
        raise UsageError(f"key {text!r}: wanted a key such as Am, 'F# minor' or 8A")
    return found


def days(name: str, said: str | float) -> float:
    """ "30", "30d", "6w" → days."""
    found = _AGE.fullmatch(str(said).strip())
    if not found:
        raise UsageError(f"{name} {said!r}: wanted days such as 30d, or weeks such as 6w")
    unit = (found[2] or "d").lower()
    return float(found[1]) * (_DAYS_PER_WEEK if unit.startswith("w") else 1)


def moment(name: str, said: str | float) -> float:
    """ "72", "72.5", "1:12", "1:00:05" → seconds. name: what the time is, for the error."""
    try:
        return _seconds(said) if isinstance(said, str) else float(said)
    except ValueError as error:
        raise UsageError(
            f"{name} {said!r}: wanted seconds, or minutes and seconds such as 1:12"
        ) from error


def _number(text: str, clock: bool) -> float | None:
    text = text.strip()
    if not text:
        return None
    return _seconds(text) if clock else float(text)


def _seconds(text: str) -> float:
    """Seconds, or minutes and hours before them. Raises ValueError."""
    if not _MOMENT.fullmatch(text.strip()):
        raise ValueError(text)
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * _DURATION_UNITS + float(part)
    return seconds


def _folder(_: Option, text: str) -> str:
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111  text keeps odd bytes


def _texts(_: Option, said: str | Sequence[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)


def _called(option: Option) -> str:
    """What one of several names of an option is called."""
    return {"only": "facet"}.get(option.name, option.name)


_READERS: Mapping[Kind, Callable[[Option, Any], Any]] = {
    Kind.RANGE: lambda option, said: limits(option.name, said),
    Kind.TEMPO: lambda option, said: limits(option.name, said),
    Kind.CLOCK: lambda option, said: limits(option.name, said, clock=True),
    Kind.KEY: lambda _, said: key(said),
    Kind.TEXT: lambda _, said: said,
    Kind.TEXTS: _texts,
    Kind.NAMES: lambda option, said: names(said, _called(option)),
    Kind.FOLDER: _folder,
    Kind.AGE: lambda option, said: days(option.name, said),
    Kind.NUMBER: lambda _, said: said,
    Kind.INTEGER: lambda _, said: said,
    Kind.FLAG: lambda _, said: bool(said),
    Kind.WEIGHTS: lambda _, said: weights(said),
    Kind.SHARES: lambda option, said: shares(_texts(option, said)),
    Kind.CHOICE: lambda _, said: said,
}


def _plain(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Filters of a JSON document with ranges and keys read that are written as words."""
    values = dict(filters)
    for word, flag in _SAME.items():
        if values.get(word) == "same":
            values[word], values[flag] = None, True
    for word in RANGES:
        if isinstance(text := values.get(word), str):
            values[word] = msgspec.to_builtins(limits(word, text, clock=word == "duration_s"))
    for option in FILTERS:
        if option.kind is Kind.AGE and isinstance(text := values.get(option.target), str):
            values[option.target] = days(option.name, text)
    if isinstance(text := values.get("key"), str):
        values["key"] = key(text)
    if isinstance(folder := values.get("folder"), str):
        _check_folder(folder)
    return values


def _check_blend(blend: object) -> None:
    """Files are named on the command line and in Python alone: a client could name any file here."""
    if isinstance(blend, Mapping) and (others := sorted(set(map(str, blend)) - {PLAYS})):
        raise UnknownName("source to blend", others[0], (PLAYS,))


def _check_folder(folder: str) -> None:
    if not os.path.isabs(folder):  # noqa: PTH117  a folder of the asking machine means nothing here
        raise UsageError(f"folder {folder!r}: wanted an absolute path")
    try:
        os.fsencode(folder)
    except UnicodeEncodeError as error:
        raise UsageError(f"folder {folder!r}: it holds what no file name can") from error
