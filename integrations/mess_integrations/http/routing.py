"""An endpoint: one function with what the outside needs to know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.http.metrics import HttpMetrics
from mess_integrations.web.sessions import Sessions
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.store.pool import StorePool


class HttpService(msgspec.Struct, frozen=True):
    """What endpoints work with. settings: with the addresses of both servers filled in."""

    settings: Settings
    stores: StorePool
    metrics: HttpMetrics
    roots: AllowedFolders
    sessions: Sessions
    token: str


class Call(msgspec.Struct, frozen=True):
    """One request."""

    query: Any
    """A value of the endpoint's query type."""
    path: Mapping[str, str]
    """The variables in its path."""
    body: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By names in lower case; any other case is found as well."""


class Reply(msgspec.Struct, frozen=True):
    """An answer: a JSON document, or text of another media type (as bytes where it may be no text)."""

    document: Any = None
    status: int = 200
    text: str | bytes | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class NoQuery(msgspec.Struct, frozen=True):
    """An endpoint that takes no parameters."""


class Endpoint(msgspec.Struct, frozen=True):
    """A route. handler runs in a thread; is_open: answers without a token.

    asks: the body may hold the words of a query as well. example, answer_example: a body that works,
    and what its answer looks like, for the description. most_body_bytes: larger bodies are
    refused; None for the usual size. A handler that streams returns the response itself.
    """

    method: str
    path: str
    summary: str
    handler: Callable[[HttpService, Call], Reply | Response]
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    is_open: bool = False
    asks: bool = False
    example: Mapping[str, Any] | None = None
    answer_example: Any = None
    answers: Mapping[int, str] = msgspec.field(default_factory=lambda: {200: "The answer."})
    most_body_bytes: int | None = None


class NotFound(UsageError):
    """There is no such thing: answered with 404."""


def read_query(endpoint: Endpoint, values: Mapping[str, str]) -> Any:
    """The parameters of a request. Raises UsageError naming the wrong one."""
    known = {field.encode_name for field in msgspec.structs.fields(endpoint.query)}
    for name in values:
        if name not in known:
            wanted = ", ".join(sorted(known)) or "none"
            raise UsageError(f"unknown parameter {name!r}: known are {wanted}")
    try:
        return msgspec.convert(dict(values), endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong parameters: {error}") from error
