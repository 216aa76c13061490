"""The link to one user's account on one server, kept in MESS_HOME/jellyfin.json (mode 600)."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mess_integrations.jellyfin.client import Client, Denied, Unlinked
from mess_plugin.errors import ConfigError, ServiceError, UsageError

_OLDEST = (10, 11)
_QUICK_CONNECT_S = 300.0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account. server, user_id: the server's ids, without dashes.

    paths: rules JELLYFIN=LIBRARY where the server names the library's folders otherwise.
    """

    url: str
    server: str
    version: str
    user_id: str
    user: str
    device_id: str
    token: str
    paths: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the token, wherever it may be printed."""
        return f"Link({self.user} at {self.url})"


def file_of(home: Path) -> Path:
    """Where the link is kept."""
    return home / "jellyfin.json"


def load(home: Path) -> Link:
    """The link. Raises Unlinked where there is none, ConfigError where it cannot be read."""
    path = file_of(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Link)
    except FileNotFoundError:
        raise Unlinked("no Jellyfin is linked: run `mess jellyfin link URL` first") from None
    except (OSError, msgspec.DecodeError) as error:
        # Not the content: the token is in it.
        raise ConfigError(
            "jellyfin", str(path), "this file cannot be read: run `mess jellyfin link` again"
        ) from error


def save(home: Path, link: Link) -> None:
    """Write the link, readable by its owner alone, moved into place as a whole."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".jellyfin.{os.getpid()}"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(link)) + b"\n")
        draft.replace(file_of(home))
    finally:
        draft.unlink(missing_ok=True)


class Door:
    """A server that nobody has logged in to yet."""

    def __init__(self, url: str) -> None:
        """Raises UsageError for an address or a server that cannot be, ServiceError for silence."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(f"address {url!r}: wanted http://HOST:8096 or https://HOST")
        self.device_id = uuid.uuid4().hex
        self.client = Client(url, self.device_id)
        info = self.client.get("/System/Info/Public")
        self.version = str(info.get("Version") or "")
        self.server = str(info.get("Id") or "").replace("-", "").lower()
        if not self.server:
            raise ServiceError(f"Jellyfin at {url}", "it gives no server id: is this Jellyfin?")
        if _number(self.version) < _OLDEST:
            raise UsageError(f"Jellyfin {self.version}: MESS needs 10.11 or newer")

    def by_password(self, user: str, password: str) -> Link:
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
    ) -> Link:
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

    def _link(self, answer: dict[str, Any]) -> Link:
        return Link(
            url=self.client.url,
            server=self.server,
            version=self.version,
            user_id=answer["User"]["Id"].replace("-", "").lower(),
            user=answer["User"]["Name"],
            device_id=self.device_id,
            token=answer["AccessToken"],
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
