"""Albums and artists that sound like others: version 1."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from mess_integrations.http.answers import CARD_EXAMPLE, GroupsAnswer
from mess_integrations.http.bodies import read_question
from mess_integrations.http.questions import (
    WRONG,
    Answers,
    InsideLibrary,
    NotNegative,
    Refs,
    parameters,
)
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.documents import groups_document
from mess_plugin.options import OPTIONS
from mess_plugin.search import MAX_K, Query, parsing
from mess_plugin.search.groups import By, similar_groups


class _AskedGroups(msgspec.Struct, frozen=True):
    """What a URL says of albums or artists beside the options of a query."""

    ref: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=4096,
            description="The name of an album or artist, or a track of it.",
        ),
    ]
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K, description="How many answers.")] = 10
    offset: Annotated[int, msgspec.Meta(ge=0, description="How many better ones to leave out.")] = 0


if TYPE_CHECKING:
    GroupParameters = _AskedGroups
else:
    GroupParameters = msgspec.defstruct(
        "GroupParameters", list(parameters()), bases=(_AskedGroups,), module=__name__, frozen=True
    )


class GroupsBody(msgspec.Struct, frozen=True):
    """A question about albums or artists."""

    refs: Refs
    """Names of albums or artists, or tracks of them."""
    k: Answers = 10
    """How many answers."""
    offset: NotNegative = 0
    """How many better ones to leave out."""


def get_albums(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --by album --json` for one reference."""
    return _got(service, call.query, "album")


def get_artists(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --by artist --json` for one reference."""
    return _got(service, call.query, "artist")


def post_albums(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --by album --json`."""
    return _groups(service, "album", *read_question(call.body, GroupsBody))


def post_artists(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --by artist --json`."""
    return _groups(service, "artist", *read_question(call.body, GroupsBody))


def _got(service: HttpService, asked: GroupParameters, by: By) -> Reply:
    words = {option.key: getattr(asked, option.key) for option in OPTIONS}
    body = GroupsBody([asked.ref], asked.k, asked.offset)
    return _groups(service, by, body, parsing.query(words, remote=True))


def _groups(service: HttpService, by: By, body: GroupsBody, query: Query) -> Reply:
    with service.metrics.query_s.labels("similar").time(), service.stores.use() as store:
        inside = InsideLibrary(store, service)
        result = similar_groups(
            store,
            service.settings,
            [inside.ref(ref).target if os.path.isabs(ref) else ref for ref in body.refs],  # noqa: PTH117
            inside.query(query),
            by=by,
            k=body.k,
            offset=body.offset,
        )
    return Reply(groups_document(result))


_GROUPS = {
    "query": {"by": "album", "names": ["Widelands"], "weights": {"feel": 1.0}},
    "matches": [{
        "rank": 1, "score": 0.31, "name": "Noiz2sa", "artist": "Kenta Cho",
        "tracks": [CARD_EXAMPLE], "closest": {"score": 0.4, "track": CARD_EXAMPLE},
    }],
    "page": {"offset": 0, "k": 1, "full": True},
    "total": 9,
}  # fmt: skip
_SAYS = {200: "Best first, as `mess similar --by album|artist --json` prints them.", **WRONG}


def _get(kind: str, handler: Any) -> Endpoint:
    return Endpoint(
        "GET", f"/v1/similar/{kind}", f"{kind.capitalize()} that sound like one", handler,
        GroupParameters, answer=GroupsAnswer, answer_example=_GROUPS, answers=_SAYS,
    )  # fmt: skip


def _post(kind: str, handler: Any) -> Endpoint:
    return Endpoint(
        "POST", f"/v1/similar/{kind}", f"{kind.capitalize()} that sound like some", handler,
        body=GroupsBody, asks=True, answer=GroupsAnswer, answer_example=_GROUPS, answers=_SAYS,
        example={"refs": ["Widelands"], "k": 1, "emphasis": {"rhythm": 2}},
    )  # fmt: skip


ENDPOINTS = (
    _get("albums", get_albums),
    _post("albums", post_albums),
    _get("artists", get_artists),
    _post("artists", post_artists),
)
