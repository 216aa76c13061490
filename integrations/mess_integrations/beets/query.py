"""`similar:ID` and `similar:QUERY` as parts of beets queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from beets.dbcore import Model
from beets.dbcore.query import FieldQuery

from mess_integrations.beets.errors import UserError


class Host(Protocol):
    """What the query needs of the plugin."""

    def ids_like(self, table: str, pattern: str) -> Sequence[int]:
        """Ids of the items or albums that answer. Raises UserError where MESS cannot."""

    def complain(self, error: Exception) -> None:
        """Tell people, once, why a query matches nothing."""

    def is_changing(self) -> bool:
        """Whether beets has begun to change its library."""


class SimilarQuery(FieldQuery[str]):
    """Matches what sounds like the items that the pattern names. Asked once, when first needed."""

    table_name: ClassVar[str]
    host: ClassVar[Host]

    def __init__(self, field_name: str, pattern: str, fast: bool = True) -> None:
        super().__init__(field_name, pattern, fast)
        self._ids: tuple[int, ...] | None = None

    def clause(self) -> tuple[str, Sequence[int]]:
        """For SQLite. A command that asks and gets no answer ends with the reason.

        Not so when beets has begun to change its library (smart playlists are written at its end):
        then the query matches nothing, with a warning.
        """
        try:
            ids = self._answer()
        except UserError as error:
            if not self.host.is_changing():
                raise
            self.host.complain(error)
            ids = ()
        return f"{self.table_name}.id IN ({', '.join('?' * len(ids))})", ids

    def match(self, obj: Model) -> bool:
        """For one object. Never raises: beets asks this in the middle of imports, too."""
        try:
            return obj.get("id") in self._answer()
        except UserError as error:
            self.host.complain(error)
            return False

    def _answer(self) -> tuple[int, ...]:
        if self._ids is None:
            self._ids = tuple(self.host.ids_like(self.table_name, self.pattern))
        return self._ids


def similar_query(table: str, host: Host) -> type[SimilarQuery]:
    """The query class for a table, "items" or "albums"."""
    return type(f"Similar{table.title()}", (SimilarQuery,), {"table_name": table, "host": host})
