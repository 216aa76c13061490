"""Tracks that are never suggested: by anybody's question, or by one listener's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mess_plugin.errors import UsageError
from mess_plugin.options import OPTIONS
from mess_plugin.search.filters import passing
from mess_plugin.search.parsing import query
from mess_plugin.search.query import Filters, check_listener
from mess_plugin.store import Store


def never_suggested(store: Store, listener: str | None) -> list[int]:
    """The ids of tracks that no answer to a listener may hold; None: that none to anybody may."""
    month = datetime.now().astimezone().month
    rules = [rule for rule in store.never.of(listener) if month not in rule.except_months]
    found: set[int] = set()
    for rule in rules:
        found.update(passing(store, filters_of(rule.words), None))
    return sorted(found)


def add_rule(
    store: Store,
    words: Mapping[str, Any],
    *,
    listener: str | None = None,
    except_months: Sequence[int] = (),
    remote: bool = False,
) -> tuple[int, int]:
    """Never suggest what passes a filter from now on: (id of the rule, how many tracks it holds now).

    words: by the keys of `mess_plugin.options`; what is None is not said.
    remote: they come from another machine (see `parsing.query`).
    Raises UsageError for a filter that cannot be, or none at all.
    """
    if listener is not None:
        check_listener(listener)
    for month in except_months:
        if not 1 <= month <= 12:
            raise UsageError(f"month {month}: wanted 1 to 12")
    said = {key: value for key, value in words.items() if value not in (None, (), [])}
    n_tracks = len(passing(store, filters_of(said, remote=remote), None))
    return store.never.add(listener, said, except_months), n_tracks


def filters_of(words: Mapping[str, Any], *, remote: bool = False) -> Filters:
    """The filter of a rule. Raises UsageError where it is none."""
    for option in OPTIONS:
        if option.key in words and not option.is_filter:
            raise UsageError(f"--{option.name} is no filter: leave it out")
    filters = query(words, remote=remote).filters
    if not filters.any:
        raise UsageError("say what is never to be suggested, for example --genre audiobook")
    return filters
