"""The routes that a reverse proxy sends here from Jellyfin's clients (docs/jellyfin.md).

They stand outside the table of endpoints: their paths, credentials and answers are Jellyfin's, which
checks every request itself. The header `X-MESS` says who answered, and why.
"""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mess_integrations.http.routing import HttpService
from mess_integrations.jellyfin.instant_mix import InstantMix
from mess_integrations.jellyfin.upstream import ClientRequest
from mess_plugin.errors import ServiceError

_AT_ONCE = 64  # threads, which mostly wait for Jellyfin


def mix_route(service: HttpService, mix: InstantMix) -> Route:
    """A route for every path; to stand last, for Jellyfin's base path may come before its routes."""
    limiter = CapacityLimiter(_AT_ONCE)

    async def answer(request: Request) -> Response:
        asked = ClientRequest.parse(
            request.scope["path"], request.url.query, request.headers.items()
        )
        route = asked.route
        if route is None:
            return JSONResponse({"error": f"no {request.method} {asked.path} here"}, 404)
        response = await to_thread.run_sync(_response, mix, asked, limiter=limiter)
        service.metrics.requests.labels(route["what"], response.status_code).inc()
        return response

    return Route("/{path:path}", answer, methods=["GET"])


def _response(mix: InstantMix, asked: ClientRequest) -> Response:
    try:
        reply = mix.reply(asked)
    except ServiceError as error:
        return JSONResponse({"error": str(error)}, 503, {"X-MESS": "failed"})
    who = f"passed on: {reply.reason}" if reply.reason else "mix"
    headers = {**reply.headers, "X-MESS": who.encode("ascii", "replace").decode()}
    return Response(reply.body, reply.status, headers)
