"""Smart playlists that were declared over HTTP: what was said, as it was said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from mess_plugin.store.session import DbSession


class Smart(msgspec.Struct, frozen=True):
    """One declaration. account: whose, as the media server knows the user: USER@SERVER, by ids."""

    id: int
    account: str
    name: str
    rule: Mapping[str, Any]
    created_at: datetime
    changed_at: datetime


class SmartPlaylists:
    """The declarations."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def all(self) -> list[Smart]:
        """All of them, oldest first."""
        return [Smart(*row) for row in self._session.rows("list_smart")]

    def create(self, account: str, name: str, rule: Mapping[str, Any]) -> Smart | None:
        """One more; None where the account has one of this name."""
        rows = self._session.rows(
            "create_smart", account=account, title=name, rule=Jsonb(dict(rule))
        )
        return Smart(*rows[0]) if rows else None

    def change(self, number: int, rule: Mapping[str, Any]) -> Smart | None:
        """Another rule for one; None where there is none of this number."""
        rows = self._session.rows("change_smart", id=number, rule=Jsonb(dict(rule)))
        return Smart(*rows[0]) if rows else None

    def delete(self, number: int) -> bool:
        """Forget one. Returns whether it was there."""
        return bool(self._session.rows("delete_smart", id=number))

    def mark(self) -> tuple[object, ...]:
        """A value that is another one when the declarations have changed."""
        return tuple(self._session.row("mark_smart"))
