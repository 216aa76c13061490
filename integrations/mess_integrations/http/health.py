"""Whether the service is alive, whether it can work, and its numbers."""

from __future__ import annotations

from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.errors import MessError
from mess_plugin.services import ping_broker


def healthz(_service: HttpService, _call: Call) -> Reply:
    """The process answers."""
    return Reply({"ok": True})


def readyz(service: HttpService, _call: Call) -> Reply:
    """Both servers answer; else 503 with the names of those that do not."""
    checks: dict[str, str] = {}
    try:
        with service.stores.use() as store:
            store.server_versions()
        checks["database"] = "ok"
    except MessError:
        checks["database"] = "does not answer"
    try:
        ping_broker(service.settings.broker_url or "")
        checks["broker"] = "ok"
    except MessError:
        checks["broker"] = "does not answer"
    ready = set(checks.values()) == {"ok"}
    return Reply({"ok": ready, "checks": checks}, 200 if ready else 503)


def metrics(service: HttpService, _call: Call) -> Reply:
    """The text format of Prometheus."""
    return Reply(text=service.metrics.text(), media_type="text/plain; version=0.0.4")


_NOT_READY = {200: "Ready.", 503: "A server does not answer."}
ENDPOINTS = (
    Endpoint("GET", "/healthz", "Whether the service is alive", healthz, is_open=True),
    Endpoint(
        "GET", "/readyz", "Whether it can work", readyz, is_open=True, answers=_NOT_READY
    ),
    Endpoint("GET", "/metrics", "Numbers for Prometheus", metrics),
)  # fmt: skip
