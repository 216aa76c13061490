"""The few calls of Jellyfin's API that MESS needs (10.11 and 12).

Ids come with or without dashes and are normalised here; times come in ticks of 100 ns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.client import Denied, JellyfinClient, Unlinked
from mess_plugin.store.hosts import HostItem, normalise_id

TICKS_PER_S = 10_000_000
MAX_IDS_PER_REQUEST = 100  # ids travel in the address, which may not grow without end
_FIELDS = ("Path", "ProviderIds")
_RECORDING = ("musicbrainzrecording", "musicbrainztrack")


class JellyfinPlaylist(msgspec.Struct, frozen=True):
    """A playlist that the user can see."""

    id: str
    name: str


class JellyfinApi:
    """One user's view of a server. All methods raise ServiceError or Unlinked."""

    def __init__(self, client: JellyfinClient, user_id: str) -> None:
        self._client = client
        self._user_id = user_id

    @classmethod
    def of(cls, link: JellyfinLink) -> JellyfinApi:
        """The API of a linked user."""
        return cls(JellyfinClient(link.url, link.device_id, link.token), link.user_id)

    def page(
        self, start: int, limit: int, since: datetime | None = None
    ) -> tuple[list[HostItem], int]:
        """Audio items start … start + limit, oldest first, and how many the page had.

        since: only items that the server saved at or after that time.
        """
        document = self._audio(
            sortBy=["DateCreated", "SortName"], sortOrder="Ascending", startIndex=start, limit=limit,
            minDateLastSaved=since.astimezone(UTC).isoformat() if since else None,
        )  # fmt: skip
        return _items(document), len(document["Items"])

    def lookup(self, ids: Sequence[str]) -> list[HostItem]:
        """Those of the items that the server has and the user may see, in any order."""
        found: list[HostItem] = []
        for start in range(0, len(ids), MAX_IDS_PER_REQUEST):
            found += _items(self._audio(ids=list(ids[start : start + MAX_IDS_PER_REQUEST])))
        return found

    def favourites(self, limit: int) -> list[str]:
        """The user's favourite tracks, the last played first."""
        return _ids(
            self._audio(
                filters="IsFavorite", sortBy="DatePlayed", sortOrder="Descending", limit=limit
            )
        )

    def recent(self, limit: int) -> list[str]:
        """What the user played last."""
        return _ids(
            self._audio(
                filters="IsPlayed", sortBy="DatePlayed", sortOrder="Descending", limit=limit
            )
        )

    def playlists(self) -> list[JellyfinPlaylist]:
        """All playlists that the user sees, also other people's public ones."""
        document = self._client.get(
            "/Items", userId=self._user_id, recursive=True, includeItemTypes="Playlist",
            enableImages=False, enableUserData=False,
        )  # fmt: skip
        return [
            JellyfinPlaylist(normalise_id(item["Id"]), item.get("Name") or "")
            for item in document["Items"]
        ]

    def owns(self, playlist: str) -> bool:
        """Whether the user owns it: Jellyfin shows only owners with whom a playlist is shared."""
        try:
            self._client.get(f"/Playlists/{playlist}/Users")
        except Denied:
            return False
        return True

    def contents(self, playlist: str) -> list[str]:
        """The items of a playlist in order, duplicates included."""
        found: list[str] = []
        while True:
            document = self._client.get(
                f"/Playlists/{playlist}/Items", userId=self._user_id, startIndex=len(found),
                limit=1000, enableImages=False, enableUserData=False,
            )  # fmt: skip
            found += _ids(document)
            if len(document["Items"]) < 1000:
                return found

    def create(self, name: str, items: Sequence[str]) -> str:
        """Create a private playlist and return its id."""
        answer = self._client.post(
            "/Playlists",
            {
                "Name": name,
                "Ids": [dashed(item) for item in items],
                "UserId": dashed(self._user_id),
                "MediaType": "Audio",
                "Users": [],
                "IsPublic": False,  # the server's own default is to show it to everybody
            },
        )
        return normalise_id(answer["Id"])

    def replace(self, playlist: str, items: Sequence[str]) -> None:
        """Replace the content of a playlist."""
        body = {"Ids": [dashed(item) for item in items]}
        try:
            self._client.post(f"/Playlists/{playlist}", body, repeatable=True)
        except Denied as error:
            raise Denied(
                f"Jellyfin at {self._client.url}",
                f"it does not let this account change playlist {playlist}: link its owner's account "
                "(an API key has none)",
            ) from error

    def log_out(self) -> None:
        """Revoke the token."""
        self._client.post("/Sessions/Logout")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _audio(self, **query: object) -> Mapping[str, Any]:
        document: Mapping[str, Any] = self._client.get(
            "/Items",
            userId=self._user_id,
            recursive=True,
            includeItemTypes="Audio",
            fields=list(_FIELDS),
            enableImages=False,
            enableUserData=False,
            enableTotalRecordCount=False,
            **query,
        )
        return document


class JellyfinAccount(msgspec.Struct, frozen=True):
    """A linked user and the API with that user's token."""

    link: JellyfinLink
    api: JellyfinApi

    @classmethod
    def of(cls, link: JellyfinLink) -> JellyfinAccount:
        """Makes no request yet."""
        return cls(link, JellyfinApi.of(link))


def accepted_accounts(
    accounts: Iterable[JellyfinAccount], refused: Callable[[JellyfinAccount], None]
) -> tuple[JellyfinAccount, ...]:
    """The accounts whose tokens the server accepts; the others are passed to `refused`.

    Raises Unlinked where none is accepted, ServiceError where the server is away.
    """
    found, trouble = [], None
    for account in accounts:
        try:
            account.api.playlists()
        except Unlinked as error:
            trouble = error
            refused(account)
        else:
            found.append(account)
    if trouble and not found:
        raise trouble
    return tuple(found)


def by_server(accounts: Iterable[JellyfinAccount]) -> list[tuple[JellyfinAccount, ...]]:
    """Accounts grouped by server, in order."""
    groups: dict[str, list[JellyfinAccount]] = {}
    for account in accounts:
        groups.setdefault(account.link.server, []).append(account)
    return [tuple(group) for group in groups.values()]


def dashed(item: str) -> str:
    """An id with dashes, as the API documents declare it (RFC 4122)."""
    return "-".join((item[:8], item[8:12], item[12:16], item[16:20], item[20:]))


def _ids(document: Mapping[str, Any]) -> list[str]:
    return [normalise_id(item["Id"]) for item in document["Items"]]


def _items(document: Mapping[str, Any]) -> list[HostItem]:
    return [_item(one) for one in document["Items"] if one.get("Type") == "Audio"]


def _item(document: Mapping[str, Any]) -> HostItem:
    ticks = document.get("RunTimeTicks")
    providers = {
        str(key).lower(): value for key, value in (document.get("ProviderIds") or {}).items()
    }
    recordings = [str(providers[key]).lower() for key in _RECORDING if providers.get(key)]
    return HostItem(
        normalise_id(document["Id"]),
        document.get("Name") or "",
        document.get("Path"),
        ticks / TICKS_PER_S if ticks else None,
        tuple(dict.fromkeys(word for text in recordings for word in text.split())),
    )
