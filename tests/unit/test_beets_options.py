"""The options of `beet similar` are those of `mess similar`."""

from __future__ import annotations

from optparse import OptionParser

import click

from mess_integrations.beets.options import add_steering_options, words_of
from mess_plugin.cli.steering import steering_options
from mess_plugin.search import parsing
from mess_plugin.search.query import Filters, Query, Range


def parsed(*args: str) -> dict[str, object]:
    parser = OptionParser()
    add_steering_options(parser)
    return words_of(parser.parse_args(list(args))[0])


def test_none_is_missing_and_none_is_more() -> None:
    command = click.command()(steering_options(lambda: None))
    known = {parameter.name for parameter in command.params}
    assert known == {*parsed(), "against"}


def test_they_mean_the_same() -> None:
    assert parsing.query(parsed()) == Query()
    asked = parsed(
        "--emphasis", "rhythm=2", "--exact-key", "--tempo", "same", "--key", "Am", "--year", "1990-",
        "--album-name", "blue", "--exclude", "live", "--exclude", "demo", "--per-album", "2",
        "--diversity", ".5",
    )  # fmt: skip
    assert parsing.query(asked) == Query(
        {"rhythm": 2.0},
        filters=Filters(
            same_tempo=True, key=(9, "minor"), year=Range(1990, None), album="blue",
            excluded_words=("live", "demo"),
        ),
        exact_key=True, per_album=2, diversity=0.5,
    )  # fmt: skip
