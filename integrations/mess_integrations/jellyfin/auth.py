"""Logging in to a server: by password or Quick Connect."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.client import Denied, JellyfinClient, Unlinked
from mess_plugin.errors import ServiceError, UsageError
from mess_plugin.store.hosts import normalise_id

_OLDEST = (10, 11)
_QUICK_CONNECT_S = 300.0


class Login:
    """A server, and the ways to log in to it."""

    def __init__(self, url: str) -> None:
        """Ask the server for its id and version.

        Raises UsageError for a wrong address or too old a version, ServiceError where nothing answers.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(f"address {url!r}: wanted http://HOST:8096 or https://HOST")
        self.device_id = uuid.uuid4().hex
        self.client = JellyfinClient(url, self.device_id)
        info = self.client.get("/System/Info/Public")
        self.version = str(info.get("Version") or "")
        self.server = normalise_id(str(info.get("Id") or ""))
        if not self.server:
            raise ServiceError(f"Jellyfin at {url}", "it gives no server id: is this Jellyfin?")
        if _number(self.version) < _OLDEST:
            raise UsageError(f"Jellyfin {self.version}: MESS needs 10.11 or newer")

    def by_password(self, user: str, password: str) -> JellyfinLink:
        """Log in. Raises UsageError for a wrong password."""
        try:
            answer = self.client.post(
                "/Users/AuthenticateByName", {"Username": user, "Pw": password}
            )
        except Unlinked as error:
            raise UsageError(
                f"Jellyfin does not accept user {user!r} with this password"
            ) from error
        return self._link(answer)

    def by_quick_connect(
        self, show: Callable[[str], None], *, wait_s: float = _QUICK_CONNECT_S, poll_s: float = 2.0
    ) -> JellyfinLink:
        """Show a code and wait until the user has entered it in Jellyfin. Raises UsageError."""
        if not self.client.get("/QuickConnect/Enabled"):
            raise UsageError("Quick Connect is off on this Jellyfin: give --user instead")
        request = self.client.post("/QuickConnect/Initiate")
        show(request["Code"])
        deadline_s = time.monotonic() + wait_s
        while not request["Authenticated"]:
            if time.monotonic() > deadline_s:
                raise UsageError("the code was not entered in time: try again")
            time.sleep(poll_s)
            request = self.client.get("/QuickConnect/Connect", secret=request["Secret"])
        try:
            answer = self.client.post(
                "/Users/AuthenticateWithQuickConnect", {"Secret": request["Secret"]}
            )
        except Denied as error:
            raise UsageError("Jellyfin does not accept the code: try again") from error
        return self._link(answer)

    def _link(self, answer: dict[str, Any]) -> JellyfinLink:
        return JellyfinLink(
            url=self.client.url,
            server=self.server,
            version=self.version,
            user_id=normalise_id(answer["User"]["Id"]),
            user=answer["User"]["Name"],
            device_id=self.device_id,
            token=answer["AccessToken"],
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
