"""The application: all endpoints behind one guard, and errors as JSON with one line."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.http import (
    clusters,
    feedback,
    health,
    library,
    questions,
    smart_playlists,
    webhooks,
)
from mess_integrations.http.auth import Guard, Refused
from mess_integrations.http.metrics import HttpMetrics
from mess_integrations.http.openapi import describe
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply, read_query
from mess_integrations.rate_limit import RateLimit
from mess_integrations.web import routes as web
from mess_integrations.web.origins import Origins
from mess_integrations.web.sessions import Sessions
from mess_plugin.config import Settings
from mess_plugin.errors import AudioError, MessError, UsageError
from mess_plugin.store.pool import StorePool

log = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 16  # a file that is not in the library takes seconds to hear; others wait here
_MESSAGES_AT_ONCE = 16  # … and never hold up webhooks, health or metrics

ENDPOINTS: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *library.ENDPOINTS,
    *questions.ENDPOINTS,
    *feedback.ENDPOINTS,
    *clusters.ENDPOINTS,
    *smart_playlists.ENDPOINTS,
    *web.ENDPOINTS,
)


def make_app(
    settings: Settings, token: str, endpoints: Sequence[Endpoint] = ENDPOINTS
) -> Starlette:
    """The ASGI application. settings: with the addresses of both servers filled in."""
    stores = StorePool(settings.database_url or "", most=_QUESTIONS_AT_ONCE + _MESSAGES_AT_ONCE)
    sessions = Sessions(settings.home)
    service = HttpService(
        settings, stores, HttpMetrics(stores), AllowedFolders(settings), sessions, token
    )
    rate = RateLimit(settings.http_rate_hz, 2 * settings.http_rate_hz + 1)
    guard = Guard(token, rate, sessions, Origins(settings))
    questions, messages = CapacityLimiter(_QUESTIONS_AT_ONCE), CapacityLimiter(_MESSAGES_AT_ONCE)
    documented = (*endpoints, _openapi(endpoints))
    app = Starlette(
        routes=[
            Route(
                endpoint.path,
                _answer(
                    endpoint,
                    service,
                    guard,
                    questions if endpoint.path.startswith("/v1/") else messages,
                ),
                methods=[endpoint.method],
            )
            for endpoint in documented
        ],
        exception_handlers={404: _unknown, 405: _unknown},
    )
    app.state.stores = stores
    return app


def _openapi(endpoints: Sequence[Endpoint]) -> Endpoint:
    document = describe(endpoints)

    def openapi(_service: HttpService, _call: Call) -> Reply:
        return Reply(document)

    return Endpoint("GET", "/openapi.json", "This description", openapi, is_open=True)


def _answer(
    endpoint: Endpoint, service: HttpService, guard: Guard, threads: CapacityLimiter
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            guard.check(request, is_open=endpoint.is_open)
            body = await guard.body(request, endpoint.most_body_bytes)
            query = read_query(endpoint, request.query_params)
            call = Call(query, request.path_params, body, request.headers)
            reply = await to_thread.run_sync(endpoint.handler, service, call, limiter=threads)
            response = reply if isinstance(reply, Response) else _response(reply)
        except Refused as refusal:
            response = _error(refusal.status, refusal.reason, refusal.headers)
        except MessError as error:
            response = _error(_status_of(error), str(error))
        service.metrics.requests.labels(endpoint.path, response.status_code).inc()
        return response

    return answer


def _response(reply: Reply) -> Response:
    if reply.text is not None:
        return Response(reply.text, reply.status, reply.headers, media_type=reply.media_type)
    # Escapes keep names of files that are no text, which UTF-8 could not carry.
    text = json.dumps(reply.document, ensure_ascii=True, allow_nan=False)
    return Response(text, reply.status, reply.headers, media_type=reply.media_type)


def _status_of(error: MessError) -> int:
    match error:
        case NotFound():
            return 404
        case UsageError():
            return 400
        case AudioError():
            return 422
        case _:
            log.warning("%s", error)
            return 503


def _error(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps({"error": reason}, ensure_ascii=True)
    return Response(text, status, headers, media_type="application/json")


async def _unknown(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return JSONResponse({"error": f"no {request.method} {request.url.path} here"}, status)
