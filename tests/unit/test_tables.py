"""Tables for people: aligned, one line a row where nobody looks, folded to fit a terminal."""

from __future__ import annotations

import os
import shutil
import sys

import click
import pytest
from click.testing import CliRunner
from wcwidth import wcswidth

from mess_plugin.cli.output import print_table, table_options
from mess_plugin.errors import UsageError

ROWS = [
    (1, "日本語のタイトル", "timbre .91; harmony .80; " * 6),
    (12, "two\nlines [bold]\x1b[31m", "a/path/without/any/spaces" * 8),
]


def _terminal(monkeypatch: pytest.MonkeyPatch, n_columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((n_columns, 24)))


def test_a_row_is_a_line_and_numbers_are_aligned_to_the_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["#", "track", "track"], ROWS, title="best")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "best"
    assert lines[1].split() == ["track", "track"]  # two columns of one name
    assert [line[:4] for line in lines[2:]] == [" 1  ", "12  "]
    assert "two\\nlines [bold]\\x1b[31m" in lines[3]
    places = [
        wcswidth(line[: line.index(word)])
        for line, word in zip(lines[2:], ("tim", "a/p"), strict=True)
    ]
    assert places[0] == places[1]


def test_a_terminal_gets_the_widest_columns_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _terminal(monkeypatch, 60)
    print_table(["#", "track", "why"], ROWS)
    text = capsys.readouterr().out
    assert max(map(wcswidth, text.splitlines())) <= 60
    squeezed = text.replace("\n", "").replace(" ", "")
    assert squeezed.count("a/path") >= 7  # whatever the folds split, nothing is cut off
    assert "日本語のタイトル" in text


def test_what_fits_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _terminal(monkeypatch, 60)
    print_table(["a", "#b"], [("one", 1), ("three", 10)])
    assert capsys.readouterr().out.splitlines() == ["a       b", "one     1", "three  10"]
    print_table(["a"], [])
    assert capsys.readouterr().out.splitlines() == ["a"]


@click.command()
@table_options
def _listing(as_json: bool) -> None:
    """A command that prints two tables, the first with more for programs than for people."""
    assert not as_json
    record = {
        "rank": 1, "track": {"title": 'a "b", c', "path": "/x\udce9.mp3"}, "confidence": None,
        "paths": ["/x", "/y"], "repeats": [{"start_s": 1.0}],
    }  # fmt: skip
    print_table(["#", "title"], [(1, 'a "b", c')], title="best", records=[record])
    print_table(["#likeness", "apart"], [(0.5, "d")])


def test_rows_for_programs_have_the_fields_of_the_json() -> None:
    done = CliRunner().invoke(_listing, ["--csv"])
    assert done.stdout.splitlines() == [
        "rank,track.title,track.path,confidence,paths",
        '1,"a ""b"", c",/x\\udce9.mp3,,/x;/y',
    ]
    assert done.stderr == "left out of --csv: likeness, apart\n"
    head, row = CliRunner().invoke(_listing, ["--tsv"]).stdout.splitlines()
    assert head.split("\t")[1] == "track.title"
    assert row.split("\t")[3:] == ["", "/x;/y"]


def test_without_records_rows_are_those_of_the_table() -> None:
    @click.command()
    @table_options
    def plain(as_json: bool) -> None:
        assert not as_json
        print_table(["#", "#id", "track"], [(1, 7, "a,b"), (2, 8, "c")])

    rows = CliRunner().invoke(plain, ["--csv"]).stdout.splitlines()
    assert rows == ["number,id,track", '1,7,"a,b"', "2,8,c"]


@pytest.mark.parametrize("pair", [("--csv", "--tsv"), ("--json", "--csv"), ("--tsv", "--json")])
def test_two_forms_exclude_each_other(pair: tuple[str, str]) -> None:
    done = CliRunner().invoke(_listing, pair)
    assert isinstance(done.exception, UsageError)
    assert "exclude each other" in str(done.exception)


@pytest.mark.parametrize(
    ("variables", "is_terminal", "is_bold"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_headings_are_bold_where_colours_are_wanted(
    variables: dict[str, str],
    is_terminal: bool,
    is_bold: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    print_table(["track"], [("a",)])
    head, row = capsys.readouterr().out.splitlines()
    assert head == ("\x1b[1mtrack\x1b[0m" if is_bold else "track")
    assert row == "a"
