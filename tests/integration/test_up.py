"""`mess up` says of each service where it is or why it is not, and the doctor looks at each."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mess_plugin.embedded import down, state
from mess_plugin.services import home_id


@pytest.fixture
def taken() -> Iterator[str]:
    """An address at which somebody else listens, who answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def mess(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    settings = {"MESS_HOME": str(home), "MESS_ENCODER": "descriptors", "MESS_JOBS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "mess_plugin", *words],
        env={**os.environ, **settings, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_service_is_waited_for_and_shown(embedded_home: Path) -> None:
    listening = {"MESS_LISTEN": "127.0.0.1:0"}
    try:
        done = mess(embedded_home, "up", **listening)
        assert done.returncode == 0, done.stderr
        lines = dict(line.split(": ", 1) for line in done.stderr.splitlines() if ": " in line)
        assert {"postgres", "valkey", "http", "dispatch", "worker", "maintenance"} <= lines.keys()
        assert lines["http"].startswith("http://127.0.0.1:")
        where = lines["http"].split()[0]
        with urllib.request.urlopen(f"{where}/healthz") as answer:
            assert json.loads(answer.read())["home"] == home_id(embedded_home)
        checks = json.loads(mess(embedded_home, "doctor", "--json", **listening).stdout)["checks"]
        found = {one["name"]: one for one in checks}
        for name in ("http", "dispatch", "worker", "maintenance", "address"):
            assert found[name]["ok"] is True, found[name]
        assert found["address"]["detail"] == f"{where} is answered by this home"
        again = mess(embedded_home, "up", **listening)  # what runs is left alone
        assert again.returncode == 0
        assert lines["http"] in again.stderr
    finally:
        down(embedded_home)


def test_a_service_that_cannot_start_is_named_with_its_reason(
    embedded_home: Path, taken: str
) -> None:
    try:
        done = mess(embedded_home, "up", MESS_LISTEN=taken)
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("http: ")]
        assert f"cannot listen on {taken}" in line
        assert "dispatch: running" in done.stderr
        running = state(embedded_home)
        assert running is not None
        assert running.pinned  # the others go on, and it is tried again
        shown = mess(embedded_home, "status", MESS_LISTEN=taken)
        assert "NOT up: http: " in shown.stderr
        checked = mess(embedded_home, "doctor", MESS_LISTEN=taken)
        assert checked.returncode == 1
        assert f"cannot listen on {taken}" in checked.stderr
    finally:
        down(embedded_home)


def test_an_address_that_is_another_homes_is_named(
    embedded_home: Path, tmp_path: Path, database_url: str, valkey_url: str
) -> None:
    try:
        done = mess(embedded_home, "up", MESS_LISTEN="127.0.0.1:0")
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("http: ")]
        where = line.split()[1].removeprefix("http://")
        other = {"MESS_DATABASE_URL": database_url, "MESS_BROKER_URL": valkey_url}
        checked = mess(tmp_path / "other", "doctor", MESS_LISTEN=where, **other)
        assert f"note  address: http://{where} is another home's" in checked.stderr
    finally:
        down(embedded_home)
