"""What is never suggested, as rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from psycopg.types.json import Jsonb

from mess_plugin.store.session import DbSession


class NeverRule(msgspec.Struct, frozen=True):
    """A filter whose tracks are never suggested."""

    id: int
    listener: str | None
    """Whose rule it is; None for everybody's."""
    words: Mapping[str, object]
    """The filter, by the keys of `mess_plugin.options`."""
    except_months: tuple[int, ...]
    """Months, 1 to 12, in which it does not hold."""


class NeverRules:
    """All rules."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def add(
        self, listener: str | None, words: Mapping[str, object], except_months: Sequence[int]
    ) -> int:
        """Add a rule, unless there is the same one; its id."""
        row = self._session.row(
            "add_never_rule",
            listener=listener or "",
            words=Jsonb(dict(words)),
            except_months=sorted(set(except_months)),
        )
        return int(row[0])

    def all(self) -> list[NeverRule]:
        """Everybody's, and each listener's own."""
        return [
            NeverRule(rule, listener or None, words, tuple(months))
            for rule, listener, words, months in self._session.rows("list_never_rules")
        ]

    def of(self, listener: str | None) -> list[NeverRule]:
        """Those that hold for a listener; None: for everybody."""
        return [rule for rule in self.all() if rule.listener in (None, listener)]

    def remove(self, rule: int) -> bool:
        """Remove a rule; whether there was one."""
        return bool(self._session.rows("remove_never_rule", rule=rule))
