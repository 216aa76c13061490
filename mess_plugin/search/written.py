"""A query as JSON says it → its value. The words are the fields of `Query` and `Filters` themselves.

A range may be written as {"low": 90, "high": 110} or as on the command line: "90-110". A key is
written as people do ("Am", "8A"); "same" stands for the seed's tempo or key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.search import parsing
from mess_plugin.search.blending import PLAYS
from mess_plugin.search.query import Filters, Query

QUERY_WORDS = frozenset(Query.__struct_fields__)
FILTER_WORDS = frozenset(Filters.__struct_fields__)
RANGES = frozenset(
    name for name, kind in Filters.__annotations__.items() if kind.startswith("Range")
)
_SAME = {"tempo_bpm": "same_tempo", "key": "same_key"}


def query_of(document: Mapping[str, Any]) -> Query:
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


def _plain(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Filters with ranges and keys read that are written as on the command line."""
    values = dict(filters)
    for word, flag in _SAME.items():
        if values.get(word) == "same":
            values[word], values[flag] = None, True
    for word in RANGES:
        if isinstance(text := values.get(word), str):
            limits = parsing.limits(word, text, clock=word == "duration_s")
            values[word] = msgspec.to_builtins(limits) if limits else None
    if isinstance(text := values.get("key"), str):
        values["key"] = parsing.key(text)
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
