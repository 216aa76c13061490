"""The edges of the command line that need no server."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from mess_plugin.cli.library import failures
from mess_plugin.cli.main import main
from mess_plugin.cli.similar import similar
from mess_plugin.errors import AudioError
from mess_plugin.library.pruning import is_gone
from mess_plugin.logs import formatter, printable


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
    assert "'-k' / '--k': -1" in done.output


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


_LOUD = """
import logging, sys
from mess_plugin.cli import output
from mess_plugin.logs import log_messages
output.escape_what_cannot_be_shown()
log_messages(logging.WARNING)
name = "Bj\\u00f6rk \\u2013 \\u65e5\\udce9\\x1b[31m\\nforged"
output.print_table(["#", "track"], [(1, name), (22, "plain")])
output.say(name)
output.print_json({"name": name})
logging.getLogger("x").warning("%s", name)
print(name, file=sys.stdout)
"""


@pytest.mark.parametrize("encoding", ["iso8859-15", "ascii", "cp1252", "utf-8", "shift_jis"])
def test_any_encoding_of_the_terminal_is_written_to(encoding: str) -> None:
    import subprocess
    import sys

    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", _LOUD], capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    table, messages = done.stdout.splitlines()[1:3], done.stderr.splitlines()
    assert b"\x1b" not in b"".join(table + messages)
    assert b"\\x1b[31m\\nforged" in table[0]
    assert table[1].split() == [b"22", b"plain"]
    assert messages[0].endswith(b"\\x1b[31m")
    assert messages[-1].endswith(b"\\x1b[31m\\nforged")  # a log record is one line


def _fail(name: str) -> None:
    raise AudioError(name, "damaged", "it is damaged")


def test_a_name_in_a_traceback_forges_no_log_line() -> None:
    with pytest.raises(AudioError) as caught:
        _fail("a\n2026-01-01 ERROR root: forged\x1b[2J")
    failure = caught.type, caught.value, caught.tb
    record = logging.LogRecord("x", logging.ERROR, "p", 1, "bad\n%s", ("n",), failure)
    first, *rest = formatter("text").format(record).splitlines()
    assert first.endswith("ERROR x: bad\\nn")
    assert rest
    assert all(line.startswith("    ") and "\x1b" not in line for line in rest)
