"""Fields that exist in memory only: computed for what was found, never stored by beets."""

from __future__ import annotations

from dataclasses import dataclass

from beets.dbcore import Model, types
from beets.dbcore.query import NumericQuery


@dataclass(frozen=True, slots=True)
class Found:
    """What MESS says of one item or album. Times in seconds, None where no section was compared."""

    rank: int
    score: float
    start_s: float | None
    end_s: float | None
    why: str


class _FoundQuery(NumericQuery):
    """Ranges such as `mess_score:0.8..`; what was not found matches none."""

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
