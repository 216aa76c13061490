"""What stands before every endpoint: the token, the rate of each client, and the size of bodies.

The token comes from the setting, else from a file of our own making.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from mess_integrations.rate_limit import RateLimit, client_of
from mess_integrations.web.origins import Origins
from mess_integrations.web.sessions import Sessions
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError
from mess_plugin.private_folder import make_private

MOST_BODY_BYTES = 1_048_576
_SHORTEST_TOKEN = 16


@dataclass(slots=True)
class Refused(Exception):
    """A request that is not answered: HTTP status and reason."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Guard:
    """Checks requests. Raises Refused."""

    token: str
    limit: RateLimit
    sessions: Sessions
    origins: Origins

    def check(self, request: Request, *, is_open: bool) -> None:
        """Rate first, so that guessing tokens is slow too; then the token or a session.

        A name that is not ours is refused to whoever has no token, also where is_open: a foreign
        page could point a name of its own at this machine (DNS rebinding).
        """
        client = client_of(request.client.host) if request.client else ""
        if not self.limit.admits(client):
            raise Refused(429, "too many requests: wait a second", {"Retry-After": "1"})
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and is_token(given.strip(), self.token):
            return
        if not self.origins.is_ours(request.headers.get("host", "")):
            raise Refused(
                421,
                "this service is not known by the name in the Host header: add it to the setting "
                "`hosts`",
            )
        if is_open:
            return
        if self.sessions.knows(request.cookies):
            if not self.origins.is_same(request.method, request.headers):
                raise Refused(403, "the request comes from a page of another site")
            return
        raise Refused(
            401,
            "wanted the header `Authorization: Bearer TOKEN`; the token is in MESS_TOKEN or in "
            "the file `token` of MESS_HOME; `mess open` signs a browser in",
            {"WWW-Authenticate": "Bearer"},
        )

    async def body(self, request: Request, most_bytes: int | None = None) -> bytes:
        """The body, read no further than is allowed. Raises starlette's ClientDisconnect too."""
        received = bytearray()
        async for part in self._parts(request, most_bytes or MOST_BODY_BYTES):
            received += part
        return bytes(received)

    async def save_body(self, request: Request, most_bytes: int | None, path: Path) -> None:
        """The body into a new private file, read no further than is allowed."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async for part in self._parts(request, most_bytes or MOST_BODY_BYTES):
                file.write(part)

    @staticmethod
    async def _parts(request: Request, most_bytes: int) -> AsyncIterator[bytes]:
        received = 0
        async for part in request.stream():
            received += len(part)
            if received > most_bytes:
                raise Refused(413, f"the body is larger than {most_bytes} bytes")
            yield part


def token_for(settings: Settings) -> str:
    """The setting `token`, else the content of MESS_HOME/token, made once and private (0600).

    Raises ConfigError where it is too short to be a secret or cannot be read.
    """
    if settings.token is not None:
        return _checked(settings.token, "token")
    path = settings.home / "token"
    try:
        _make(path)
        return _checked(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("token", str(path), f"this file cannot be read: {error}") from error


def is_token(given: str, token: str) -> bool:
    """Whether a given token is the right one, in a time that does not tell how much of it is."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _make(path: Path) -> None:
    """A new token, unless there is one; of several at once the first wins."""
    if path.exists():
        return
    make_private(path.parent)
    draft = path.with_name(f".token.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    try:
        os.link(draft, path)  # unlike a rename this never replaces one that is in use
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _checked(token: str, where: str) -> str:
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            "token", "(secret)", f"{where} must have {_SHORTEST_TOKEN} characters or more"
        )
    return token
