"""Running the service."""

from __future__ import annotations

import logging
import socket

import uvicorn

from mess_integrations.http.app import make_app
from mess_integrations.http.auth import token_for
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, ServiceError
from mess_plugin.logs import log_to_stderr
from mess_plugin.services import connected

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 200


def serve_http(settings: Settings) -> None:
    """Serve until told to stop. Raises ConfigError or ServiceError where it cannot listen."""
    log_to_stderr(settings.log_format)
    host, port = address(settings.listen)
    token = token_for(settings)
    with connected(settings, broker=True) as ready, _listening(host, port) as listener:
        app = make_app(ready, token)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
            lifespan="off",
        )
        log.info("listening on http://%s:%d", host, listener.getsockname()[1])
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            app.state.stores.close()


def address(listen: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port". Raises ConfigError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError("listen", listen, "wanted HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]"), int(port)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise ServiceError(
            "http", f"cannot listen on {host}:{port} ({error.strerror}): set `listen` to another"
        ) from error
