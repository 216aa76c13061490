"""Linked Jellyfin accounts, kept in MESS_HOME/jellyfin.json (mode 600)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from mess_integrations.jellyfin.client import Unlinked
from mess_plugin.atomic_file import write_bytes
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.private_folder import make_private
from mess_plugin.store import Store


def listener_of(store: Store, user_id: str | None) -> str | None:
    """Whose taste counts: the listener whom a user's account was joined to, else the account.

    None where the account reported nothing yet.
    """
    for one in store.verdicts.accounts():
        if one.source == "jellyfin" and one.account == user_id:
            return one.listener or user_id
    return None


class JellyfinLink(msgspec.Struct, frozen=True, kw_only=True):
    """What `mess jellyfin link` stored about one user's account on one server."""

    url: str
    server: str
    """The server's own id, without dashes."""
    version: str
    user_id: str
    """Without dashes."""
    user: str
    device_id: str
    token: str
    paths: tuple[str, ...] = ()
    """Rules JELLYFIN=LIBRARY where the server sees the library's folders under other paths; the same
    for all users of a server."""

    def __repr__(self) -> str:
        """Leaves the token out: this may be printed."""
        return f"Link({self.user} at {self.url})"

    @property
    def address(self) -> str:
        """USER@HOST, which tells users of one name apart."""
        return f"{self.user}@{urlsplit(self.url).netloc}"

    @property
    def key(self) -> str:
        """Stays the same when the server's address or the user's name changes."""
        return f"{self.user_id}@{self.server}"


class _LinksFile(msgspec.Struct, frozen=True):
    links: tuple[JellyfinLink, ...]


def links_file(home: Path) -> Path:
    """Where the links are kept."""
    return home / "jellyfin.json"


def load(home: Path) -> tuple[JellyfinLink, ...]:
    """All links, the oldest first. Raises Unlinked where there is none, ConfigError for a bad file."""
    path = links_file(home)
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


def _decoded(data: bytes) -> tuple[JellyfinLink, ...]:
    try:
        return msgspec.json.decode(data, type=_LinksFile).links
    except msgspec.ValidationError:
        return (
            msgspec.json.decode(data, type=JellyfinLink),
        )  # of an older MESS, which knew one user


def find_link(links: Sequence[JellyfinLink], name: str) -> JellyfinLink:
    """The link of a user, by USER or USER@HOST in any case. Raises UsageError."""
    wanted = name.casefold()
    found = [one for one in links if wanted in (one.user.casefold(), one.address.casefold())]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.address for one in found or links)
    wrong = "is linked more than once" if found else "is not linked"
    raise UsageError(f"user {name!r} {wrong}: known are {known}")


def add(home: Path, link: JellyfinLink) -> None:
    """Store a link, replacing that of the same user. Path rules, where given, are the server's."""
    try:
        links = load(home)
    except (Unlinked, ConfigError):  # linking again repairs a broken file
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


def remove(home: Path, link: JellyfinLink) -> None:
    """Delete a user's link and token."""
    place = (link.server, link.user_id)
    _save(home, [one for one in load(home) if (one.server, one.user_id) != place])


def _save(home: Path, links: Sequence[JellyfinLink]) -> None:
    """Write the links, readable by their owner alone, moved into place as a whole."""
    if not links:
        links_file(home).unlink(missing_ok=True)
        return
    make_private(home)
    text = msgspec.json.format(msgspec.json.encode(_LinksFile(tuple(links)))) + b"\n"
    write_bytes(links_file(home), text, mode=0o600)
