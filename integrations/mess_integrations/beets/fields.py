"""What MESS adds to beets' library: the fields `mess_…` and the query `similar:`.

The fields exist in memory only, for what this process has found; beets stores none of them. This is
loaded at every start of beets, so it imports nothing of MESS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from beets import ui
from beets.dbcore import Model, types
from beets.dbcore.query import FieldQuery, NumericQuery

# The class has lived in two modules; `beets.ui` offers it in every version.
UserError: type[Exception] = ui.UserError  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Found:
    """An answer about one item or album."""

    rank: int
    score: float
    start_s: float | None
    """Of the matching section; None where whole tracks were compared."""
    end_s: float | None
    why: str


@dataclass(frozen=True, slots=True)
class HeardFields:
    """What was heard in one item."""

    bpm: float | None
    key: str
    """Such as "A minor"; empty where there is none."""
    moods: str
    """Words of docs/query.md, with commas between them."""
    activity: float
    """How much happens, 0 calm to 1 driving."""

    @property
    def short_key(self) -> str:
        """The key as tags hold it: "Am", "F#"; empty where there is none."""
        tonic, _, mode = self.key.partition(" ")
        return tonic + ("m" if mode == "minor" else "")


class _FoundQuery(NumericQuery):
    """Ranges such as `mess_score:0.8..`; items that were not found never match."""

    def match(self, obj: Model) -> bool:
        return obj.get(self.field_name) is not None and super().match(obj)


class _Number(types.NullFloat):
    """A number that is empty, not zero, where there is none."""

    query = _FoundQuery

    def format(self, value: float | None) -> str:
        return "" if value is None else f"{value:.{self.digits}f}"


class _Rank(types.NullInteger):
    """A whole number that is empty where there is none."""

    query = _FoundQuery

    def format(self, value: int | None) -> str:
        return "" if value is None else str(value)


TYPES: dict[str, types.Type] = {
    "mess_score": _Number(3),
    "mess_rank": _Rank(),
    "mess_start": _Number(1),
    "mess_end": _Number(1),
    "mess_why": types.STRING,
}


HEARD_TYPES: dict[str, types.Type] = {
    "mess_bpm": _Number(1),
    "mess_key": types.STRING,
    "mess_moods": types.STRING,
    "mess_activity": _Number(2),
}
"""Fields of items that were heard, whether or not anything was asked."""


def heard_value(heard: HeardFields | None, field: str) -> float | str | None:
    """The value of one of HEARD_TYPES; None or an empty text where the item was not heard."""
    if heard is None:
        return "" if field in ("mess_key", "mess_moods") else None
    value: float | str | None = getattr(heard, field.removeprefix("mess_"))
    return value


def value_of(found: Found | None, field: str) -> float | int | str | None:
    """The value of one of the fields; None (an empty text for mess_why) where nothing was found."""
    if found is None:
        return "" if field == "mess_why" else None
    values = {
        "mess_score": found.score,
        "mess_rank": found.rank,
        "mess_start": found.start_s,
        "mess_end": found.end_s,
        "mess_why": found.why,
    }
    return values[field]


class QueryHost(Protocol):
    """What the query needs of the plugin."""

    def ids_like(self, table: str, pattern: str) -> Sequence[int]:
        """Ids of the items or albums that answer. Raises UserError where MESS fails."""

    def complain(self, error: Exception) -> None:
        """Warn, once, why a query matches nothing."""

    def is_changing(self) -> bool:
        """Whether this command changes beets' library."""


class SoundsLikeQuery(FieldQuery[str]):
    """`similar:PATTERN`: matches what sounds like the items that the pattern names.

    MESS is asked once, when the answer is first needed.
    """

    table_name: ClassVar[str]
    host: ClassVar[QueryHost]

    def __init__(self, field_name: str, pattern: str, fast: bool = True) -> None:
        super().__init__(field_name, pattern, fast)
        self._ids: tuple[int, ...] | None = None

    def clause(self) -> tuple[str, Sequence[int]]:
        """The SQL condition. Raises UserError where MESS fails.

        Except where beets is changing its library (smart playlists are written at its end): then the
        query matches nothing, with a warning.
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
        """Whether one object matches. Never raises: beets calls this during imports, too."""
        try:
            return obj.get("id") in self._answer()
        except UserError as error:
            self.host.complain(error)
            return False

    def _answer(self) -> tuple[int, ...]:
        if self._ids is None:
            self._ids = tuple(self.host.ids_like(self.table_name, self.pattern))
        return self._ids


def similar_query(table: str, host: QueryHost) -> type[SoundsLikeQuery]:
    """The query class for a table, "items" or "albums"."""
    return type(f"Similar{table.title()}", (SoundsLikeQuery,), {"table_name": table, "host": host})
