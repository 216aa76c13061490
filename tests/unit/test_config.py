"""Settings: which source wins, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import ConfigError, UnknownName
from mess_plugin.services import environment


def load(home: Path, text: str = "", **variables: str) -> Settings:
    """Settings from a file's text and variables named without MESS_."""
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text, encoding="utf-8")
    given = {f"MESS_{name.upper()}": value for name, value in variables.items()}
    return load_settings({"MESS_HOME": str(home), **given})


def test_defaults_without_a_file(tmp_path: Path) -> None:
    found = load_settings({"MESS_HOME": str(tmp_path / "none")})
    assert found.home == tmp_path / "none"
    assert (found.window_s, found.hop_s) == (5.0, 2.5)
    assert found.database_url is None
    assert found.jobs >= 1


def test_the_environment_beats_the_file_and_the_command_beats_both(tmp_path: Path) -> None:
    text = 'encoder = "file"\nattempts = 7\njobs = 2\n'
    found = load(tmp_path, text, encoder="variable", jobs="3")
    assert (found.encoder, found.attempts, found.jobs) == ("variable", 7, 3)
    given = {"MESS_HOME": str(tmp_path), "MESS_ENCODER": "variable"}
    assert load_settings(given, encoder="option", jobs=None).encoder == "option"
    assert load_settings(given, encoder=None).encoder == "variable"


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    assert load(tmp_path, "jobs = 2\n", jobs="").jobs == 2


def test_the_home_may_be_relative_or_start_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"MESS_HOME": "here"}).home == tmp_path / "here"
    assert load_settings({"MESS_HOME": "~/there"}).home == tmp_path / "there"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jobs", "0"),
        ("jobs", "many"),
        ("window_s", "-1"),
        ("window_s", "inf"),
        ("window_s", "nan"),
        ("hop_s", "nan"),
        ("hop_s", "5.1"),
        ("attempts", "1.5"),
        ("exact_below", "-1"),
        ("file_limit_s", "0"),
    ],
)
def test_a_wrong_variable_names_the_setting_its_source_and_the_value(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **{name: value})
    assert f"MESS_{name.upper()}" in str(caught.value)
    assert name in str(caught.value)
    assert value in str(caught.value)


@pytest.mark.parametrize("line", ['jobs = "many"', "jobs = 0", "window_s = nan", "hop_s = 6"])
def test_a_wrong_line_names_the_setting_and_the_file(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, line + "\n")
    assert line.split(maxsplit=1)[0] in str(caught.value)
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_a_wrong_option_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"jobs \(command line\) is 0"):
        load_settings({"MESS_HOME": str(tmp_path)}, jobs=0)


def test_an_unknown_key_suggests_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'window_s'") as caught:
        load(tmp_path, "windows = 5\n")
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_the_home_cannot_be_set_in_its_own_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="home"):
        load(tmp_path, 'home = "/elsewhere"\n')


@pytest.mark.parametrize("content", [b"jobs = = 2", b"\xff\xfe"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load_settings({"MESS_HOME": str(tmp_path)})


def test_settings_travel_to_a_child_unchanged(tmp_path: Path) -> None:
    found = load(
        tmp_path, window_s="3.5", hop_s="0.7", layers="4-8", database_url="postgresql://h/d"
    )
    assert load_settings(environment(found)) == found
