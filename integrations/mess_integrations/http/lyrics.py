"""Tracks by what is sung."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from mess_integrations.http.answers import LyricsAnswer
from mess_integrations.http.questions import parameters
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.documents import lyrics_document
from mess_plugin.options import FILTERS
from mess_plugin.search import parsing
from mess_plugin.search.lyrics import MOST_FOUND, MOST_WORDS, find_lyrics


class _Sung(msgspec.Struct, frozen=True):
    """What is sung, beside the filters."""

    q: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=MOST_WORDS,
            description='Words that are sung; "in quotes", OR, and - before what must not be there.',
        ),
    ]
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_FOUND, description="How many tracks.")] = 10


if TYPE_CHECKING:
    LyricsParameters = _Sung
else:
    LyricsParameters = msgspec.defstruct(
        "LyricsParameters", list(parameters(FILTERS)), bases=(_Sung,), module=__name__, frozen=True
    )


def sung(service: HttpService, call: Call) -> Reply:
    """Tracks whose lyrics match and that pass all filters."""
    asked: LyricsParameters = call.query
    words = {option.key: getattr(asked, option.key) for option in FILTERS}
    filters = parsing.query(words, remote=True).filters
    with service.stores.use() as store:
        return Reply(lyrics_document(find_lyrics(store, asked.q, filters, k=asked.k)))


_LINE = {"start_s": 62.5, "text": "walking in the rain", "found": [[15, 19]]}
_TRACK = {
    "id": 7, "path": "/music/stage 3.ogg", "title": "Stage 3", "artist": "syncopika", "album": None,
    "duration_s": 93.1, "rank": 0.06, "lyrics_language": "en", "lines": [_LINE],
}  # fmt: skip
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/lyrics", "Tracks by what is sung", sung, LyricsParameters,
        answer=LyricsAnswer,
        answer_example={"total": 1, "with_lyrics": 812, "tracks": [_TRACK]},
        answers={
            200: "The tracks, as `mess find --lyrics --json` prints them.",
            400: "The question is wrong; `error` says why.",
            503: "The database does not answer.",
        },
    ),
)  # fmt: skip
