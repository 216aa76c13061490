"""Questions about the library: version 1."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mess_integrations.http.routing import Call, Endpoint, NotFound, Reply, Service
from mess_plugin.documents import answer_document, status_document, track_document
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Level
from mess_plugin.reference import find_track
from mess_plugin.search import MAX_K
from mess_plugin.search import similar as find_similar
from mess_plugin.store import Store
from mess_plugin.switching import settled
from mess_plugin.walk import is_below, watched_roots

_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class SimilarQuery(msgspec.Struct, frozen=True):
    """ref: a path, a track id, or words that name one track; start and end: a section, seconds."""

    ref: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 10
    start: _Seconds | None = None
    end: _Seconds | None = None
    scope: Literal["song", "section"] = "song"


def similar(service: Service, call: Call) -> Reply:
    """The document of `mess similar --json`."""
    query: SimilarQuery = call.query
    interval = None
    if query.start is not None or query.end is not None:
        interval = Interval(query.start or 0.0, float("inf") if query.end is None else query.end)
    with service.metrics.query_s.labels("similar").time(), service.stores.use() as store:
        ref = confined(store, service.settings.watch, query.ref)
        answer = find_similar(
            store,
            settled(store, service.settings),
            ref,
            k=query.k,
            scope=Level(query.scope),
            interval=interval,
        )
    return Reply(answer_document(replace(answer, seed=replace(answer.seed, ref=query.ref))))


def confined(store: Store, watch: tuple[str, ...], ref: str) -> str:
    """A reference by which no file outside of the library and the watched folders is opened.

    Raises UsageError for such a one, in the same words whether or not there is a file.
    """
    if "\0" in ref:
        raise UsageError("the reference has a NUL byte in it")
    if not os.path.isabs(ref):  # noqa: PTH117  a path on the asking machine means nothing here
        return f"mess:{find_track(store, ref)}"
    known = store.library.find_path(ref)
    if known is not None and known[0] is not None:
        return f"mess:{known[0]}"
    real = os.path.realpath(ref)
    if (
        any(is_below(real, os.path.realpath(root)) for root in watched_roots(watch))
        and Path(real).is_file()
    ):
        return ref
    raise UsageError(f"no such file: {ref} is neither in the library nor in a watched folder")


def track(service: Service, call: Call) -> Reply:
    """All about one track."""
    text = call.path["id"].removeprefix("mess:")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"track id {text!r}: wanted a number")
    with service.stores.use() as store:
        found = store.library.get([int(text)]).get(int(text))
    if found is None:
        raise NotFound(f"there is no track {text} in the library")
    return Reply(track_document(found))


def status(service: Service, _call: Call) -> Reply:
    """The document of `mess status --json`, without the services of this machine."""
    with service.stores.use() as store:
        return Reply(status_document(store, service.settings))


_WRONG = {400: "The question is wrong; `error` says why.", 503: "The database does not answer."}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/similar", "What sounds like a track, a file or a section", similar, SimilarQuery,
        answers={200: "Matches, best first, as `mess similar --json` prints them.", **_WRONG},
    ),
    Endpoint(
        "GET", "/v1/tracks/{id}", "One track with its tags and locations", track,
        answers={200: "The track.", 404: "There is no such track.", **_WRONG},
    ),
    Endpoint("GET", "/v1/status", "What the library holds and what is being done", status),
)  # fmt: skip
