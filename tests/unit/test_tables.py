"""Tables for people: aligned, one line a row where nobody looks, folded to fit a terminal."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from wcwidth import wcswidth

from mess_plugin.cli.output import print_table

ROWS = [
    (1, "日本語のタイトル", "timbre .91; harmony .80; " * 6),
    (12, "two\nlines [bold]\x1b[31m", "a/path/without/any/spaces" * 8),
]


def _terminal(monkeypatch: pytest.MonkeyPatch, n_columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
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
