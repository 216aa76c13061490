"""The links to users' accounts, kept in MESS_HOME/jellyfin.json (mode 600)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from mess_integrations.jellyfin.client import Unlinked
from mess_plugin.errors import ConfigError, UsageError


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One user's account on one server. server, user_id: the server's ids, without dashes.

    paths: rules JELLYFIN=LIBRARY where the server names the library's folders otherwise; the same
    for all users of a server.
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

    @property
    def address(self) -> str:
        """The user with the host, which tells users of one name apart."""
        return f"{self.user}@{urlsplit(self.url).netloc}"

    @property
    def key(self) -> str:
        """What stays the same whatever the server's address and the user's name become."""
        return f"{self.user_id}@{self.server}"


class _File(msgspec.Struct, frozen=True):
    links: tuple[Link, ...]


def file_of(home: Path) -> Path:
    """Where the links are kept."""
    return home / "jellyfin.json"


def load(home: Path) -> tuple[Link, ...]:
    """All links, the oldest first. Raises Unlinked where there is none, ConfigError for a bad file."""
    path = file_of(home)
    try:
        links = _decoded(path.read_bytes())
    except FileNotFoundError:
        links = ()
    except (OSError, msgspec.DecodeError) as error:
        # Not the content: tokens are in it.
        raise ConfigError(
            "jellyfin", str(path), "this file cannot be read: run `mess jellyfin link` again"
        ) from error
    if not links:
        raise Unlinked("no Jellyfin is linked: run `mess jellyfin link URL` first")
    return links


def _decoded(data: bytes) -> tuple[Link, ...]:
    try:
        return msgspec.json.decode(data, type=_File).links
    except msgspec.ValidationError:
        return (msgspec.json.decode(data, type=Link),)  # of an older MESS, which knew one user


def chosen(links: Sequence[Link], name: str) -> Link:
    """The link of a user, by USER or USER@HOST in any case. Raises UsageError."""
    wanted = name.casefold()
    found = [one for one in links if wanted in (one.user.casefold(), one.address.casefold())]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.address for one in found or links)
    wrong = "is linked more than once" if found else "is not linked"
    raise UsageError(f"user {name!r} {wrong}: known are {known}")


def add(home: Path, link: Link) -> None:
    """Link one more user, or the same one anew. Paths, where given, hold for the whole server."""
    try:
        links = load(home)
    except (Unlinked, ConfigError):  # a broken file is what linking again mends
        links = ()
    paths = link.paths or next((one.paths for one in links if one.server == link.server), ())
    same = [(one.server, one.user_id) for one in links]
    place = (link.server, link.user_id)
    merged = [link if key == place else one for key, one in zip(same, links, strict=True)]
    merged += [] if place in same else [link]
    _save(
        home,
        [
            msgspec.structs.replace(one, paths=paths, url=link.url, version=link.version)
            if one.server == link.server
            else one
            for one in merged
        ],
    )


def remove(home: Path, link: Link) -> None:
    """Forget an account and its token."""
    place = (link.server, link.user_id)
    _save(home, [one for one in load(home) if (one.server, one.user_id) != place])


def _save(home: Path, links: Sequence[Link]) -> None:
    """Write the links, readable by their owner alone, moved into place as a whole."""
    if not links:
        file_of(home).unlink(missing_ok=True)
        return
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".jellyfin.{os.getpid()}"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(_File(tuple(links)))) + b"\n")
        draft.replace(file_of(home))
    finally:
        draft.unlink(missing_ok=True)
