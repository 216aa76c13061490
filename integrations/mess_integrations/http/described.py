"""Tracks by a description of their sound, where CLAP is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from mess_integrations.http.answers import DescribedAnswer
from mess_integrations.http.questions import parameters
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.documents import described_document
from mess_plugin.options import FILTERS
from mess_plugin.search import parsing
from mess_plugin.search.query import MAX_K
from mess_plugin.search.texts import MOST_LETTERS, find_described


class _Description(msgspec.Struct, frozen=True):
    """What it sounds like, beside the filters."""

    text: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=MOST_LETTERS, description="What it sounds like."),
    ]
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K, description="How many tracks.")] = 10


if TYPE_CHECKING:
    DescriptionParameters = _Description
else:
    DescriptionParameters = msgspec.defstruct(
        "DescriptionParameters",
        list(parameters(FILTERS)),
        bases=(_Description,),
        module=__name__,
        frozen=True,
    )


def described(service: HttpService, call: Call) -> Reply:
    """Tracks that sound most like a text and pass all filters."""
    asked: DescriptionParameters = call.query
    words = {option.key: getattr(asked, option.key) for option in FILTERS}
    filters = parsing.query(words, remote=True).filters
    with service.stores.use() as store:
        found = find_described(store, service.settings, asked.text, filters, k=asked.k)
    return Reply(described_document(found))


_TRACK = {
    "id": 7, "path": "/music/stage 3.ogg", "title": "Stage 3", "artist": "syncopika", "album": None,
    "duration_s": 93.1, "similarity": 0.41,
}  # fmt: skip
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/described", "Tracks by a description of their sound", described,
        DescriptionParameters,
        answer=DescribedAnswer,
        answer_example={
            "text": "slow piano", "compared": 812, "never_suggested": 0, "tracks": [_TRACK],
        },
        answers={
            200: "The tracks, as `mess find --text --json` prints them.",
            400: "The question is wrong, or clap-htsat is not in use; `error` says why.",
            503: "The database does not answer, or CLAP's files are not on the machine.",
        },
    ),
)  # fmt: skip
