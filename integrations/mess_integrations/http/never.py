"""What is never suggested (docs/never.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from mess_integrations.http.answers import NeverAdded, NeverAnswer
from mess_integrations.http.bodies import read_body
from mess_integrations.http.questions import parameters
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_plugin.documents import never_document
from mess_plugin.options import FILTERS
from mess_plugin.search.filters import describe
from mess_plugin.search.never import add_rule, filters_of


class _Rule(msgspec.Struct, frozen=True):
    """A filter; tracks that pass all of it are never suggested."""

    listener: str | None = None
    """Whose rule it is; null: everybody's."""
    except_months: list[Annotated[int, msgspec.Meta(ge=1, le=12)]] = []
    """Months in which it does not hold."""


if TYPE_CHECKING:
    NeverBody = _Rule
else:
    NeverBody = msgspec.defstruct(
        "NeverBody",
        list(parameters(FILTERS)),
        bases=(_Rule,),
        module=__name__,
        frozen=True,
        namespace={"__doc__": _Rule.__doc__},
    )


def rules(service: HttpService, _call: Call) -> Reply:
    """Everybody's rules, and each listener's own."""
    with service.stores.use() as store:
        found = store.never.all()
    return Reply(
        {
            "rules": [
                {**never_document(one), "says": describe(filters_of(one.words))} for one in found
            ]
        }
    )


def add(service: HttpService, call: Call) -> Reply:
    """Add a rule, unless there is the same one."""
    body = read_body(call.body, NeverBody)
    words = {option.key: getattr(body, option.key) for option in FILTERS}
    with service.stores.use() as store:
        rule, n_tracks = add_rule(
            store, words, listener=body.listener, except_months=body.except_months, remote=True
        )
    return Reply({"id": rule, "tracks": n_tracks})


def remove(service: HttpService, call: Call) -> Reply:
    """Forget a rule."""
    number = call.path["rule"]
    with service.stores.use() as store:
        if not (number.isascii() and number.isdigit() and len(number) < 10) or (
            not store.never.remove(int(number))
        ):
            raise NotFound(f"there is no rule {number}: GET /v1/never lists them")
    return Reply(status=204, text="", media_type="text/plain")


_WRONG = {400: "The request is wrong; `error` says why.", 503: "The database does not answer."}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/never", "What is never suggested", rules,
        answers={200: "The rules.", **_WRONG},
        answer=NeverAnswer, answer_example={"rules": [{
            "id": 2, "listener": None, "words": {"genre": "audiobook"},
            "says": "genre audiobook", "except_months": [],
        }]},
    ),
    Endpoint(
        "POST", "/v1/never", "Never suggest tracks that pass a filter", add, body=NeverBody,
        example={"genre": "christmas", "except_months": [12]},
        answers={200: "The rule holds.", **_WRONG},
        answer=NeverAdded, answer_example={"id": 2, "tracks": 31},
    ),
    Endpoint(
        "DELETE", "/v1/never/{rule}", "Forget a rule", remove,
        answers={204: "The rule is gone.", 404: "There is no such rule.", **_WRONG},
    ),
)  # fmt: skip
