"""Playing: which player is taken, and what it is told.

mpv, `xdg-open` and `open` are tiny programs on PATH that write down how they were called; ffplay is the
real one where it is installed.
"""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path

import pytest

from mess_plugin.cli.play import play_tracks
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Tags, Track
from tests.audio_files import tone, write_audio

OPENER = "open" if sys.platform == "darwin" else "xdg-open"


def _recording(folder: Path, name: str, code: int = 0) -> Path:
    """A program that writes its arguments, a line each, and ends with a code; the file it writes."""
    folder.mkdir(exist_ok=True)
    told = folder / f"{name}.told"
    program = folder / name
    program.write_text(
        f'#!/bin/sh\nfor one in "$@"; do echo "$one"; done >> \'{told}\'\nexit {code}\n'
    )
    program.chmod(0o755)
    return told


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    found = []
    for number, title in ((1, "one"), (2, None)):
        path = tmp_path / f"-{number}.wav"
        path.write_bytes(b"RIFF")
        found.append(Track(number, 30.0, Tags(title=title), (str(path),), None))
    return found


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DISPLAY", ":0")
    return folder


def test_mpv_starts_each_file_where_it_matches(
    tracks: list[Track], programs: Path, tmp_path: Path
) -> None:
    told = _recording(programs, "mpv")
    _recording(programs, OPENER)
    stretches = [Interval(12.5, 20.0), Interval(7.0, math.inf)]
    play_tracks(Settings(home=tmp_path), tracks, stretches)
    assert told.read_text().split() == [
        "--no-video",
        "--{", "--start=12.500", "--end=20.000", tracks[0].path, "--}",
        "--{", "--start=7.000", tracks[1].path, "--}",
    ]  # fmt: skip


def test_the_system_gets_a_playlist_with_the_times(
    tracks: list[Track], programs: Path, tmp_path: Path
) -> None:
    told = _recording(programs, OPENER)
    play_tracks(Settings(home=tmp_path), tracks, [Interval(12.5, 20.0), None])
    (listing,) = told.read_text().split()
    assert Path(listing).read_text().splitlines() == [
        "#EXTM3U",
        "#EXTINF:30,one", "#EXTVLCOPT:start-time=12.500", "#EXTVLCOPT:stop-time=20.000",
        tracks[0].path,
        "#EXTINF:30,-2.wav", tracks[1].path,
    ]  # fmt: skip


def test_what_cannot_be_played_is_said(
    tracks: list[Track],
    programs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(home=tmp_path)
    told = _recording(programs, OPENER)
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform != "darwin":
        with pytest.raises(UsageError, match="install mpv, or play on the web page"):
            play_tracks(settings, tracks)
    assert not told.exists()
    _recording(programs, "mpv", code=2)
    with pytest.raises(UsageError, match="mpv ended with code 2"):
        play_tracks(settings, tracks)
    Path(tracks[0].path or "").unlink()
    with pytest.raises(UsageError, match="nothing of this can be played"):
        play_tracks(settings, tracks, [None, Interval(31.0, 40.0)])
    said = capsys.readouterr().err
    assert "no file of one is on this machine" in said
    assert "-2.wav is only 30 s long" in said


@pytest.mark.skipif(shutil.which("ffplay") is None, reason="ffplay (ffmpeg) is not installed")
def test_ffplay_plays_a_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ffplay").symlink_to(shutil.which("ffplay") or "")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    path = tmp_path / "sound.wav"
    write_audio(path, tone(2.0))
    track = Track(1, 2.0, Tags(title="sound"), (str(path),), None)
    play_tracks(Settings(home=tmp_path), [track], [Interval(1.5, 1.7)])
    said = capfd.readouterr().err
    assert "playing 1 with ffplay" in said
    assert "Failed" not in said
