"""Looking after a home: the unit of systemd, its settings, its logs, and taking it away."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mess_plugin import embedded
from mess_plugin.cli.config import config, meanings, template
from mess_plugin.cli.logs import logs
from mess_plugin.cli.uninstall import uninstall
from mess_plugin.config import Settings, load_settings
from mess_plugin.embedded import Program, down, pin, state
from mess_plugin.embedded.unit import unit, unit_file
from mess_plugin.errors import ConfigError, UnknownName, UsageError

Eventually = Callable[..., None]


def run(command: object, *words: str) -> str:
    done = CliRunner().invoke(command, list(words), catch_exceptions=False)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.output


def read_unit(home: Path) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(unit(home))
    return parsed


def test_the_unit_keeps_a_home_up_where_its_supervisor_is_killed(
    embedded_home: Path, eventually: Eventually
) -> None:
    """What systemd does with the unit, done by hand: start, start again after a failure, stop."""
    service = read_unit(embedded_home)["Service"]
    assert service["Restart"] == "on-failure"
    command = shlex.split(service["ExecStart"])
    code = "import time; time.sleep(600)"
    pin(embedded_home, [Program("probe", (sys.executable, "-c", code), {"PATH": os.defpath})])

    def is_up() -> bool:
        found = state(embedded_home)
        one = found.service("probe") if found else None
        return one is not None and one.phase == "running"

    first = subprocess.Popen(command)
    try:
        eventually(is_up, timeout_s=60)
        first.send_signal(signal.SIGKILL)
        assert first.wait(timeout=30) != 0  # so it is started again
        second = subprocess.Popen(command)
        eventually(lambda: is_up() and state(embedded_home).pid == second.pid, timeout_s=60)  # type: ignore[union-attr]
        second.terminate()  # a reboot: the next start finds what to run
        assert second.wait(timeout=60) == 0
        third = subprocess.Popen(command)
        eventually(is_up, timeout_s=60)
        assert down(embedded_home)
        assert third.wait(timeout=60) == 0  # `mess down` is no failure
        assert subprocess.run(command, check=False, timeout=60).returncode == 0
    finally:
        down(embedded_home)


def test_nothing_in_a_path_is_expanded_by_systemd(tmp_path: Path) -> None:
    home = tmp_path / 'a "b" 100% $HOME \\n'
    line = read_unit(home)["Service"]["ExecStart"]
    assert "100%% $$HOME" in line
    words = shlex.split(line.replace("%%", "%").replace("$$", "$"))
    assert words[-1] == str(home)


def test_a_systemd_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"MESS_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        [sys.executable, "-m", "mess_plugin", "up", "--systemd"],
        env={**settings, "PATH": "/nowhere"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    down(tmp_path / "home")
    assert done.returncode == 1
    assert "mess: systemd: `systemctl --user daemon-reload` cannot be run" in done.stderr
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert str(tmp_path / "home") in unit_file().read_text()


def test_settings_are_shown_with_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESS_DATABASE_URL", "postgresql://mess:hidden@host/db")
    monkeypatch.setenv("MESS_TOKEN", "0123456789abcdef")
    run(config, "set", "jobs", "3")
    run(config, "set", "watch", '["/a", "/b c"]')
    run(config, "set", "encoder", "descriptors")
    shown = run(config)
    rows = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert rows["jobs"].split()[1:] == ["3", str(tmp_path / "home" / "config.toml")]
    assert rows["hop_s"].split()[1:] == ["2.5", "default"]
    assert rows["database_url"].endswith("MESS_DATABASE_URL")
    for secret in ("hidden", "0123456789abcdef"):
        assert secret not in shown
        assert secret not in run(config, "--json")
    assert load_settings().watch == ("/a", "/b c")


def test_a_wrong_setting_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    for words, error in {
        ("jobs", "0"): ConfigError,
        ("jobs", "many"): ConfigError,
        ("jbos", "2"): UnknownName,
        ("hop_s", "9"): ConfigError,
    }.items():
        with pytest.raises(error):
            CliRunner().invoke(config, ["set", *words], catch_exceptions=False)
    assert not (tmp_path / "config.toml").exists()


def test_a_written_file_explains_every_setting_and_changes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path / "home"))
    before = load_settings()
    run(config, "write")
    assert load_settings() == before
    assert all(meanings().values())
    names = {name for name in Settings.__struct_fields__ if name != "home"}
    uncommented = "\n".join(
        line.removeprefix("# ")
        for line in template().splitlines()
        if line.removeprefix("# ").partition(" =")[0] in names and not line.endswith("=")
    )
    values = tomllib.loads(uncommented)
    assert values["window_s"] == Settings(home=tmp_path).window_s
    with pytest.raises(UsageError, match="there already"):
        CliRunner().invoke(config, ["write"], catch_exceptions=False)


def test_logs_are_shown_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="no logs"):
        CliRunner().invoke(logs, [], catch_exceptions=False)
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "http.log").write_bytes(b"old\nnew \x1b[2J\n")
    (folder / "worker.log").write_text("work\n")
    assert run(logs, "http", "-n", "1") == "new \\x1b[2J\n"
    assert run(logs).splitlines() == ["http    old", "http    new \\x1b[2J", "worker  work"]
    with pytest.raises(UnknownName):
        CliRunner().invoke(logs, ["htp"], catch_exceptions=False)
    shown = tmp_path / "shown"
    with shown.open("wb") as output:
        following = subprocess.Popen(
            [sys.executable, "-m", "mess_plugin", "logs", "-f", "http"], stdout=output
        )

    def has(text: str) -> bool:
        return text in shown.read_text()

    try:
        eventually(lambda: has("old"))
        time.sleep(1)
        with (folder / "http.log").open("a") as log:
            log.write("added\n")
        eventually(lambda: has("added"))
        (folder / "http.log").rename(folder / "http.log.1")
        (folder / "http.log").write_text("in the next file\n")
        eventually(lambda: has("in the next file"))
    finally:
        following.kill()
        following.wait()


def test_uninstalling_shows_first_and_leaves_the_music(
    embedded_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = tmp_path / "music.flac"
    music.write_bytes(b"x")
    (embedded_home / "link").symlink_to(music)
    monkeypatch.setenv("MESS_HOME", str(embedded_home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    embedded.up(embedded_home, timeout_s=120)
    shown = run(uninstall)
    assert str(embedded_home) in shown
    assert "nothing was removed" in shown
    assert state(embedded_home) is not None
    run(uninstall, "--yes")
    assert not embedded_home.exists()
    assert music.read_bytes() == b"x"
    assert state(embedded_home) is None
