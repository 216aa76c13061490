"""Questions about the library: version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from mess_integrations.http.answers import FullTrack, StatusAnswer, TracksAnswer
from mess_integrations.http.questions import parameters
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_plugin.documents import (
    listing_document,
    measures_document,
    status_document,
    tags_document,
    track_document,
)
from mess_plugin.errors import UsageError
from mess_plugin.options import FILTERS
from mess_plugin.search import parsing
from mess_plugin.search.listing import MOST, list_tracks


def track(service: HttpService, call: Call) -> Reply:
    """All about one track; heard: as `mess about --json` says it, null where it has no facets."""
    text = call.path["id"].removeprefix("mess:")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"track id {text!r}: wanted a number")
    with service.stores.use() as store:
        found = store.library.get([int(text)]).get(int(text))
        measured = store.facets.measures([int(text)])
        tags = store.tags.of([int(text)]).get(int(text))
    heard = measures_document(measured[int(text)][0]) if int(text) in measured else None
    if found is None:
        raise NotFound(f"there is no track {text} in the library")
    return Reply({**track_document(found), "heard": heard, "tags": tags and tags_document(tags)})


class _Listed(msgspec.Struct, frozen=True):
    """Which tracks, beside the filters."""

    words: Annotated[
        str,
        msgspec.Meta(max_length=400, description="In tags or file name, all of them; empty: any."),
    ] = ""
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST, description="How many tracks.")] = 100
    offset: Annotated[int, msgspec.Meta(ge=0, description="How many to leave out.")] = 0


if TYPE_CHECKING:
    ListParameters = _Listed
else:
    ListParameters = msgspec.defstruct(
        "ListParameters", list(parameters(FILTERS)), bases=(_Listed,), module=__name__, frozen=True
    )


def tracks(service: HttpService, call: Call) -> Reply:
    """Tracks by words and filters, by artist, album and number."""
    asked: ListParameters = call.query
    words = {option.key: getattr(asked, option.key) for option in FILTERS}
    filters = parsing.query(words, remote=True).filters
    with service.stores.use() as store:
        page = list_tracks(store, asked.words, filters, k=asked.k, offset=asked.offset)
    return Reply(listing_document(page))


def status(service: HttpService, _call: Call) -> Reply:
    """The document of `mess status --json`, without the services of this machine."""
    with service.stores.use() as store:
        return Reply(status_document(store, service.settings))


_TRACK = {
    "id": 7, "path": "/music/stage 3.ogg", "title": "Stage 3", "artist": "syncopika", "album": None,
    "duration_s": 93.1, "album_artist": None, "genre": None, "year": 2021, "track_number": None,
    "bpm": None, "key": None, "musicbrainz_recording": None, "musicbrainz_release": None,
    "language": None, "rating": 4.0,
    "paths": ["/music/stage 3.ogg"], "damage": None,
    "heard": {
        "tempo": {"bpm": 120.2, "confidence": 0.4, "sure": True},
        "key": {"name": "A minor", "confidence": 0.7, "sure": True},
        "loudness": {"integrated_lufs": -14.1, "range_lu": 5.2}, "activity": 0.55,
        "brightness": 0.7, "drive": 0.5, "moods": ["bright"],
    },
    "tags": {"heard": ["electro"], "probable": {"electro": 0.81, "dance": 0.43}},
}  # fmt: skip
_WRONG = {400: "The question is wrong; `error` says why.", 503: "The database does not answer."}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/tracks", "Tracks by words and filters", tracks, ListParameters,
        answer=TracksAnswer, answer_example={"total": 1, "offset": 0, "tracks": [_TRACK]},
        answers={200: "A page of the tracks, as `mess ls --json` prints it.", **_WRONG},
    ),
    Endpoint(
        "GET", "/v1/tracks/{id}", "One track: tags, locations, tempo, key and loudness", track,
        answer=FullTrack, answer_example=_TRACK,
        answers={200: "The track.", 404: "There is no such track.", **_WRONG},
    ),
    Endpoint(
        "GET", "/v1/status", "What the library holds and what is being done", status,
        answer=StatusAnswer,
    ),
)  # fmt: skip
