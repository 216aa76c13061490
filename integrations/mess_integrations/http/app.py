"""The application: all endpoints behind one guard, and errors as JSON with one line."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.http import (
    audiomuse,
    clusters,
    described,
    docs_page,
    feedback,
    groups,
    health,
    library,
    lyrics,
    never,
    questions,
    smart_playlists,
    webhooks,
)
from mess_integrations.http.auth import Guard, Refused
from mess_integrations.http.instant_mix import mix_route
from mess_integrations.http.metrics import HttpMetrics
from mess_integrations.http.openapi import describe
from mess_integrations.http.probes import probes
from mess_integrations.http.routing import (
    Call,
    Conflict,
    Endpoint,
    HttpService,
    NotFound,
    Reply,
    read_path,
    read_query,
)
from mess_integrations.jellyfin.instant_mix import InstantMix
from mess_integrations.rate_limit import RateLimit
from mess_integrations.web import routes as web
from mess_integrations.web.kept_sounds import KeptSounds
from mess_integrations.web.origins import Origins
from mess_integrations.web.sessions import Sessions
from mess_plugin.audio.budget import Budget, within
from mess_plugin.config import Settings
from mess_plugin.errors import AudioError, MessError, UsageError
from mess_plugin.services import home_id
from mess_plugin.store.pool import StorePool

log = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 16  # a file that is not in the library takes seconds to hear; others wait here
_MESSAGES_AT_ONCE = 16  # … and never hold up webhooks, health or metrics
_MOST_WAITING = 200  # requests that are answered or wait for a thread; others get 503
_DISCONNECTED = 499  # what nginx logs for it; nobody receives it

ENDPOINTS: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *library.ENDPOINTS,
    *lyrics.ENDPOINTS,
    *described.ENDPOINTS,
    *questions.ENDPOINTS,
    *groups.ENDPOINTS,
    *feedback.ENDPOINTS,
    *never.ENDPOINTS,
    *clusters.ENDPOINTS,
    *smart_playlists.ENDPOINTS,
    *web.ENDPOINTS,
)


def make_app(
    settings: Settings, token: str, endpoints: Sequence[Endpoint] = ENDPOINTS
) -> Starlette:
    """The ASGI application. settings: with the addresses of both servers filled in."""
    stores = StorePool(settings.database_url or "", most=_QUESTIONS_AT_ONCE + _MESSAGES_AT_ONCE)
    sessions, sounds = Sessions(settings.home), KeptSounds(settings.home)
    service = HttpService(
        settings,
        stores,
        HttpMetrics(stores),
        AllowedFolders(settings),
        sessions,
        sounds,
        token,
        probes(stores, settings.broker_url or ""),
        home_id(settings.home),
    )
    rate = RateLimit(settings.http_rate_hz, 2 * settings.http_rate_hz + 1)
    answerer = _Answerer(service, Guard(token, rate, sessions, Origins(settings)))
    if settings.audiomuse_api:
        endpoints = (*endpoints, *audiomuse.ENDPOINTS)
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in (*endpoints, *_description(endpoints)):
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    mix = InstantMix(settings, stores.use) if settings.instant_mix else None
    app = Starlette(
        routes=[
            Route(path, partial(answerer.answer, methods), methods=list(methods))
            for path, methods in by_path.items()
        ]
        + ([mix_route(service, mix)] if mix else []),
        middleware=_middleware(settings),
        exception_handlers={404: _unknown, 405: _unknown, Exception: _failed},
    )
    app.router.redirect_slashes = False  # a place with nothing behind its last slash is no place

    def close() -> None:
        if mix:
            mix.close()
        stores.close()
        sounds.close()

    app.state.stores, app.state.close = stores, close
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    if not settings.http_cors:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.http_cors.split(),
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
        )
    ]


def _description(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints that describe all endpoints, themselves included."""

    async def openapi(_service: HttpService, _call: Call) -> Reply:
        """The OpenAPI document."""
        return Reply(document)

    async def docs(_service: HttpService, _call: Call) -> Reply:
        """The OpenAPI document as a page to read."""
        return Reply(text=page, media_type="text/html", headers=docs_page.HEADERS)

    own = (
        Endpoint("GET", "/openapi.json", "This description", openapi, is_open=True),
        Endpoint(
            "GET", "/docs", "This description, for people", docs, is_open=True, media=("text/html",)
        ),
    )
    document = describe((*endpoints, *own))
    page = docs_page.render(document)
    return own


class _Answerer:
    """Answers requests: checks them, runs their handler where it belongs, turns errors into JSON."""

    def __init__(self, service: HttpService, guard: Guard) -> None:
        self._service = service
        self._guard = guard
        self._questions = CapacityLimiter(_QUESTIONS_AT_ONCE)
        self._messages = CapacityLimiter(_MESSAGES_AT_ONCE)
        self._n_waiting = 0

    async def answer(self, methods: Mapping[str, Endpoint], request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        try:
            reply = await self._reply(endpoint, request)
            response = reply if isinstance(reply, Response) else _response(reply)
        except ClientDisconnect:
            response = Response(status_code=_DISCONNECTED)
        except Refused as refusal:
            response = _error(refusal.status, refusal.reason, refusal.headers)
        except MessError as error:
            response = _error(_status_of(error), str(error))
        self._service.metrics.requests.labels(endpoint.path, response.status_code).inc()
        return response

    async def _reply(self, endpoint: Endpoint, request: Request) -> Reply | Response:
        self._guard.check(request, is_open=endpoint.is_open)
        settings = self._service.settings
        budget = Budget(settings.file_limit_s, settings.memory_limit_mb)
        query, path = read_query(endpoint, request.url.query), read_path(request.path_params)
        if not endpoint.takes_file:
            body = await self._guard.body(request, endpoint.most_body_bytes)
            return await self._handled(
                endpoint, Call(query, path, body, request.headers, budget), request
            )
        file = self._service.sounds.place()
        try:
            await self._guard.save_body(request, endpoint.most_body_bytes, file)
            return await self._handled(
                endpoint, Call(query, path, b"", request.headers, budget, file), request
            )
        finally:
            file.unlink(missing_ok=True)

    async def _handled(self, endpoint: Endpoint, call: Call, request: Request) -> Reply | Response:
        if inspect.iscoroutinefunction(endpoint.handler):
            reply: Reply = await endpoint.handler(self._service, call)
            return reply
        if self._n_waiting >= _MOST_WAITING:
            raise Refused(503, "too many requests wait already", {"Retry-After": "1"})
        self._n_waiting += 1
        try:
            return await self._in_thread(endpoint, call, request)
        finally:
            self._n_waiting -= 1

    async def _in_thread(
        self, endpoint: Endpoint, call: Call, request: Request
    ) -> Reply | Response:
        """Run a handler in a thread, and tell it when the client leaves."""
        limiter = self._questions if endpoint.path.startswith(("/v1/", "/api/")) else self._messages
        departure = asyncio.create_task(_departure(request, call))
        try:
            work = partial(_run, endpoint.handler, self._service, call)
            reply = await to_thread.run_sync(work, limiter=limiter)
        except AudioError:
            if call.budget.is_over:  # the file was given up because nobody waits
                raise ClientDisconnect from None
            raise
        else:
            if call.budget.is_over:
                raise ClientDisconnect
            return reply
        finally:
            departure.cancel()


def _run(handler: Callable[..., Any], service: HttpService, call: Call) -> Reply | Response:
    if call.budget.is_over:
        raise ClientDisconnect
    with within(call.budget):
        reply: Reply | Response = handler(service, call)
    return reply


async def _departure(request: Request, call: Call) -> None:
    """Note that nobody waits for the answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    call.budget.end()


def _response(reply: Reply) -> Response:
    headers = dict(reply.headers)
    if reply.text is not None:
        return Response(reply.text, reply.status, headers, media_type=reply.media_type)
    # Escapes keep names of files that are no text, which UTF-8 could not carry.
    text = json.dumps(reply.document, ensure_ascii=True, allow_nan=False)
    return Response(text, reply.status, headers, media_type=reply.media_type)


def _status_of(error: MessError) -> int:
    match error:
        case NotFound():
            return 404
        case Conflict():
            return 409
        case UsageError():
            return 400
        case AudioError():
            return 422
        case _:
            log.warning("%s", error)
            return 503


def _error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps({"error": reason}, ensure_ascii=True)
    return Response(text, status, headers, media_type="application/json")


async def _unknown(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    reason = f"no {request.method} {request.url.path} here: see /docs"
    return JSONResponse({"error": reason}, status, getattr(error, "headers", None))


async def _failed(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "MESS failed here; its log says more"}, 500)
