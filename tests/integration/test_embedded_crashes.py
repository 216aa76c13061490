"""Kill -9, at everything that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis

from mess_plugin.embedded import HomeState, Lease, lease, state
from mess_plugin.embedded.processes import born

Eventually = Callable[..., None]

HOLD = """
import sys, time
from pathlib import Path
from mess_plugin.embedded import lease
lease(Path(sys.argv[1]), broker=True)
print("held", flush=True)
time.sleep(600)
"""


def pid_of(home: Path, name: str) -> int:
    service = running(home).service(name)
    assert service is not None
    assert service.pid is not None
    return service.pid


def running(home: Path) -> HomeState:
    found = state(home)
    assert found is not None
    return found


def restarted(home: Path, name: str, old_pid: int) -> bool:
    service = running(home).service(name)
    return service is not None and service.phase == "running" and service.pid != old_pid


def rows(held: Lease) -> int:
    with psycopg.connect(held.endpoints.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def fill(held: Lease) -> None:
    with psycopg.connect(held.endpoints.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")


def broker(held: Lease) -> redis.Redis:
    assert held.endpoints.broker_url is not None
    path = held.endpoints.broker_url.removeprefix("redis+socket://").partition("?")[0]
    return redis.Redis(unix_socket_path=path, decode_responses=True)


def test_postgres_comes_back(embedded_home: Path, eventually: Eventually) -> None:
    with lease(embedded_home) as held:
        fill(held)
        pid = pid_of(embedded_home, "postgres")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: restarted(embedded_home, "postgres", pid))
        assert rows(held) == 1000
        service = running(embedded_home).service("postgres")
        assert service is not None
        assert (service.restarts, service.last_exit) == (1, "killed by SIGKILL")


def test_valkey_comes_back_with_every_write(embedded_home: Path, eventually: Eventually) -> None:
    with lease(embedded_home, broker=True) as held:
        for number in range(100):
            broker(held).rpush("queue", number)
        pid = pid_of(embedded_home, "valkey")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: restarted(embedded_home, "valkey", pid))
        assert broker(held).lrange("queue", 0, -1) == [str(number) for number in range(100)]


def test_servers_go_with_their_supervisor(embedded_home: Path, eventually: Eventually) -> None:
    with lease(embedded_home, broker=True) as held:
        fill(held)
        old = running(embedded_home)
        os.kill(old.pid, signal.SIGKILL)
        eventually(lambda: not any(born(each.pid or 0) for each in old.services))
        assert state(embedded_home) is None
    with lease(embedded_home) as held:
        assert running(embedded_home).pid != old.pid
        assert rows(held) == 1000


def test_a_supervisor_can_be_followed_at_once(embedded_home: Path) -> None:
    with lease(embedded_home, broker=True) as held:
        fill(held)
        broker(held).set("kept", "yes")
        for _ in range(3):
            os.kill(running(embedded_home).pid, signal.SIGKILL)
            with lease(embedded_home, broker=True) as next_one:
                assert rows(next_one) == 1000
                assert broker(next_one).get("kept") == "yes"


def test_a_killed_holder_leaks_nothing(embedded_home: Path, eventually: Eventually) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(embedded_home)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        old = running(embedded_home)
        holder.kill()
    eventually(lambda: state(embedded_home) is None)
    pids = [old.pid, *(each.pid for each in old.services)]
    eventually(lambda: not any(born(pid or 0) for pid in pids))


def test_a_stale_lock_with_a_living_pid_is_cleared(
    embedded_home: Path, eventually: Eventually
) -> None:
    with lease(embedded_home) as held:
        fill(held)
        lock = (embedded_home / "postgres" / "postmaster.pid").read_text()
        sockets = Path(held.endpoints.database_url.partition("host=")[2])
        socket_lock = (sockets / ".s.PGSQL.5432.lock").read_text()
    eventually(lambda: state(embedded_home) is None)
    living = f"{os.getpid()}\n"
    stale = living + lock.partition("\n")[2]
    (embedded_home / "postgres" / "postmaster.pid").write_text(stale)
    (sockets / ".s.PGSQL.5432.lock").write_text(living + socket_lock.partition("\n")[2])
    (sockets / ".s.PGSQL.5432").touch()
    with lease(embedded_home) as held:
        assert rows(held) == 1000


def test_a_cluster_that_was_half_made_is_made_again(new_home: Path) -> None:
    (new_home / "postgres.new").mkdir(parents=True)
    (new_home / "postgres.new" / "PG_VERSION").write_text("18\n")
    with lease(new_home) as held:
        fill(held)
        assert rows(held) == 1000
    assert not (new_home / "postgres.new").exists()
