"""Questions about the library: version 1."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_plugin.documents import (
    answer_document,
    measures_document,
    status_document,
    track_document,
)
from mess_plugin.errors import UsageError
from mess_plugin.model import Level
from mess_plugin.search.engine import MAX_K, Answer
from mess_plugin.search.query import Query
from mess_plugin.search.question import answer, depth, interval_of
from mess_plugin.search.references import find_track
from mess_plugin.spaces.active_encoder import settled
from mess_plugin.store import Store

_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class SimilarParameters(msgspec.Struct, frozen=True):
    """ref: a path, a track id, or words that name one track; start and end: a section, seconds.

    k answers after `offset` others.
    """

    ref: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 10
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    start: _Seconds | None = None
    end: _Seconds | None = None
    scope: Literal["song", "section"] | None = None


def similar(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --json`."""
    query: SimilarParameters = call.query
    deep = depth(query.offset, query.k)
    with service.metrics.query_s.labels("similar").time(), service.stores.use() as store:
        found = answer(
            store,
            settled(store, service.settings),
            [confined(store, service.roots, query.ref)],
            Query(),
            k=deep,
            scope=Level(query.scope) if query.scope else None,
            interval=interval_of(query.start, query.end),
        )
    assert isinstance(found, Answer)
    matches = found.matches[query.offset : query.offset + query.k]
    seed = replace(found.seed, ref=query.ref)
    return Reply(answer_document(replace(found, seed=seed, matches=matches)))


def confined(store: Store, roots: AllowedFolders, ref: str) -> str:
    """A reference by which no file outside of the library's folders is opened.

    Raises UsageError for such a one, in the same words whether or not there is a file.
    """
    if "\0" in ref:
        raise UsageError("the reference has a NUL byte in it")
    if not os.path.isabs(ref):  # noqa: PTH117  a path on the asking machine means nothing here
        return f"mess:{find_track(store, ref)}"
    try:
        os.fsencode(ref)
    except UnicodeEncodeError as error:
        raise UsageError(f"no such file: {ref!r} holds what no file name can") from error
    known = store.library.find_path(ref)
    if known is not None and known[0] is not None:
        return f"mess:{known[0]}"
    real = roots.find(store, ref)
    if real is not None and real.is_file():
        return ref
    raise UsageError(f"no such file in the library or in its folders: {ref}")


def track(service: HttpService, call: Call) -> Reply:
    """All about one track; heard: as `mess about --json` says it, null where it has no facets."""
    text = call.path["id"].removeprefix("mess:")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"track id {text!r}: wanted a number")
    with service.stores.use() as store:
        found = store.library.get([int(text)]).get(int(text))
        measured = store.facets.measures([int(text)])
    heard = measures_document(measured[int(text)][0]) if int(text) in measured else None
    if found is None:
        raise NotFound(f"there is no track {text} in the library")
    return Reply({**track_document(found), "heard": heard})


def status(service: HttpService, _call: Call) -> Reply:
    """The document of `mess status --json`, without the services of this machine."""
    with service.stores.use() as store:
        return Reply(status_document(store, service.settings))


_TRACK = {
    "id": 7, "path": "/music/stage 3.ogg", "title": "Stage 3", "artist": "syncopika", "album": None,
    "duration_s": 93.1, "album_artist": None, "genre": None, "year": 2021, "track_number": None,
    "bpm": None, "key": None, "musicbrainz_recording": None, "musicbrainz_release": None,
    "language": None, "rating": 4.0,
    "paths": ["/music/stage 3.ogg"],
    "heard": {
        "tempo": {"bpm": 120.2, "confidence": 0.4}, "key": {"name": "A minor", "confidence": 0.7},
        "loudness": {"integrated_lufs": -14.1, "range_lu": 5.2}, "activity": 0.55,
        "brightness": 0.7, "drive": 0.5, "moods": ["bright"],
    },
}  # fmt: skip
_WRONG = {400: "The question is wrong; `error` says why.", 503: "The database does not answer."}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/similar", "What sounds like a track, a file or a section", similar,
        SimilarParameters,
        answers={200: "Matches, best first, as `mess similar --json` prints them.", **_WRONG},
    ),
    Endpoint(
        "GET", "/v1/tracks/{id}", "One track: tags, locations, tempo, key and loudness", track,
        answer_example=_TRACK,
        answers={200: "The track.", 404: "There is no such track.", **_WRONG},
    ),
    Endpoint("GET", "/v1/status", "What the library holds and what is being done", status),
)  # fmt: skip
