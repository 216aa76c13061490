"""The help of the command line, and how options are spelled."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from mess_plugin.cli.main import _GROUPS, cli
from mess_plugin.cli.shared_options import SpelledOption
from mess_plugin.errors import UsageError
from mess_plugin.search.parsing import moment


def every_command(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands but `pretrain`, which needs torch, with the words that call them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = None if name == "pretrain" else group.get_command(context, name)
        if command is not None:
            yield f"{path} {name}".strip(), command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}".strip())


def test_every_command_is_in_a_group_of_the_help() -> None:
    listed = [name for group in _GROUPS.values() for name in group]
    assert len(listed) == len(set(listed))
    assert set(cli.list_commands(click.Context(cli))) <= set(listed)
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert (
        shown.index("Search and playlists:")
        < shown.index("  similar")
        < shown.index("Running MESS:")
    )
    assert "More:" not in shown


def test_old_spellings_go_on_working_and_are_not_shown() -> None:
    old = {
        (path, name)
        for path, command in every_command()
        for option in command.params
        if isinstance(option, SpelledOption)
        for name in option.old
    }
    assert {
        ("similar", "--m3u"), ("sections", "--png"), ("failures", "--limit"),
        ("playlist radio", "--n"), ("osc clients", "--to"), ("logs", "--lines"),
    } <= old  # fmt: skip
    for path, name in old:
        shown = CliRunner().invoke(cli, [*path.split(), "--help"]).output
        assert f"{name} " not in shown
        unknown = CliRunner().invoke(cli, [*path.split(), name])
        assert "requires an argument" in unknown.output, (path, name)


def test_how_many_and_what_to_write_are_spelled_alike_in_every_command() -> None:
    for path, command in every_command():
        for option in command.params:
            spelled = option.shown if isinstance(option, SpelledOption) else option.opts
            assert not {"--n", "--limit", "--m3u", "--png", "--to"} & set(spelled), path
            assert ("--k" in spelled) == ("-k" in spelled), path
            assert ("--out" in spelled) == ("-o" in spelled), path


def test_a_misspelled_command_is_guessed() -> None:
    assert "Did you mean `mess similar`?" in CliRunner().invoke(cli, ["simlar", "x"]).output
    assert "Did you mean" not in CliRunner().invoke(cli, ["qqqq"]).output
    nested = CliRunner().invoke(cli, ["help", "playlist", "nothing"])
    assert nested.exit_code == 2
    assert "nothing" in nested.output


def test_help_is_a_command_too() -> None:
    run = CliRunner()
    for words in (["similar"], ["playlist", "arc"], []):
        asked, given = run.invoke(cli, ["help", *words]), run.invoke(cli, [*words, "--help"])
        assert asked.exit_code == given.exit_code == 0
        usage, *rest = asked.output.splitlines()
        assert rest == given.output.splitlines()[1:]
        assert " ".join(words) in usage


def test_the_help_of_similar_is_in_groups_with_examples() -> None:
    shown = CliRunner().invoke(cli, ["similar", "--help"]).output
    titles = ["The question:", "The answers:", "What counts:", "Who may answer:", "Examples:"]
    places = [shown.index(title) for title in titles]
    assert places == sorted(places)
    assert places[3] < shown.index("--tempo") < places[4]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("72", 72.0),
        ("72.5", 72.5),
        ("1:12", 72.0),
        ("1:2.5", 62.5),
        ("1:00:05", 3605.0),
        (7.5, 7.5),
    ],
)
def test_a_moment_is_seconds_or_minutes_and_seconds(said: str | float, seconds: float) -> None:
    assert moment("start", said) == seconds


@pytest.mark.parametrize("said", ["", "abc", "1:70", "1:", ":5", "1:-5", "1:nan", "1:2:3:x"])
def test_what_is_no_moment_is_refused_with_an_example(said: str) -> None:
    with pytest.raises(UsageError, match=r"start .*such as 1:12"):
        moment("start", said)
