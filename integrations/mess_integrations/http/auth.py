"""What stands before every endpoint: the token, the rate of each client, and the size of bodies."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.requests import Request

from mess_integrations.http.secret import is_token

MOST_BODY_BYTES = 1_048_576
_MOST_CLIENTS = 4096


@dataclass(slots=True)
class Refused(Exception):
    """A request that is not answered: HTTP status and reason."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RateLimit:
    """A bucket of tokens a client: rate_hz on average, twice as many at once."""

    rate_hz: float
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def admits(self, client: str, now_s: float) -> bool:
        """Count a request; False where the client has used up its share."""
        most = 2 * self.rate_hz + 1
        left, at_s = self._buckets.pop(client, (most, now_s))
        left = min(most, left + (now_s - at_s) * self.rate_hz)
        admitted = left >= 1
        self._buckets[client] = (left - admitted, now_s)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return admitted


@dataclass(slots=True)
class Guard:
    """Checks requests. Raises Refused."""

    token: str
    limit: RateLimit

    def check(self, request: Request, *, is_open: bool) -> None:
        """Rate first, so that guessing tokens is slow too; then the token, unless is_open."""
        client = request.client.host if request.client else ""
        if not self.limit.admits(client, time.monotonic()):
            raise Refused(429, "too many requests: wait a second", {"Retry-After": "1"})
        if is_open:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_token(given.strip(), self.token):
            raise Refused(
                401,
                "wanted the header `Authorization: Bearer TOKEN`; the token is in MESS_TOKEN or in "
                "the file `token` of MESS_HOME",
                {"WWW-Authenticate": "Bearer"},
            )

    async def body(self, request: Request) -> bytes:
        """The body, read no further than is allowed."""
        received = bytearray()
        async for part in request.stream():
            received += part
            if len(received) > MOST_BODY_BYTES:
                raise Refused(413, f"the body is larger than {MOST_BODY_BYTES} bytes")
        return bytes(received)
