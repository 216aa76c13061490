"""The options that steer, as those of `mess similar` (docs/query.md).

beets builds the options of all commands at each of its starts, so this loads little of MESS.
"""

from __future__ import annotations

from optparse import OptionGroup, OptionParser, Values
from typing import Any

from mess_plugin.options import OPTIONS, Kind, Option


def add_steering_options(parser: OptionParser) -> None:
    """All of them. --not takes a query of beets; --album is beets' own, so the tag is --album-name."""
    group = OptionGroup(parser, "What counts and who may answer (MESS: docs/query.md)")
    for option in OPTIONS:
        flag = f"--{option.beets or option.name}"
        group.add_option(flag, dest=_dest(option), **_details(option))
    parser.add_option_group(group)


def words_of(opts: Values) -> dict[str, Any]:
    """What was said, by the keys of `mess_plugin.options`; without `against`."""
    words = {option.key: getattr(opts, _dest(option)) for option in OPTIONS}
    del words["against"]
    return words


def _dest(option: Option) -> str:
    return option.beets.replace("-", "_") or option.key


def _details(option: Option) -> dict[str, Any]:
    help_text = option.help[0].lower() + option.help[1:].rstrip(".")
    if option.kind is Kind.FLAG:
        return {"action": "store_true", "help": help_text}
    if option.kind is Kind.CHOICE:
        return {"choices": list(option.choices), "help": help_text}
    kinds = {Kind.INTEGER: "int", Kind.NUMBER: "float"}
    return {
        "action": "append" if option.kind in (Kind.TEXTS, Kind.SHARES) else "store",
        "type": kinds.get(option.kind, "string"),
        "metavar": option.metavar.replace("…", ".."),
        "help": help_text,
    }
