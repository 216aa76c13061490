"""A home that is moved or copied is the home at its new place, and never touches the old one."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from mess_plugin.config import load_settings
from mess_plugin.embedded import Program, down, lease, state, up
from mess_plugin.errors import ConfigError, ServiceError
from mess_plugin.private_folder import is_open_to_all, make_private

Eventually = Callable[..., None]


def program(home: Path) -> Program:
    """Writes where it believes its home to be, into its home, and stays."""
    code = (
        "import os, time; from pathlib import Path\n"
        "home = Path(os.environ['MESS_HOME']); (home / 'seen').write_text(str(home))\n"
        "time.sleep(600)"
    )
    variables = {"MESS_HOME": str(home), "PATH": os.defpath, "OTHER": f"{home}-not"}
    return Program("probe", (sys.executable, "-c", code), variables, grace_s=0.5)


def test_a_moved_home_starts_at_its_new_place(tmp_path: Path, eventually: Eventually) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    up(old, [program(old)], timeout_s=120)
    eventually((old / "seen").exists)
    with lease(old) as held, psycopg.connect(held.endpoints.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    pin = (old / "run" / "pinned.json").read_text()
    down(old)
    (old / "run" / "pinned.json").write_text(pin)  # as after a power cut
    old.rename(new)
    (new / "seen").unlink()
    try:
        with lease(new, timeout_s=120) as held:
            with psycopg.connect(held.endpoints.database_url) as connection:
                assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
            eventually((new / "seen").exists)
            assert (new / "seen").read_text() == str(new)
        assert not old.exists()
    finally:
        down(new)


@pytest.mark.parametrize("deep", ["", "x" * 90])
def test_a_copy_leaves_the_home_alone_that_it_was_made_from(
    tmp_path: Path, deep: str, eventually: Eventually
) -> None:
    """Also where the sockets lie elsewhere, because the path is too long for them."""
    home, copy = tmp_path / f"home{deep}", tmp_path / f"copy{deep}"
    up(home, [program(home)], timeout_s=120)
    try:
        eventually((home / "seen").exists)
        running = state(home)
        assert running is not None
        with lease(home) as held, psycopg.connect(held.endpoints.database_url) as connection:
            connection.execute("CREATE TABLE original AS SELECT 1 AS n")
            connection.execute("CHECKPOINT")
        ignored = shutil.ignore_patterns("control", "*.sock", ".s.PGSQL*", "postmaster.pid")
        shutil.copytree(home, copy, ignore=ignored)
        assert state(copy) is None
        with lease(copy, timeout_s=120) as held:
            assert str(home) not in held.endpoints.database_url
            with psycopg.connect(held.endpoints.database_url) as connection:
                connection.execute("DROP TABLE original")
        down(copy)
        still = state(home)
        assert still is not None
        pids = [{each.name: each.pid for each in one.services} for one in (running, still)]
        assert pids[0] == pids[1]
        with lease(home) as held, psycopg.connect(held.endpoints.database_url) as connection:
            assert connection.execute("SELECT n FROM original").fetchone() == (1,)
    finally:
        down(copy)
        down(home)


def test_a_home_in_which_everybody_writes_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(ServiceError, match=f"{home} is writable by everybody: chmod o-w"):
        lease(home)
    with pytest.raises(ConfigError, match="everybody may write there: chmod o-w"):
        load_settings({"MESS_HOME": str(home)})
    assert list(home.iterdir()) == []


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    make_private(tmp_path / "a")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_private(tmp_path / "file")
    assert not is_open_to_all(tmp_path / "a")
    (tmp_path / "a").chmod(0o707)
    assert is_open_to_all(tmp_path / "a")
