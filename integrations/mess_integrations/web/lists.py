"""Lists in an order of one's own: how they flow, as files, and as playlists in Jellyfin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from mess_integrations.http.answers import CARD_EXAMPLE
from mess_integrations.http.bodies import read_body
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_integrations.jellyfin import accounts as links
from mess_integrations.jellyfin.api import JellyfinApi
from mess_integrations.jellyfin.client import Unlinked
from mess_plugin.documents import playlist_document
from mess_plugin.errors import UsageError
from mess_plugin.model import Track
from mess_plugin.playlists.formats import m3u, xspf
from mess_plugin.playlists.generate import Playlist
from mess_plugin.playlists.transitions import transitions
from mess_plugin.search.engine import answering_space
from mess_plugin.store import Store

_MOST = 1000
_MOST_NAME = 200
Ids = Annotated[list[int], msgspec.Meta(min_length=1, max_length=_MOST)]


class ListBody(msgspec.Struct, frozen=True):
    """tracks: ids, in the order in which they are to be heard."""

    tracks: Ids


class ListForm(msgspec.Struct, frozen=True):
    """How a list is written."""

    format: Literal["json", "m3u8", "xspf"] = "json"
    """A file for players; json tells how well each track leads to the next."""


class SendBody(msgspec.Struct, frozen=True):
    """tracks: ids in order; name: of the playlist; user: where several are linked."""

    tracks: Ids
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=_MOST_NAME)]
    user: str | None = None


def write_list(service: HttpService, call: Call) -> Reply:
    """A list that a person put in order."""
    body = read_body(call.body, ListBody)
    form: ListForm = call.query
    with service.stores.use() as store:
        tracks = _tracks(store, body.tracks)
        if form.format == "m3u8":
            return Reply(text=m3u(tracks), media_type="application/vnd.apple.mpegurl")
        if form.format == "xspf":
            return Reply(text=xspf(tracks), media_type="application/xspf+xml")
        space = answering_space(store, service.settings)
        between = transitions(store, space, [track.id for track in tracks])
    steps = tuple(between.along(range(len(tracks))))
    return Reply(playlist_document(Playlist(tuple(tracks), (), steps)))


def send(service: HttpService, call: Call) -> Reply:
    """A new playlist of this name in Jellyfin, seen by its user alone."""
    body = read_body(call.body, SendBody)
    linked = links.load(service.settings.home)
    link = links.find_link(linked, body.user) if body.user else linked[0]
    with service.stores.use() as store:
        _tracks(store, body.tracks)
        items = store.hosts.items_of(link.server, body.tracks)
    known = [items[i][0] for i in body.tracks if items.get(i)]
    if not known:
        raise UsageError(
            f"Jellyfin knows none of these tracks: run `mess jellyfin sync`, or see whether "
            f"{link.address} may hear them"
        )
    playlist = JellyfinApi.of(link).create(body.name, known)
    return Reply(
        {
            "playlist": playlist,
            "user": link.address,
            "sent": len(known),
            "unknown": [i for i in body.tracks if not items.get(i)],
        },
        status=201,
    )


def players(service: HttpService, _call: Call) -> Reply:
    """The Jellyfin users that lists can be sent to."""
    try:
        linked = links.load(service.settings.home)
    except Unlinked:
        linked = ()
    return Reply({"jellyfin": [link.address for link in linked]})


def _tracks(store: Store, ids: Sequence[int]) -> list[Track]:
    found = store.library.get(ids)
    missing = [i for i in ids if i not in found]
    if missing:
        raise NotFound(f"there is no track {missing[0]} in the library, or its file was moved away")
    return [found[i] for i in ids]


_WRONG = {400: "The request is wrong; `error` says why.", 503: "A server does not answer."}
_NONE = {404: "One of the tracks is not there."}
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/lists", "A list in an order of one's own: how it flows, or as a file", write_list,
        ListForm, body=ListBody, answers={200: "The list.", **_NONE, **_WRONG},
        answer_example={"tracks": [CARD_EXAMPLE], "fits": [], "smoothness": [], "notes": []},
        media=("application/json", "application/vnd.apple.mpegurl", "application/xspf+xml"),
    ),
    Endpoint(
        "GET", "/v1/players", "Where lists can be sent to", players,
        answers={200: "Linked users.", **_WRONG}, answer_example={"jellyfin": ["ann@nas:8096"]},
    ),
    Endpoint(
        "POST", "/v1/players/jellyfin", "Make a playlist in Jellyfin", send, body=SendBody,
        answers={201: "It is there.", **_NONE, **_WRONG},
        answer_example={
            "playlist": "9f0c…", "user": "ann@nas:8096", "sent": 25, "unknown": [],
        },
    ),
)  # fmt: skip
