"""A home that stays up, and the programs that run in it."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mess_plugin.embedded import Program, ServiceState, down, lease, state, up
from mess_plugin.embedded.processes import born
from mess_plugin.errors import ServiceError, UsageError

Eventually = Callable[..., None]

ENVIRONMENT = {"PATH": os.environ["PATH"], "SECRET": "tune"}
SLEEPER = Program("sleeper", ("sleep", "600"), ENVIRONMENT)
CRASHER = Program("crasher", ("sh", "-c", "echo boom; exit 3"), ENVIRONMENT)
STUBBORN = Program(
    "stubborn",
    ("sh", "-c", "trap '' TERM; echo $SECRET; while :; do sleep 1; done"),
    ENVIRONMENT,
    grace_s=0.3,
)


def service(home: Path, name: str) -> ServiceState:
    found = state(home)
    assert found is not None
    each = found.service(name)
    assert each is not None
    return each


def test_a_pinned_home_outlives_its_leases(embedded_home: Path) -> None:
    found = up(embedded_home)
    assert found.pinned
    assert found.database_url is not None
    assert found.broker_url is not None
    with lease(embedded_home) as held:
        assert held.endpoints.database_url == found.database_url
    assert service(embedded_home, "postgres").phase == "running"
    assert down(embedded_home)
    assert state(embedded_home) is None
    assert not down(embedded_home)


def test_a_program_that_crashes_is_started_again_and_again(
    embedded_home: Path, eventually: Eventually
) -> None:
    up(embedded_home, [CRASHER])
    eventually(lambda: service(embedded_home, "crasher").restarts >= 2)
    crasher = service(embedded_home, "crasher")
    assert crasher.last_exit == "exit code 3"
    assert Path(crasher.log).read_text().splitlines()[:2] == ["boom", "boom"]
    assert down(embedded_home)


def test_a_program_that_ignores_sigterm_is_killed(
    embedded_home: Path, eventually: Eventually
) -> None:
    up(embedded_home, [STUBBORN])
    log = embedded_home / "log" / "stubborn.log"
    eventually(lambda: log.exists() and log.read_text() == "tune\n")
    pid = service(embedded_home, "stubborn").pid
    assert pid is not None
    assert down(embedded_home)
    assert born(pid) is None


def test_up_changes_only_what_changed(embedded_home: Path, eventually: Eventually) -> None:
    up(embedded_home, [SLEEPER, STUBBORN])
    pid = service(embedded_home, "sleeper").pid
    up(embedded_home, [SLEEPER])
    assert service(embedded_home, "sleeper").pid == pid

    def stubborn_is_gone() -> bool:
        found = state(embedded_home)
        return found is not None and found.service("stubborn") is None

    eventually(stubborn_is_gone)
    up(embedded_home, [Program("sleeper", ("sleep", "601"), ENVIRONMENT)])
    eventually(lambda: service(embedded_home, "sleeper").pid not in (pid, None))
    assert born(pid or 0) is None


def test_a_pinned_home_recovers_from_a_killed_supervisor(
    embedded_home: Path, eventually: Eventually
) -> None:
    old = up(embedded_home, [SLEEPER, STUBBORN])
    os.kill(old.pid, signal.SIGKILL)
    with lease(embedded_home):
        eventually(lambda: service(embedded_home, "stubborn").phase == "running")
        new = state(embedded_home)
        assert new is not None
        assert new.pinned
        assert new.pid != old.pid
        assert not any(born(each.pid or 0) for each in old.services)


def test_a_removed_lease_holder_does_not_stop_down(embedded_home: Path) -> None:
    up(embedded_home)
    with lease(embedded_home):
        assert down(embedded_home)
        assert state(embedded_home) is None


def test_secrets_stay_private(embedded_home: Path) -> None:
    up(embedded_home, [SLEEPER])
    pin = embedded_home / "run" / "pinned.json"
    assert stat.S_IMODE(pin.stat().st_mode) == 0o600
    assert "tune" not in (embedded_home / "run" / "state.json").read_text()
    assert "tune" not in repr(SLEEPER)
    down(embedded_home)
    assert not pin.exists()


def test_a_program_that_does_not_exist_is_an_error(embedded_home: Path) -> None:
    with pytest.raises(ServiceError, match=r"program ghost: cannot be started .*no-such-command"):
        up(embedded_home, [Program("ghost", ("/no-such-command",), ENVIRONMENT)])


@pytest.mark.parametrize("name", ["postgres", "", "../x", "A"])
def test_a_program_needs_a_plain_name(name: str) -> None:
    with pytest.raises(UsageError, match="program name"):
        Program(name, ("true",), {})
