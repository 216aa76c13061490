"""Any question at all: plain or steered, about songs or about a section.

The one rule which of them a question is, for the command line and for HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Level
from mess_plugin.search.asking import Steered, steer
from mess_plugin.search.engine import Answer, similar
from mess_plugin.search.query import MAX_K, SHOW, Query
from mess_plugin.store import Store

_DEPTHS = (100, MAX_K)  # later pages are cut from rankings of these lengths, so that they agree


def interval_of(start_s: float | None, end_s: float | None) -> Interval | None:
    """The stretch between two times, either of which may be open; None where both are."""
    if start_s is None and end_s is None:
        return None
    return Interval(start_s or 0.0, float("inf") if end_s is None else end_s)


def answer(
    store: Store,
    settings: Settings,
    refs: Sequence[str],
    query: Query,
    *,
    k: int = 10,
    scope: Level | None = None,
    interval: Interval | None = None,
    section: str | None = None,
) -> Answer | Steered:
    """At most k matches, best first.

    One reference and a query that steers nothing are asked by `mess_plugin.search.engine.similar`,
    all else by `steer`. scope None: songs, or sections where a stretch or a section is given.
    Raises UsageError (and its kinds) where the question has no answer.
    """
    about_section = interval is not None or section is not None
    if (about_section or scope is Level.SECTION) and (query.steers or len(refs) != 1):
        raise UsageError("sections are asked about with one REF and without steering options")
    if about_section and scope is Level.SONG:
        raise UsageError("scope song and a section exclude each other: leave one out")
    if query.steers or len(refs) != 1:
        return steer(store, settings, refs, query, k=k)
    return similar(
        store,
        settings,
        refs[0],
        k=k,
        scope=scope or Level.SONG,
        interval=interval,
        section=section,
        duplicates=query.duplicates == SHOW,
    )


def depth(offset: int, k: int) -> int:
    """How many answers are wanted for a page of k that begins after `offset` others.

    All pages after the first come from a ranking of 100 or of MAX_K answers. Raises UsageError where
    the page lies beyond MAX_K.
    """
    if offset < 0:
        raise UsageError(f"offset is {offset}: wanted 0 or more")
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}: wanted 1 to {MAX_K}")
    if offset + k > MAX_K:
        raise UsageError(f"offset and k reach to {offset + k}: wanted at most {MAX_K} together")
    return k if not offset else next(most for most in _DEPTHS if most >= offset + k)
