"""Completion in a real bash on a real terminal, with titles from a real database."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mess_plugin.cli.completion import remember_titles, titles_like
from mess_plugin.cli.main import cli
from mess_plugin.config import Settings
from mess_plugin.model import Tags
from mess_plugin.store import open_store
from tests.stored_library import add_track, levels_of, raw_space

TITLES = ["Stage 0", "Stage 1", "Nebula", "What's up (live); $HOME", "Élan"]
_LIMIT_S = 60.0


class Terminal:
    """bash on a pseudo terminal."""

    def __init__(self, home: Path) -> None:
        self._main, other = pty.openpty()
        names = ("PATH", "LANG", "LC_ALL", "MESS_HOME", "MESS_DATABASE_URL")
        variables = {name: os.environ[name] for name in names if name in os.environ}
        programs = Path(sys.executable).parent
        self._process = subprocess.Popen(
            [shutil.which("bash") or "bash", "--norc", "--noprofile", "-i"],
            stdin=other, stdout=other, stderr=other, cwd=home, start_new_session=True,
            env=variables | {
                "PATH": f"{programs}:{variables['PATH']}", "PS1": "$ ", "TERM": "dumb",
                "HOME": str(home), "INPUTRC": "/dev/null", "LC_ALL": "C.UTF-8", "COLUMNS": "200",
            },
        )  # fmt: skip
        os.close(other)

    def type(self, keys: str, until: str) -> str:
        """Press keys; what is shown from then on, up to some text."""
        os.write(self._main, keys.encode())
        shown, end_s = "", time.monotonic() + _LIMIT_S
        while until not in shown and time.monotonic() < end_s:
            if select.select([self._main], [], [], 0.2)[0]:
                shown += os.read(self._main, 4096).decode(errors="replace")
        assert until in shown, shown
        return shown

    def close(self) -> None:
        """Hang up."""
        self._process.kill()
        self._process.wait()
        os.close(self._main)


@pytest.fixture
def home(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)
    with open_store(database_url) as store:
        space = raw_space(store)
        for n, title in enumerate(TITLES):
            add_track(store, space, f"/music/{n}.mp3", levels_of(n), Tags(title=title))
        add_track(store, space, "/music/untitled noise.mp3", levels_of(77))
    return tmp_path


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    terminal = Terminal(home)
    # A word that only the answer contains, for the terminal shows what is typed.
    terminal.type('eval "$(mess completion bash)"; echo set""up\n', "setup")
    yield terminal
    terminal.close()


def test_bash_completes_commands_options_encoders_and_titles(terminal: Terminal) -> None:
    terminal.type("mess simi\t", "mess similar ")
    terminal.type("neb\t", "nebula ")
    terminal.type("--per-al\t", "--per-album ")
    terminal.type("3 --mood calm,dr\t", "calm,driving ")
    terminal.type("--encoder mess-m\t", "mess-mini ")
    terminal.type("\x15mess about sta\t", "ge\\ ")  # which both begin with


def test_a_completed_title_is_one_word_whatever_it_contains(terminal: Terminal) -> None:
    terminal.type("mess about wh\t", "live")
    shown = terminal.type("\x01set -- \x05; echo $#:$3:\n", "\n$ ")
    assert "\n3:what's up (live); $HOME:" in shown.replace("\r", "")
    terminal.type('mess about "wh\t', "live")
    shown = terminal.type("\x01set -- \x05; echo $#\n", "\n$ ")
    assert "\n3\r" in shown


def test_titles_are_offered_as_they_were_begun(home: Path, database_url: str) -> None:
    settings = Settings(home=home, database_url=database_url)
    assert titles_like(settings, "sta") == ["stage 0", "stage 1"]
    assert titles_like(settings, "STA") == ["STAge 0", "STAge 1"]
    assert titles_like(settings, "unt") == ["untitled noise.mp3"]
    assert titles_like(settings, "éL") == ["éLan"]
    assert titles_like(settings, "x") == []


def test_titles_are_known_while_no_server_runs(home: Path, database_url: str) -> None:
    with open_store(database_url) as store:
        remember_titles(store, home)
    assert titles_like(Settings(home=home), "neb") == ["nebula"]
    gone = Settings(home=home / "elsewhere")
    assert titles_like(gone, "neb") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_their_scripts(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert f"_MESS_COMPLETE={shell}_complete" in done.output
