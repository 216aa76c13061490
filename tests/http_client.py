"""The HTTP service on a real socket, and a client of it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

from mess_integrations.http.app import ENDPOINTS, make_app
from mess_integrations.http.connections import WaitingConnections
from mess_integrations.http.routing import Endpoint
from mess_integrations.http.serving import configuration, listening
from mess_plugin.config import Settings

TOKEN = "a-token-for-tests-only"
Eventually = Callable[..., None]


@dataclass
class Client:
    url: str
    server: uvicorn.Server | None = None

    def __call__(
        self,
        path: str,
        body: object = None,
        *,
        token: str | None = TOKEN,
        data: bytes | None = None,
        content_type: str = "application/json",
        method: str | None = None,
    ) -> tuple[int, Any]:
        headers = {"Content-Type": content_type}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _read(answer)
        except urllib.error.HTTPError as error:
            return error.code, _read(error)


def _read(answer: Any) -> Any:
    text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers["Content-Type"] else text


def serving(
    settings: Settings,
    eventually: Eventually,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
    waiting: WaitingConnections | None = None,
) -> Generator[Client]:
    """The service as long as the iterator lives."""
    app = make_app(settings, TOKEN, endpoints)
    server = uvicorn.Server(configuration(app, waiting))
    listener = listening("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        eventually(lambda: server.started, 30)
        yield Client(f"http://127.0.0.1:{listener.getsockname()[1]}", server)
    finally:
        server.should_exit = True
        thread.join()
        app.state.close()
