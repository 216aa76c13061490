"""Postgres refuses root and unknown users; MESS runs as either, and as anybody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import mess_plugin

UNKNOWN_UID = 12345
NOBODY = 65534

PROVE = """
import os, sys, time
from pathlib import Path
import psycopg
from mess_plugin.embedded import down, lease, state, up
home = Path(sys.argv[1])
for statement in ("CREATE TABLE kept AS SELECT 7 AS n", "SELECT n FROM kept"):
    with lease(home, broker=True, timeout_s=60) as held:
        with psycopg.connect(held.endpoints.database_url) as connection:
            cursor = connection.execute(statement)
            found = cursor.fetchall() if cursor.description else []
    assert down(home)
print(found, (home / "postgres" / "PG_VERSION").stat().st_uid)
"""

# A namespace in which every user is itself, and which allows no other inside of it.
FORBID_NAMESPACES = """
import ctypes, os, sys
from pathlib import Path
entered, mapped = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(entered[1], b".")
    os.read(mapped[0], 1)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.execv(sys.argv[1], sys.argv[1:])
os.read(entered[0], 1)
for kind in ("uid_map", "gid_map"):
    Path(f"/proc/{child}/{kind}").write_text("0 0 100000")
os.write(mapped[1], b".")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can reach, unlike those of pytest."""
    place = Path(tempfile.mkdtemp(prefix="mess-test-"))
    place.chmod(0o777)
    yield place
    # A server that was told to stop may write its last lines meanwhile.
    for _ in range(100):
        shutil.rmtree(place, ignore_errors=True)
        if not place.exists():
            return
        time.sleep(0.1)
    shutil.rmtree(place)


def environment() -> dict[str, str]:
    """The way to MESS and its wheels, without the caller's own directories."""
    packages = {Path(mess_plugin.__file__).parents[1], Path(psycopg.__file__).parents[1]}
    return {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(map(str, packages))}


def python_for(uid: int) -> str:
    """An interpreter that this user may run: root's own is often out of reach."""
    for candidate in (sys.executable, shutil.which("python3", path=os.defpath)):
        if candidate is None:
            continue
        check = "import sys, psycopg, mess_plugin.embedded; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run(
                [candidate, "-c", check],
                user=uid,
                group=uid,
                extra_groups=[],
                cwd="/",
                env=environment(),
                check=False,
            )
        except PermissionError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip(f"uid {uid} can run no Python >= 3.11 that finds psycopg here")


@pytest.mark.parametrize("uid", [NOBODY, UNKNOWN_UID])
def test_another_user(open_place: Path, uid: int) -> None:
    done = subprocess.run(
        [python_for(uid), "-c", PROVE, str(open_place / "home")],
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"[(7,)] {uid}\n", "")


def test_root_in_a_namespace(open_place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROVE, str(open_place / "home")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[(7,)] 0\n", "")


def without_namespaces(home: Path) -> subprocess.CompletedProcess[str]:
    """Run as a root to whom the kernel refuses further user namespaces."""
    return subprocess.run(
        [sys.executable, "-c", FORBID_NAMESPACES, sys.executable, "-c", PROVE, str(home)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_root_without_namespaces_steps_down(open_place: Path) -> None:
    done = without_namespaces(open_place / "home")
    assert (done.stdout, done.stderr) == (f"[(7,)] {NOBODY}\n", "")


ATTACK = """
import subprocess, sys
from pathlib import Path
from mess_plugin.embedded import down, lease
import psycopg
home, python = Path(sys.argv[1]), sys.argv[2]
code = "import psycopg, sys; psycopg.connect(sys.argv[1]); print('in')"
with lease(home, timeout_s=60) as held:
    url = held.endpoints.database_url
    done = subprocess.run([python, "-c", code, url], user=65534, group=65534, extra_groups=[],
                          cwd="/", capture_output=True, text=True)
    print(done.stdout, done.stderr.splitlines()[-1])
    with psycopg.connect(url) as connection:
        print(connection.execute("SELECT session_user").fetchone())
down(home)
"""


def test_nobody_else_is_let_in_where_the_server_steps_down(open_place: Path) -> None:
    """A process of the account that the server runs as finds the socket, and is refused."""
    home = open_place / "home"
    done = subprocess.run(
        [
            sys.executable, "-c", FORBID_NAMESPACES,
            sys.executable, "-c", ATTACK, str(home), python_for(NOBODY),
        ],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert 'Peer authentication failed for user "mess"' in done.stdout
    assert "('mess',)" in done.stdout
    assert "in" not in done.stdout.split()


def test_a_cluster_follows_root_into_a_namespace_and_back(open_place: Path) -> None:
    home = open_place / "home"
    environ = environment()
    made = [
        sys.executable,
        "-c",
        PROVE.replace("TABLE kept", "TABLE IF NOT EXISTS kept"),
        str(home),
    ]
    assert without_namespaces(home).returncode == 0
    done = subprocess.run(made, env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[(7,)] 0\n", "")


def test_a_way_that_is_closed_to_the_other_account_is_named(open_place: Path) -> None:
    closed = open_place / "closed"
    closed.mkdir(mode=0o700)
    done = without_namespaces(closed / "home")
    assert f"cannot pass {closed}: chmod o+x it" in done.stderr
