"""An endpoint: one function with what the outside needs to know about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import Response

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.http import cleaning
from mess_integrations.http.metrics import HttpMetrics
from mess_integrations.http.probes import Probe
from mess_integrations.web.kept_sounds import KeptSounds
from mess_integrations.web.sessions import Sessions
from mess_plugin.audio.budget import Budget
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.store.pool import StorePool


class HttpService(msgspec.Struct, frozen=True):
    """What endpoints work with."""

    settings: Settings
    """With the addresses of both servers filled in."""
    stores: StorePool
    metrics: HttpMetrics
    roots: AllowedFolders
    sessions: Sessions
    sounds: KeptSounds
    token: str
    probes: Mapping[str, Probe]
    """Of the servers that must answer, by name."""
    home_id: str
    """Which home this service serves."""


class Call(msgspec.Struct, frozen=True):
    """One request."""

    query: Any
    """A value of the endpoint's query type."""
    path: Mapping[str, str]
    """The variables in its path."""
    body: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By names in lower case; any other case is found as well."""
    budget: Budget = msgspec.field(default_factory=Budget)
    """What the answer may use; ended when the client leaves."""
    file: Path | None = None
    """The body, where the endpoint takes a file; deleted after the call unless it was moved."""


class Reply(msgspec.Struct, frozen=True):
    """An answer: a JSON document, or text of another media type (as bytes where it may be no text)."""

    document: Any = None
    status: int = 200
    text: str | bytes | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class NoQuery(msgspec.Struct, frozen=True):
    """An endpoint that takes no parameters."""


Answer = Reply | Response


class Endpoint(msgspec.Struct, frozen=True):
    """A route."""

    method: str
    path: str
    summary: str
    handler: (
        Callable[[HttpService, Call], Answer] | Callable[[HttpService, Call], Awaitable[Answer]]
    )
    """A plain function runs in a thread; a coroutine runs in the event loop and never blocks. Whoever
    streams returns the response itself."""
    query: type[msgspec.Struct] = NoQuery
    """Its parameters."""
    body: type[msgspec.Struct] | None = None
    is_open: bool = False
    """Whether it answers without a token."""
    asks: bool = False
    """Whether the body may hold the words of a query as well."""
    example: Mapping[str, Any] | None = None
    """A body that works, for the description."""
    answer: type[msgspec.Struct] | None = None
    """Of which form its answer is, for the description: see `answers.py`."""
    answer_example: Any = None
    """What its answer looks like, for the description."""
    media: tuple[str, ...] = ("application/json",)
    """The media types of its answer."""
    answers: Mapping[int, str] = msgspec.field(default_factory=lambda: {200: "The answer."})
    """What each status means."""
    most_body_bytes: int | None = None
    """Larger bodies are refused; None for the usual limit."""
    takes_file: bool = False
    """Whether the body is no JSON and goes to the disk."""


class NotFound(UsageError):
    """There is no such thing: answered with 404."""


class Conflict(UsageError):
    """It contradicts what is there already: answered with 409."""


def read_query(endpoint: Endpoint, text: str) -> Any:
    """The parameters of a request, from what follows "?". Raises UsageError naming the wrong one.

    Bytes that are not UTF-8 stay what they are, as in names of files.
    """
    known = {field.encode_name for field in msgspec.structs.fields(endpoint.query)}
    values: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
        if name not in known:
            wanted = ", ".join(sorted(known)) or "none"
            raise UsageError(f"unknown parameter {name!r}: known are {wanted}")
        if name in values:
            raise UsageError(f"parameter {name} is given twice")
        values[name] = value
    cleaning.check(values)
    try:
        query = msgspec.convert(values, endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong parameters: {error}") from error
    for field in msgspec.structs.fields(endpoint.query):
        if field.encode_name in values and getattr(query, field.name) is None:
            raise UsageError(f"parameter {field.encode_name} is null: leave it out instead")
    cleaning.check(msgspec.structs.asdict(query))  # numbers, now that they are some
    return query


def read_path(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables in the path of a request. Raises UsageError for text that cannot be stored."""
    cleaning.check(dict(variables))
    return variables
