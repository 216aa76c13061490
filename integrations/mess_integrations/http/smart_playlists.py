"""Smart playlists declared over HTTP: the rules of playlists.toml, kept in the database.

MESS keeps them in Jellyfin as it keeps those of the file; `mess up` notices a change within seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from mess_integrations.http.answers import SmartPlaylistDocument, SmartPlaylistsAnswer
from mess_integrations.http.bodies import read_object
from mess_integrations.http.routing import Call, Conflict, Endpoint, HttpService, NotFound, Reply
from mess_integrations.jellyfin import accounts as links
from mess_integrations.jellyfin.specs import PlaylistSpec, parse_spec, read_file, to_rule
from mess_plugin.store import Store
from mess_plugin.store.smart import Smart

_MOST = 1000


class Page(msgspec.Struct, frozen=True):
    """A page of declarations, oldest first."""

    user: str | None = None
    """Only those of this linked user."""
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many earlier ones to leave out."""
    k: Annotated[int, msgspec.Meta(ge=1, le=_MOST)] = 100
    """How many declarations."""


def list_all(service: HttpService, call: Call) -> Reply:
    """What is declared, and what became of it."""
    page: Page = call.query
    linked = links.load(service.settings.home)
    whose = links.find_link(linked, page.user) if page.user else None
    with service.stores.use() as store:
        declared = [
            one for one in store.smart.all() if whose in (None, _link_of(linked, one.account))
        ]
        some = declared[page.offset : page.offset + page.k]
        return Reply(
            {
                "total": len(declared),
                "smart_playlists": [_document(store, linked, one) for one in some],
            }
        )


def create(service: HttpService, call: Call) -> Reply:
    """Declare one."""
    linked = links.load(service.settings.home)
    said = _read(call)
    link = links.find_link(linked, said.user) if said.user else linked[0]
    for one in read_file(service.settings.home):
        if one.name == said.name and link == (
            links.find_link(linked, one.user) if one.user else linked[0]
        ):
            raise Conflict(f"{said.name!r} is declared in playlists.toml: change it there")
    with service.stores.use() as store:
        made = store.smart.create(link.key, said.name, _rule(said))
        if made is None:
            raise Conflict(f"{link.user} has a smart playlist called {said.name!r} already")
        return Reply(_document(store, linked, made), 201)


def show(service: HttpService, call: Call) -> Reply:
    """One of them."""
    linked = links.load(service.settings.home)
    with service.stores.use() as store:
        return Reply(_document(store, linked, _wanted(store, call)))


def change(service: HttpService, call: Call) -> Reply:
    """Another rule in place of the old one. Name and user stay: they say which playlist it is."""
    linked = links.load(service.settings.home)
    said = _read(call)
    with service.stores.use() as store:
        before = _wanted(store, call)
        whose = _link_of(linked, before.account)
        if said.name != before.name or (said.user and links.find_link(linked, said.user) != whose):
            owner = whose.address if whose else "a user who is not linked any more"
            raise Conflict(
                f"smart playlist {before.id} is {before.name!r} of {owner}: "
                "declare another one and delete this one"
            )
        changed = store.smart.change(before.id, _rule(said))
        if changed is None:
            raise _missing(str(before.id))
        return Reply(_document(store, linked, changed))


def delete(service: HttpService, call: Call) -> Reply:
    """Declare it no more. The playlist stays in Jellyfin as it is."""
    with service.stores.use() as store:
        store.smart.delete(_wanted(store, call).id)
    return Reply(status=204, text="", media_type="text/plain")


def _read(call: Call) -> PlaylistSpec:
    """The body, checked as the file is."""
    said = parse_spec(read_object(call.body))
    to_rule(said)
    return said


def _rule(said: PlaylistSpec) -> dict[str, Any]:
    """What is stored of it: name and user have columns of their own."""
    rule: dict[str, Any] = msgspec.to_builtins(said)
    return {key: value for key, value in rule.items() if key not in ("name", "user")}


def _wanted(store: Store, call: Call) -> Smart:
    number = call.path["number"]
    found = [one for one in store.smart.all() if str(one.id) == number]
    if not found:
        raise _missing(number)
    return found[0]


def _missing(number: str) -> NotFound:
    return NotFound(f"there is no smart playlist {number}: see GET /v1/smart-playlists")


def _link_of(linked: tuple[links.JellyfinLink, ...], account: str) -> links.JellyfinLink | None:
    """The user whose it is; None where they are not linked any more."""
    return next((one for one in linked if one.key == account), None)


def _document(
    store: Store, linked: tuple[links.JellyfinLink, ...], one: Smart
) -> Mapping[str, object]:
    link = _link_of(linked, one.account)
    kept = next(
        (
            kept
            for kept in (store.hosts.kept(link.server, link.user_id) if link else ())
            if kept.name == one.name
        ),
        None,
    )
    refreshed_at = kept.refreshed_at if kept else None
    return {
        "id": one.id,
        "name": one.name,
        "user": link.address if link else None,
        **one.rule,
        "playlist": kept.playlist if kept else None,
        "tracks": len(kept.written) if kept else 0,
        "refreshed_at": refreshed_at.isoformat() if refreshed_at else None,
        "created_at": one.created_at.isoformat(),
        "changed_at": one.changed_at.isoformat(),
    }


_RULE = {"name": "Work", "user": "ann@jellyfin:8096", "like": "favourites", "size": 80}
_ONE = {
    "id": 1, **_RULE, "playlist": "9f0c…", "tracks": 80,
    "refreshed_at": "2026-01-31T20:15:00+00:00", "created_at": "2026-01-31T20:14:55+00:00",
    "changed_at": "2026-01-31T20:14:55+00:00",
}  # fmt: skip
_WRONG = {
    400: "The rule is wrong, or no Jellyfin is linked; `error` says why.",
    503: "The database does not answer.",
}
_NONE = {404: "There is no smart playlist of this number."}
_CONFLICT = {409: "Another one has this name, or the change is to name or user."}
_PATH = "/v1/smart-playlists"
ENDPOINTS = (
    Endpoint(
        "GET", _PATH, "Smart playlists declared here", list_all, Page,
        answers={200: "The declarations, oldest first.", **_WRONG},
        answer=SmartPlaylistsAnswer, answer_example={"total": 1, "smart_playlists": [_ONE]},
    ),
    Endpoint(
        "POST", _PATH, "Declare a smart playlist (docs/jellyfin.md)", create, body=PlaylistSpec,
        example=_RULE, answer=SmartPlaylistDocument,
        answer_example=_ONE, answers={201: "Declared.", **_WRONG, **_CONFLICT},
    ),
    Endpoint(
        "GET", f"{_PATH}/{{number}}", "One smart playlist", show,
        answers={200: "The declaration.", **_WRONG, **_NONE}, answer=SmartPlaylistDocument,
        answer_example=_ONE,
    ),
    Endpoint(
        "PUT", f"{_PATH}/{{number}}", "Give a smart playlist another rule", change, body=PlaylistSpec,
        example=_RULE, answer=SmartPlaylistDocument,
        answer_example=_ONE, answers={200: "Changed.", **_WRONG, **_NONE, **_CONFLICT},
    ),
    Endpoint(
        "DELETE", f"{_PATH}/{{number}}", "Declare a smart playlist no more", delete,
        answers={204: "It is forgotten; the playlist stays in Jellyfin.", **_WRONG, **_NONE},
    ),
)  # fmt: skip
