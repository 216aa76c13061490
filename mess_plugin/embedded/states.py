"""What is running, as values and as the JSON file that `mess status` and `mess doctor` read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One supervised process.

    `phase` is starting, running, stopping, waiting (for a restart) or stopped; `since_s` is the
    Unix time at which that phase began; `detail` is what it says of itself, such as its address;
    `restarts` counts since the supervisor started; `born`
    tells a process from a later one with the same pid.
    """

    name: str
    phase: str
    pid: int | None
    born: str | None
    since_s: float
    restarts: int
    last_exit: str | None
    problem: str | None
    log: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HomeState:
    """A home that is running: its path, its supervisor, who holds it up and what it runs.

    `database_url` and `broker_url` are None while the server is not wanted or not ready.
    """

    pid: int
    since_s: float
    pinned: bool
    leases: int
    database_url: str | None
    broker_url: str | None
    services: tuple[ServiceState, ...]
    home: str = ""

    def service(self, name: str) -> ServiceState | None:
        """Return the service of that name, None when there is none."""
        return next((each for each in self.services if each.name == name), None)


def to_json(state: HomeState) -> str:
    """Return the state as indented JSON."""
    return json.dumps(asdict(state), indent=1)


def read(path: Path) -> HomeState | None:
    """Return the state last written; None when there is none or it is of another version.

    None, too, for a copy: the processes in it belong to the home that was copied.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
        services = tuple(ServiceState(**each) for each in value.pop("services"))
        state = HomeState(**value, services=services)
        return state if state.home in {"", str(path.parent.parent)} else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
