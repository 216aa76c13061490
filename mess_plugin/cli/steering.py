"""The options that steer, shared by every command that asks (docs/query.md)."""

from __future__ import annotations

from typing import Any

import click

from mess_plugin.cli.output import F
from mess_plugin.cli.shared_options import complete_ref, grouped
from mess_plugin.options import ASPECTS, HIDE, MOODS, OPTIONS, Kind, Option

COUNTS, ALLOWED, VARIETY = "What counts", "Who may answer", "How varied the answers are"
_VARIETY = frozenset({"per-artist", "per-album", "diversity", "duplicates"})


def steering_options(function: F) -> F:
    """All options of a query; the command takes them as keywords, see `parsing.query`."""
    for option in reversed(OPTIONS):
        function = _made(option)(function)
    return function


def filter_options(function: F) -> F:
    """The filters among them."""
    for option in reversed(OPTIONS):
        if option.is_filter:
            function = _made(option)(function)
    return function


def _made(option: Option) -> Any:
    names = [f"--{option.name}"] + ([option.key] if option.key != option.name else [])
    group = ALLOWED if option.is_filter else VARIETY if option.name in _VARIETY else COUNTS
    if option.kind is Kind.FLAG:
        return grouped(group, *names, is_flag=True, default=None, help=option.help)
    if option.kind is Kind.CHOICE:
        return grouped(
            group,
            *names,
            type=click.Choice(option.choices),
            default=HIDE,
            show_default=True,
            help=option.help,
        )
    kinds: dict[Kind, type] = {Kind.INTEGER: int, Kind.NUMBER: float}
    return grouped(
        group,
        *names,
        type=kinds.get(option.kind, str),
        multiple=option.kind in (Kind.TEXTS, Kind.SHARES),
        metavar=option.metavar,
        help=option.help,
        shell_complete=_completions(option),
    )


def _completions(option: Option) -> Any:
    """What a shell offers as a value; None where there is nothing to choose from."""
    known = {"only": ASPECTS, "mood": tuple(MOODS)}.get(option.name)
    if option.metavar == "REF":
        return complete_ref
    if known is None:
        return None

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> Any:
        from mess_plugin.cli import completion  # noqa: PLC0415  only on a key press

        return completion.complete_names(known)(context, parameter, typed)

    return complete
