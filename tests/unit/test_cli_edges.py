"""The edges of the command line that need no server."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from mess_plugin.cli.library import failures
from mess_plugin.cli.main import main
from mess_plugin.cli.output import printable
from mess_plugin.cli.similar import similar
from mess_plugin.library.pruning import is_gone


def test_an_unknown_log_level_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESS_LOG", "debugg")
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    # Libraries may add levels of their own, as uvicorn does once it is loaded.
    known = ", ".join(sorted(logging.getLevelNamesMapping()))
    assert capsys.readouterr().err == (
        f"mess: unknown level in MESS_LOG 'debugg': known are {known}\n"
    )


def test_a_folder_is_no_playlist(tmp_path: Path) -> None:
    done = CliRunner().invoke(similar, ["x", "--m3u", str(tmp_path)])
    assert done.exit_code == 2
    assert "is a directory" in done.output


def test_a_negative_limit_is_refused() -> None:
    done = CliRunner().invoke(failures, ["--limit", "-1"])
    assert done.exit_code == 2
    assert "--limit" in done.output


def test_text_of_any_bytes_can_be_shown() -> None:
    assert printable("caf\udce9\x1b[31m\n") == "caf\\udce9\\x1b[31m\n"


def test_only_what_is_surely_gone_counts_as_gone(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"")
    (tmp_path / "link").symlink_to("nowhere")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert not is_gone(str(tmp_path / "there"))
    assert not is_gone(str(tmp_path / "link"))
    assert not is_gone(str(loop / "a.mp3"))  # cannot be looked at: too many links
    assert not is_gone(os.fspath(tmp_path / ("x" * 300)))  # cannot be asked about
    assert is_gone(str(tmp_path / "none.mp3"))
    assert is_gone(str(tmp_path / "there" / "below.mp3"))
