"""What listeners say of answers, and what it adds up to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import msgspec

from mess_integrations.http.answers import (
    AccountsAnswer,
    Forgotten,
    Joined,
    TasteAnswer,
    VerdictNoted,
    VerdictsAnswer,
)
from mess_integrations.http.bodies import read_body
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_plugin.documents import taste_document, verdicts_document
from mess_plugin.errors import UnknownName
from mess_plugin.search import listeners as accounts_of
from mess_plugin.search.engine import answering_space
from mess_plugin.search.listeners import accounts_document
from mess_plugin.search.query import MAX_NAME, check_listener
from mess_plugin.search.references import confined, find_pair
from mess_plugin.search.taste import taste_of

_MOST = 1000
ListenerName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class VerdictBody(msgspec.Struct, frozen=True):
    """How good a track is as an answer to another one."""

    verdict: Literal["like", "dislike", "skip"]
    """What the listener says of it."""
    ref: str
    """The track: a path, an id, or words that name it."""
    seed: str = msgspec.field(name="for")
    """The track that it answers to."""
    listener: ListenerName = "me"
    """Who says it."""


class Listener(msgspec.Struct, frozen=True):
    """Whose taste."""

    listener: ListenerName = "me"
    """The name of the listener."""


class VerdictsQuery(Listener, frozen=True):
    """A page of verdicts, oldest first."""

    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many earlier ones to leave out."""
    k: Annotated[int, msgspec.Meta(ge=1, le=_MOST)] = 100
    """How many verdicts."""


def say(service: HttpService, call: Call) -> Reply:
    """Note a verdict; a later one on the same pair takes its place."""
    body = read_body(call.body, VerdictBody)
    check_listener(body.listener)
    with service.stores.use() as store:
        roots = service.roots
        track_id, seed_id = find_pair(
            store,
            confined(store, roots, body.ref).target,
            confined(store, roots, body.seed).target,
        )
        store.verdicts.save(body.listener, seed_id, track_id, body.verdict)
    return Reply(
        {"listener": body.listener, "verdict": body.verdict, "track": track_id, "for": seed_id}
    )


def verdicts(service: HttpService, call: Call) -> Reply:
    """What a listener said outright."""
    query: VerdictsQuery = call.query
    check_listener(query.listener)
    with service.stores.use() as store:
        said = store.verdicts.of(query.listener)
        page = said[query.offset : query.offset + query.k]
        ids = {i for one in page for i in (one.seed_id, one.track_id)}
        tracks = store.library.get(sorted(ids))
    return Reply({"total": len(said), "verdicts": verdicts_document(page, tracks)})


def taste(service: HttpService, call: Call) -> Reply:
    """The document of `mess taste show --json`."""
    query: Listener = call.query
    check_listener(query.listener)
    with service.stores.use() as store:
        space = answering_space(store, service.settings)
        return Reply(taste_document(taste_of(store, space, query.listener)))


def reset(service: HttpService, call: Call) -> Reply:
    """Forget all that a listener said."""
    query: Listener = call.query
    check_listener(query.listener)
    with service.stores.use() as store:
        return Reply({"forgotten": store.verdicts.forget(query.listener)})


def accounts(service: HttpService, _call: Call) -> Reply:
    """The document of `mess taste accounts --json`."""
    with service.stores.use() as store:
        return Reply({"accounts": accounts_document(store.verdicts.accounts())})


def join(service: HttpService, call: Call) -> Reply:
    """Let what an account does and did count for a listener."""
    account, listener = call.path["account"], read_body(call.body, Listener).listener
    with service.stores.use() as store, _known():
        accounts_of.join(store, listener, account)
    return Reply({"account": account, "listener": listener})


def leave(service: HttpService, call: Call) -> Reply:
    """Let what an account does count for nobody."""
    with service.stores.use() as store, _known():
        accounts_of.leave(store, call.path["account"])
    return Reply(status=204, text="", media_type="text/plain")


@contextmanager
def _known() -> Iterator[None]:
    """An account that is not known is not there."""
    try:
        yield
    except UnknownName as error:
        raise NotFound(str(error)) from error


_WRONG = {400: "The request is wrong; `error` says why.", 503: "The database does not answer."}
_VERDICT = {
    "verdict": "like", "track": {"id": 7, "path": "/music/stage 3.ogg"},
    "for": {"id": 3, "path": "/music/nebula.ogg"}, "noted_at": "2026-01-31T20:15:00+00:00",
}  # fmt: skip
_NONE = {404: "No account of this name did anything."}
_ACCOUNTS = "/v1/accounts"
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/verdicts", "Like, dislike or skip a track as an answer to another", say,
        body=VerdictBody, answers={200: "Noted.", **_WRONG},
        example={"verdict": "like", "ref": "stage 3", "for": "nebula", "listener": "me"},
        answer=VerdictNoted, answer_example={"listener": "me", "verdict": "like", "track": 7, "for": 3},
    ),
    Endpoint(
        "GET", "/v1/verdicts", "What a listener said", verdicts, VerdictsQuery,
        answers={200: "The verdicts, oldest first.", **_WRONG},
        answer=VerdictsAnswer, answer_example={"total": 1, "verdicts": [_VERDICT]},
    ),
    Endpoint(
        "GET", "/v1/taste", "Which aspects count for a listener, and whether that is used", taste,
        Listener, answers={200: "As `mess taste show --json` prints it.", **_WRONG},
        answer=TasteAnswer, answer_example={
            "listener": "me", "on": False, "verdicts": 2, "pairs": 1, "seeds": 1,
            "state": "off: 1 pairs of a liked and a not liked answer for 1 seeds; …",
            "weights": {"feel": 1.0}, "leaning": None,
        },
    ),
    Endpoint(
        "DELETE", "/v1/taste", "Forget all that a listener said", reset, Listener,
        answers={200: "How many verdicts are forgotten.", **_WRONG},
        answer=Forgotten, answer_example={"forgotten": 2},
    ),
    Endpoint(
        "GET", _ACCOUNTS, "Accounts of players that did something, and whose they are", accounts,
        answers={200: "All of them.", **_WRONG},
        answer=AccountsAnswer, answer_example={"accounts": [
            {"source": "jellyfin", "account": "9f0c…", "n_acts": 12, "listener": "me"},
        ]},
    ),
    Endpoint(
        "PUT", f"{_ACCOUNTS}/{{account}}", "Let what an account does and did count for a listener",
        join, body=Listener, example={"listener": "me"},
        answers={200: "It counts.", **_WRONG, **_NONE},
        answer=Joined, answer_example={"account": "9f0c…", "listener": "me"},
    ),
    Endpoint(
        "DELETE", f"{_ACCOUNTS}/{{account}}", "Let what an account does count for nobody", leave,
        answers={204: "It is nobody's any more.", **_WRONG, **_NONE},
    ),
)  # fmt: skip
