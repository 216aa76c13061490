"""The walk: every audio file below some roots, nothing else, and what could not be read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mess_plugin.errors import UsageError
from mess_plugin.library.ignoring import Ignoring
from mess_plugin.library.walk import Walk, absolute_roots


def names(walk: Walk) -> list[str]:
    return [Path(file.path).name for file in walk]


def test_audio_files_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b/2.flac", "a/1.mp3", "a/cover.jpg", ".hidden/x.mp3", "a/.y.mp3", "Z.OPUS"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12")
    os.mkfifo(tmp_path / "a" / "pipe.mp3")
    (tmp_path / "folder.mp3").mkdir()
    (tmp_path / "b" / "broken.mp3").symlink_to(tmp_path / "nowhere.mp3")
    (tmp_path / "b" / "link.mp3").symlink_to(tmp_path / "a" / "1.mp3")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    walk = Walk([str(tmp_path)])
    assert names(walk) == ["Z.OPUS", "1.mp3", "2.flac", "link.mp3"]
    assert walk.unreadable == []


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"123")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (seen,) = Walk([str(path)])
    assert (seen.path, seen.size_bytes) == (str(path), 3)
    assert seen.mtime_ns == 1_700_000_000_123_456_789


def test_names_of_any_bytes_survive(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9\n.mp3"
    Path(os.fsdecode(raw)).write_bytes(b"1")
    (seen,) = Walk([str(tmp_path)])
    assert os.fsencode(seen.path) == raw


def test_a_file_that_is_named_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    (tmp_path / "noise.dat").write_bytes(b"1")
    assert names(Walk([str(tmp_path / "noise.dat")])) == ["noise.dat"]


def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    """In a process of another user, because permissions do not stop root."""
    for name in ("open", "shut", "blind"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp3").write_bytes(b"1")
    (tmp_path / "shut").chmod(0o000)
    (tmp_path / "blind").chmod(0o444)  # may be listed, but nothing in it may be looked at
    if os.geteuid() == 0:
        for path in (tmp_path, *tmp_path.parents):
            if path.stat().st_uid == 0 and path != Path("/tmp") and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o055)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(65534)
        walk = Walk([str(tmp_path)])
        found = names(walk)
        os.write(writer, f"{found} {sorted(walk.unreadable)}".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    said = os.read(reader, 10_000).decode()
    assert said == (
        "['a.mp3'] "
        f"['{tmp_path}/blind/a.mp3: Permission denied', '{tmp_path}/shut: Permission denied']"
    )


def test_roots_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").mkdir()
    assert absolute_roots(["a", "~/a", "./a/../a/"]) == [str(tmp_path / "a")] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [("none", "no such file"), ("pipe", "neither a folder nor"), ("a/b", "not a directory")],
)
def test_a_root_that_cannot_be_walked_is_refused(tmp_path: Path, name: str, message: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UsageError, match=message) as caught:
        absolute_roots([str(tmp_path), str(tmp_path / name)])
    assert str(tmp_path / name) in str(caught.value)


def test_folders_may_be_as_deep_as_paths_can_be(tmp_path: Path) -> None:
    """More than 1,000 folders deep, which is more than Python lets a function call itself."""
    folder = f"{tmp_path}/deep"
    os.mkdir(folder)  # noqa: PTH102
    while len(folder) < 3000:
        folder += "/d"
        os.mkdir(folder)  # noqa: PTH102
    Path(f"{folder}/a.mp3").write_bytes(b"1")
    try:
        walk = Walk([str(tmp_path)])
        assert names(walk) == ["a.mp3"]
        assert walk.unreadable == []
        ignoring = Ignoring(str(tmp_path))
        assert ignoring.why(f"{folder}/a.mp3", is_folder=False) == ""
        assert ignoring.why(f"{folder}/.hidden/a.mp3", is_folder=False) == "hidden"
    finally:
        subprocess.run(["rm", "-rf", f"{tmp_path}/deep"], check=True)


def test_lyrics_beside_music_are_not_passed_over(tmp_path: Path) -> None:
    for name in ("song.flac", "song.lrc", "song.TXT", "notes.txt", "other.lrc"):
        (tmp_path / name).touch()
    walk = Walk([str(tmp_path)])
    assert [Path(file.path).name for file in walk] == ["song.flac"]
    assert walk.passed_over == {".txt": 1, ".lrc": 1}
