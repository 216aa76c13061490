"""Whether the service is alive, whether it can work, and its numbers."""

from __future__ import annotations

import asyncio

from mess_integrations.http.answers import HealthAnswer, Readiness
from mess_integrations.http.probes import BACKGROUND
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply


async def healthz(service: HttpService, _call: Call) -> Reply:
    """The process answers. home: which home it serves."""
    return Reply({"ok": True, "home": service.home_id})


async def readyz(service: HttpService, _call: Call) -> Reply:
    """Both servers answer, and no watcher, dispatcher or worker keeps failing; else 503 and why."""
    names = list(service.probes)
    states = await asyncio.gather(*(service.probes[name].state() for name in names))
    checks = dict(zip(names, states, strict=True))
    if checks["database"] != "ok" or checks[BACKGROUND] == "ok":
        del checks[BACKGROUND]
    ready = set(checks.values()) == {"ok"}
    return Reply({"ok": ready, "checks": checks}, 200 if ready else 503)


def metrics(service: HttpService, _call: Call) -> Reply:
    """The text format of Prometheus."""
    return Reply(text=service.metrics.text(), media_type="text/plain; version=0.0.4")


_NOT_READY = {
    200: "Ready.",
    503: "A server does not answer, or a background service keeps failing.",
}
ENDPOINTS = (
    Endpoint(
        "GET", "/healthz", "Whether the service is alive", healthz, is_open=True,
        answer=HealthAnswer,
    ),
    Endpoint(
        "GET", "/readyz", "Whether it can work", readyz, is_open=True, answers=_NOT_READY,
        answer=Readiness
    ),
    Endpoint("GET", "/metrics", "Numbers for Prometheus", metrics, media=("text/plain",)),
)  # fmt: skip
