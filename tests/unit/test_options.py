"""One table of options: every door offers each of them, and the documentation lists them."""

from __future__ import annotations

import re
from pathlib import Path

import click
import msgspec
import pytest

from mess_integrations.http.questions import SimilarParameters
from mess_integrations.jellyfin.naming import KNOWN, parse
from mess_integrations.jellyfin.specs import PlaylistSpec
from mess_plugin.cli.steering import steering_options
from mess_plugin.errors import UsageError
from mess_plugin.options import FILTERS, LIMITS, OPTIONS, Kind, table
from mess_plugin.search import Filters, Query, parsing
from mess_plugin.store.statements import statement

DOCS = Path(__file__).parents[2] / "docs" / "query.md"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_door_offers_it(option) -> None:  # type: ignore[no-untyped-def]
    command = click.command()(steering_options(lambda: None))
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert f"--{option.name}" in flags
    assert option.key in {field.name for field in msgspec.structs.fields(SimilarParameters)}
    assert option.target in (Filters if option.is_filter else Query).__struct_fields__
    if option.playlist:
        assert option.playlist in {field.name for field in msgspec.structs.fields(PlaylistSpec)}
        assert option.playlist.replace("_", " ") in KNOWN or option.name in ("mood", "diversity")


@pytest.mark.parametrize("option", FILTERS, ids=lambda option: option.name)
def test_the_database_judges_it(option) -> None:  # type: ignore[no-untyped-def]
    """Moods are ranges of attributes; keys are spelt in many ways and judged in Python."""
    if option.name in ("mood", "key"):
        return
    asked = set(re.findall(r"%\((\w+)\)s", statement("allowed_tracks").decode()))
    ends = ("_low", "_high") if option.kind in LIMITS else ("",)
    assert {f"{option.target}{end}" for end in ends} <= asked


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_its_example_means_the_same_as_a_word_and_in_json(option) -> None:  # type: ignore[no-untyped-def]
    if not option.example or option.name in ("not", "blend"):
        return
    word = {Kind.INTEGER: int, Kind.NUMBER: float}.get(option.kind, str)(option.example)
    said = parsing.query({option.key: word})
    assert said != Query() or option.name == "duplicates"
    holder = said.filters if option.is_filter else said
    value = msgspec.to_builtins(getattr(holder, option.target))
    document = {option.target: value}
    assert parsing.query_from_json({"filters": document} if option.is_filter else document) == said


def test_ages() -> None:
    assert parsing.query({"added": "30d"}).filters.added_days == 30
    assert parsing.query({"added": "2w"}).filters.added_days == 14
    assert parsing.query({"unplayed": 7.5}).filters.unplayed_days == 7.5
    assert parsing.query_from_json({"filters": {"added_days": "6w"}}).filters.added_days == 42
    assert parse("MESS: like x · added 3 weeks").query.filters.added_days == 21
    for wrong in ("soon", "-3", "", "3m", "0"):
        with pytest.raises(UsageError, match="added"):
            parsing.query({"added": wrong})


def test_the_documentation_lists_them() -> None:
    """`python -m mess_plugin.options` prints both tables."""
    text = DOCS.read_text(encoding="utf-8")
    assert table(tuple(one for one in OPTIONS if not one.is_filter)) in text
    assert table(FILTERS) in text
