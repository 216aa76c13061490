"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mess_plugin.atomic_file import replacing, write_bytes, write_text


def test_the_old_content_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "list.m3u8"
    write_bytes(file, b"old")
    with replacing(file) as draft:
        draft.write_bytes(b"ne")
        assert file.read_bytes() == b"old"
        assert draft.suffix == ".m3u8"
        draft.write_bytes(b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_failure_leaves_no_rest(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_text(file, "old")
    with pytest.raises(ZeroDivisionError), replacing(file) as draft:
        draft.write_text(f"half {1 // 0}")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_permissions_are_there_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    before = os.umask(0)
    try:
        with replacing(file, mode=0o600) as draft:
            assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_longest_name_that_a_file_may_have(tmp_path: Path) -> None:
    file = tmp_path / ("a" * 250 + ".json")
    write_bytes(file, b"x")
    assert file.read_bytes() == b"x"


def test_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "list"
    write_text(file, "old")
    code = (
        "import os, sys, pathlib; from mess_plugin.atomic_file import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as draft:\n"
        "    draft.write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, file], check=False).returncode == -9
    assert file.read_text() == "old"
