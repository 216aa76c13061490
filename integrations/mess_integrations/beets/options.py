"""The options that steer, as those of `mess similar` (docs/query.md).

beets makes the options of all commands at each of its starts, so this loads nothing of MESS.
"""

from __future__ import annotations

from collections.abc import Mapping
from optparse import OptionGroup, OptionParser, Values
from typing import Any

_OPTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("--emphasis", {"metavar": "FACET=N,..", "help": "how much facets count; the feel is 1"}),
    ("--only", {"metavar": "FACET,..",
        "help": "these alone: feel, timbre, harmony, rhythm, energy, structure"}),
    ("--exact-key", {"action": "store_true", "help": "harmony as it sounds, not transposed"}),
    ("--not", {"dest": "against", "action": "append", "metavar": "QUERY",
        "help": "be unlike the tracks of this query"}),
    ("--tempo", {"metavar": "LOW-HIGH|same", "help": "beats per minute; half and double count"}),
    ("--key", {"metavar": "KEY|same", "help": "a key, or same: mixes with that of the first track"}),
    ("--duration", {"metavar": "M:SS-M:SS", "help": "how long"}),
    ("--year", {"metavar": "FROM-TO", "help": "of the tags"}),
    ("--activity", {"metavar": "LOW-HIGH", "help": "how much happens: 0 calm, 1 driving"}),
    ("--bright", {"metavar": "LOW-HIGH", "help": "how bright it sounds: 0 dark, 1 bright"}),
    ("--drive", {"metavar": "LOW-HIGH", "help": "how much it drives: 0 to 1"}),
    ("--mood", {"metavar": "MOOD,..", "help": "all of these: calm, driving, dark, bright"}),
    ("--loudness", {"metavar": "LOW..HIGH", "help": "integrated, in LUFS: -16..-12"}),
    ("--genre", {"metavar": "TEXT", "help": "in the genre tag"}),
    ("--artist", {"metavar": "TEXT", "help": "in the artist tag"}),
    ("--album-name", {"metavar": "TEXT", "help": "in the album tag"}),
    ("--folder", {"metavar": "FOLDER", "help": "below this folder"}),
    ("--exclude", {"action": "append", "metavar": "WORDS", "help": "not these words in the name"}),
    ("--language", {"metavar": "NAME,..", "help": "one of these is in the language tag"}),
    ("--rating", {"metavar": "LOW-HIGH", "help": "in stars, 0 to 5"}),
    ("--unplayed", {"type": "float", "metavar": "DAYS", "help": "not played for so many days"}),
    ("--per-artist", {"type": "int", "metavar": "N", "help": "at most N of one artist"}),
    ("--per-album", {"type": "int", "metavar": "N", "help": "at most N of one album"}),
    ("--diversity", {"type": "float", "metavar": "0..1", "help": "prefer varied answers"}),
    ("--listener", {"metavar": "NAME", "help": "let this listener's taste count"}),
    ("--blend", {"action": "append", "metavar": "plays|FILE=SHARE",
        "help": "let plays, or scores of a file, count too"}),
    ("--duplicates", {"choices": ["hide", "show"], "help": "other copies and versions (hide)"}),
)  # fmt: skip


def add_steering_options(parser: OptionParser) -> None:
    """All of them. --not takes a query of beets; --album is beets' own, so the tag is --album-name."""
    group = OptionGroup(parser, "What counts and who may answer (MESS: docs/query.md)")
    for flag, details in _OPTIONS:
        group.add_option(flag, **details)
    parser.add_option_group(group)


def words_of(opts: Values) -> dict[str, Any]:
    """What was said, by the names of `mess_plugin.search.parsing.query`; without `against`."""
    names = [details.get("dest", flag[2:].replace("-", "_")) for flag, details in _OPTIONS]
    words = {name: getattr(opts, name) for name in names if name != "against"}
    return {"album": words.pop("album_name"), **words}
