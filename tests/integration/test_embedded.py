"""Leases: servers start for whoever needs them, are shared, keep their data and go."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from mess_plugin.embedded import Lease, lease, state

Eventually = Callable[..., None]

HOLD = """
import sys, time
from pathlib import Path
from mess_plugin.embedded import lease, state
home = Path(sys.argv[1])
with lease(home, timeout_s=60) as held:
    print(state(home).pid, held.endpoints.database_url, flush=True)
    sys.stdin.read()
"""


def holder(home: Path) -> subprocess.Popen[str]:
    """Another process that holds a lease until its stdin closes."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def execute(held: Lease, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(held.endpoints.database_url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_data_survives_a_stop(new_home: Path, eventually: Eventually) -> None:
    with lease(new_home) as held:
        execute(held, "CREATE TABLE kept AS SELECT 7 AS n")
    eventually(lambda: state(new_home) is None)
    with lease(new_home) as held:
        assert execute(held, "SELECT n FROM kept") == [(7,)]


def test_the_server_is_set_up_for_mess(embedded_home: Path) -> None:
    with lease(embedded_home) as held:
        shown = {
            name: execute(held, f"SHOW {name}")[0][0]
            for name in ("listen_addresses", "fsync", "server_encoding", "timezone", "jit")
        }
        assert shown == {
            "listen_addresses": "",
            "fsync": "on",
            "server_encoding": "UTF8",
            "timezone": "UTC",
            "jit": "off",
        }
        execute(held, "CREATE EXTENSION vector")
        assert execute(held, "SELECT '[3,4]'::halfvec <-> '[0,0]'") == [(5.0,)]
        assert execute(held, "SELECT lower('ÄÉ'), 'ä' < 'z'") == [("äé", False)]


def test_everything_is_private(new_home: Path) -> None:
    with lease(new_home, broker=True):
        places = [new_home, *new_home.iterdir()]
        assert {stat.S_IMODE(place.stat().st_mode) for place in places} == {0o700}


def test_valkey_starts_only_when_asked_for(embedded_home: Path) -> None:
    with lease(embedded_home) as held:
        assert held.endpoints.broker_url is None
        found = state(embedded_home)
        assert found is not None
        assert found.broker_url is None
        valkey = found.service("valkey")
        assert valkey is not None
        assert valkey.phase == "stopped"
        with lease(embedded_home, broker=True) as second:
            assert second.endpoints.broker_url is not None
            assert broker(second).ping()


def test_the_state_says_what_runs(embedded_home: Path) -> None:
    with lease(embedded_home, broker=True) as held:
        found = state(embedded_home)
        assert found is not None
        assert (found.pinned, found.leases) == (False, 1)
        assert found.database_url == held.endpoints.database_url
        assert found.broker_url == held.endpoints.broker_url
        written = json.loads((embedded_home / "run" / "state.json").read_text())
        assert written["pid"] == found.pid
        assert [each["name"] for each in written["services"]] == ["postgres", "valkey"]
        for each in found.services:
            assert (each.phase, each.restarts, each.last_exit) == ("running", 0, None)
            assert each.pid is not None
            os.kill(each.pid, 0)
            assert Path(each.log).is_file()


def test_asking_for_the_state_creates_nothing(new_home: Path) -> None:
    assert state(new_home) is None
    assert not new_home.exists()


def test_servers_stay_for_the_last_lease(embedded_home: Path, eventually: Eventually) -> None:
    first = lease(embedded_home)
    with lease(embedded_home) as second:
        before = state(embedded_home)
        first.close()
        eventually(lambda: (now := state(embedded_home)) is not None and now.leases == 1)
        assert execute(second, "SELECT 1") == [(1,)]
        after = state(embedded_home)
        assert before is not None
        assert after is not None
        assert before.pid == after.pid
    eventually(lambda: state(embedded_home) is None)


def test_simultaneous_first_starts_share_one_server(new_home: Path) -> None:
    processes = [holder(new_home) for _ in range(4)]
    try:
        lines = {first_line(process) for process in processes}
        assert len(lines) == 1
        assert lines != {""}
        found = state(new_home)
        assert found is not None
        assert found.leases == 4
    finally:
        for process in processes:
            process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["long/" + "x" * 70 + "/" + "y" * 70, "a b, ü%"])
def test_any_path_will_do(tmp_path: Path, name: str, eventually: Eventually) -> None:
    home = tmp_path / name
    with lease(home, broker=True) as held:
        sockets = Path((home / "run" / "sockets").read_text())
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert execute(held, "SELECT 1") == [(1,)]
        assert broker(held).ping()
    eventually(lambda: not sockets.exists())


def broker(held: Lease) -> redis.Redis:
    assert held.endpoints.broker_url is not None
    path = held.endpoints.broker_url.removeprefix("redis+socket://").partition("?")[0]
    return redis.Redis(unix_socket_path=path)


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_has_a_database_of_its_own(database_url: str, turn: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE only_here (n int)")


def test_the_session_has_a_broker(valkey_url: str) -> None:
    path = valkey_url.removeprefix("redis+socket://").partition("?")[0]
    assert redis.Redis(unix_socket_path=path).ping()
