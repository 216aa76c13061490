"""How MESS is, as it changes: one document a second over Server-Sent Events, and failures to retry."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.responses import StreamingResponse

from mess_integrations.http.bodies import read_body
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin import embedded
from mess_plugin.documents import failure_document, status_document
from mess_plugin.errors import MessError

_EVERY_S = 1.0
_SHARE = 0.1  # of the time that may go into looking: large libraries are looked at less often
_MOST_FAILURES = 200
_READERS = CapacityLimiter(2)  # threads that look; however many pages are open


class LiveQuery(msgspec.Struct, frozen=True):
    """How long to listen."""

    n: Annotated[int, msgspec.Meta(ge=0)] = 0
    """End after so many documents; 0: only when the client leaves."""


class FailuresQuery(msgspec.Struct, frozen=True):
    """How many, the newest first."""

    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    """At most so many."""


class RetryBody(msgspec.Struct, frozen=True):
    """paths: of the files that are to be tried again; null for all that failed."""

    paths: list[str] | None = None


async def live(service: HttpService, call: Call) -> StreamingResponse:
    """A stream of documents; one is sent when it differs from the last, and every 15 s."""
    query: LiveQuery = call.query
    return StreamingResponse(
        _events(service, query.n),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(service: HttpService, most: int) -> AsyncIterator[str]:
    sent, last, sent_at = 0, "", 0.0
    while not most or sent < most:
        started = time.monotonic()
        text = json.dumps(await to_thread.run_sync(_look, service, limiter=_READERS))
        if text != last or started - sent_at > 15:
            yield f"data: {text}\n\n"
            sent, last, sent_at = sent + 1, text, started
        took_s = time.monotonic() - started
        await asyncio.sleep(max(_EVERY_S, took_s / _SHARE))


def _look(service: HttpService) -> Mapping[str, Any]:
    """The document; where the database is down, that with what is known without it."""
    settings = service.settings
    running = embedded.state(settings.home)
    services = [
        {"name": one.name, "phase": one.phase} for one in (running.services if running else ())
    ]
    disk = shutil.disk_usage(settings.home)
    around: dict[str, Any] = {
        "services": services,
        "disk": {"free_bytes": disk.free // 2**20 * 2**20, "total_bytes": disk.total},
    }
    try:
        with service.stores.use() as store:
            document = status_document(store, settings)
            failed = store.jobs.failures(_MOST_FAILURES)
    except MessError as error:
        return {"problem": str(error), **around}
    return {
        **document,
        **around,
        "problem": None,
        "failed": [failure_document(one) for one in failed],
        "left_s": _left_s(document),
    }


def _left_s(document: Mapping[str, Any]) -> float | None:
    """Seconds until nothing waits, by the pace of the last minute; None where nothing moves."""
    waiting = sum(
        states.get("wanted", 0) + states.get("running", 0) for states in document["jobs"].values()
    )
    pace = document["pace"]["jobs_per_s"]
    return round(waiting / pace, 1) if waiting and pace else None


def failures(service: HttpService, call: Call) -> Reply:
    """The documents of `mess failures --json`."""
    query: FailuresQuery = call.query
    with service.stores.use() as store:
        found = store.jobs.failures(query.k)
    return Reply({"failures": [failure_document(one) for one in found]})


def retry(service: HttpService, call: Call) -> Reply:
    """Let failed files be tried again, as if they were new."""
    body = read_body(call.body, RetryBody)
    with service.stores.use() as store:
        return Reply({"retried": store.jobs.retry(body.paths)})


_WRONG = {400: "The request is wrong; `error` says why.", 503: "The database does not answer."}
_FAILURE = {
    "path": "/music/x.mp3", "recipe": "mess-mini||5/2.5", "kind": "damaged", "attempts": 1,
    "reason": "The file is cut off.", "failed_at": "2026-01-31T20:15:00+00:00",
}  # fmt: skip
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/status/live", "How MESS is, whenever that changes (Server-Sent Events)", live,
        LiveQuery, answers={200: "`data:` lines, each the document of `/v1/status` with `services`, "
        "`disk`, `failed`, `left_s` and `problem`.", **_WRONG},
        media=("text/event-stream",),
    ),
    Endpoint(
        "GET", "/v1/failures", "The files that could not be heard, and why", failures, FailuresQuery,
        answers={200: "The newest first.", **_WRONG}, answer_example={"failures": [_FAILURE]},
    ),
    Endpoint(
        "POST", "/v1/failures/retry", "Try failed files again", retry, body=RetryBody,
        answers={200: "How many are tried again.", **_WRONG}, answer_example={"retried": 1},
    ),
)  # fmt: skip
