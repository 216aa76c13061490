"""JSON bodies that ask: the words of an endpoint, with the words of a query beside them."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from mess_integrations.http import cleaning
from mess_plugin.errors import UsageError
from mess_plugin.search.parsing import QUERY_WORDS, known, query_from_json
from mess_plugin.search.query import Query

T = TypeVar("T", bound=msgspec.Struct)


def read_question(body: bytes, kind: type[T]) -> tuple[T, Query]:
    """The endpoint's own words and the query. Raises UsageError (and UnknownName)."""
    document = read_object(body)
    own = frozenset(field.encode_name for field in msgspec.structs.fields(kind))
    known(document, own | QUERY_WORDS)
    query = query_from_json({word: value for word, value in document.items() if word not in own})
    return _convert({word: document[word] for word in document if word in own}, kind), query


def read_body(body: bytes, kind: type[T]) -> T:
    """The words of an endpoint that takes no query. Raises UsageError (and UnknownName)."""
    document = read_object(body)
    known(document, frozenset(field.encode_name for field in msgspec.structs.fields(kind)))
    return _convert(document, kind)


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object that holds nothing which could not be stored. Raises UsageError."""
    document = cleaning.parse(body)
    if not isinstance(document, dict):
        raise UsageError("the body is no JSON object: wanted one such as {}")
    cleaning.check(document)
    return document


def _convert(document: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong question: {error}") from error
