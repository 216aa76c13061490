"""`similar:ID` and `similar:QUERY` as parts of beets queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from beets.dbcore import Model
from beets.dbcore.query import FieldQuery
from beets.exceptions import UserError

Ids = Callable[[str], Sequence[int]]
"""pattern → ids of the items (or albums) that answer it; raises UserError where MESS cannot."""


class SimilarQuery(FieldQuery[str]):
    """Matches what sounds like the items that the pattern names. Asked once, when first needed."""

    table_name: ClassVar[str]
    ask: ClassVar[Ids]
    forgiving: ClassVar[Callable[[UserError], bool]]

    def __init__(self, field_name: str, pattern: str, fast: bool = True) -> None:
        super().__init__(field_name, pattern, fast)
        self._ids: tuple[int, ...] | None = None

    def clause(self) -> tuple[str, Sequence[int]]:
        """For SQLite. A command that asks and gets no answer ends with the reason."""
        try:
            ids = self._answer()
        except UserError as error:
            if not self.forgiving(error):
                raise
            ids = ()
        return f"{self.table_name}.id IN ({', '.join('?' * len(ids))})", ids

    def match(self, obj: Model) -> bool:
        """For one object. Never raises: beets asks this in the middle of imports, too."""
        try:
            return obj.get("id") in self._answer()
        except UserError as error:
            type(self).complain(error)
            return False

    complain: ClassVar[Callable[[UserError], None]]

    def _answer(self) -> tuple[int, ...]:
        if self._ids is None:
            self._ids = tuple(type(self).ask(self.pattern))
        return self._ids


def similar_query(
    table: str, ask: Ids, complain: Callable[[UserError], None], forgiving: Callable[[], bool]
) -> type[SimilarQuery]:
    """The query class for a table, asking `ask`.

    complain: told once per reason. forgiving: whether a missing answer is an empty one by now,
    because beets has changed something and must come to its end.
    """

    def forgive(error: UserError) -> bool:
        if forgiving():
            complain(error)
            return True
        return False

    members: dict[str, Any] = {
        "table_name": table,
        "ask": staticmethod(ask),
        "complain": staticmethod(complain),
        "forgiving": staticmethod(forgive),
    }
    return type(f"Similar{table.capitalize()}", (SimilarQuery,), members)
