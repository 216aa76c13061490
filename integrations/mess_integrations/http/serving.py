"""Running the service."""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import partial
from typing import cast

import uvicorn
from starlette.applications import Starlette

from mess_integrations.http.app import make_app
from mess_integrations.http.auth import token_for
from mess_integrations.http.connections import LimitedProtocol, WaitingConnections
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, ServiceError
from mess_plugin.logs import log_to_stderr
from mess_plugin.readiness import announce_ready
from mess_plugin.services import connected

log = logging.getLogger(__name__)


def serve_http(settings: Settings) -> None:
    """Serve until told to stop. Raises ConfigError or ServiceError where it cannot listen."""
    log_to_stderr(settings.log_format)
    host, port = address(settings.listen)
    token = token_for(settings)
    with connected(settings, broker=True) as ready, listening(host, port) as listener:
        app = make_app(ready, token)
        where = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        log.info("listening on %s", where)
        announce_ready(where)
        try:
            uvicorn.Server(configuration(app)).run(sockets=[listener])
        finally:
            app.state.close()


def configuration(app: Starlette, waiting: WaitingConnections | None = None) -> uvicorn.Config:
    """How uvicorn serves the application. waiting: the limits for clients that are silent."""
    protocol = partial(LimitedProtocol, waiting=waiting or WaitingConnections())
    return uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], protocol),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )


def address(listen: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port". Raises ConfigError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError("listen", listen, "wanted HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]"), int(port)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ServiceError where the address is taken or not ours."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise ServiceError(
            "http", f"cannot listen on {host}:{port} ({error.strerror}): set `listen` to another"
        ) from error
