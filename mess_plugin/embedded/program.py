"""Programs that run while a home is up, and the private file that remembers them."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mess_plugin import readiness
from mess_plugin.atomic_file import write_text
from mess_plugin.embedded import launch
from mess_plugin.embedded.home import SERVICE, Home
from mess_plugin.embedded.launch import SystemAccount
from mess_plugin.embedded.logs import Log
from mess_plugin.errors import ServiceError, UsageError

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
RESERVED = frozenset({"postgres", "valkey", "supervisor"})


@dataclass(frozen=True, slots=True)
class Program:
    """A command to keep running: `argv` from its first word, `environment` whole.

    `name` is lower case and names its log; `says_ready`: it calls `announce_ready` once it works, and
    until then it counts as starting; `grace_s` passes between SIGTERM and SIGKILL when it is
    stopped. UsageError when the name or the arguments cannot be.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)  # it may hold secrets
    grace_s: float = 10.0
    says_ready: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in RESERVED:
            raise UsageError(
                f"program name {self.name!r}: use lower-case letters, digits, - and _, "
                f"and none of {', '.join(sorted(RESERVED))}"
            )
        if not self.argv or any("\0" in word for word in self.argv):
            raise UsageError(f"program {self.name}: its command {self.argv!r} cannot be run")


def as_json(programs: Sequence[Program]) -> list[dict[str, object]]:
    """Return the programs as JSON values; `from_json` reads them back."""
    return [{**asdict(program), "argv": list(program.argv)} for program in programs]


def from_json(values: Sequence[Mapping[str, object]]) -> tuple[Program, ...]:
    """Return what `as_json` was given; TypeError, KeyError or UsageError for anything else."""
    return tuple(_program(value) for value in values)


def remember(home: Home, programs: Sequence[Program]) -> None:
    """Pin the home with these programs: the file is private, for environments hold secrets."""
    pinned = {"home": str(home.path), "programs": as_json(programs)}
    write_text(home.pin, json.dumps(pinned), mode=0o600)


def remembered(home: Home) -> tuple[Program, ...] | None:
    """Return the programs of a pinned home, None if it is not; ServiceError for a bad file.

    Of a home that was moved, copied or restored since, they are those of its present place, and of
    the Python that is there now.
    """
    try:
        pinned = json.loads(home.pin.read_text("utf-8"))
        if isinstance(pinned, list):  # as an older MESS wrote it
            return from_json(pinned)
        programs = from_json(pinned["programs"])
        return tuple(_moved(program, str(pinned["home"]), str(home.path)) for program in programs)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, UsageError) as error:
        raise ServiceError(
            SERVICE, f"cannot read {home.pin} ({error}): remove it and run `mess up` again"
        ) from error


def _moved(program: Program, old: str, new: str) -> Program:
    def place(text: str) -> str:
        return new + text[len(old) :] if text == old or text.startswith(old + os.sep) else text

    python, *words = program.argv
    if words[:1] == ["-m"] and not os.access(python, os.X_OK):
        python = sys.executable
    environment = {name: place(value) for name, value in program.environment.items()}
    return replace(program, argv=tuple(map(place, (python, *words))), environment=environment)


def _program(value: Mapping[str, object]) -> Program:
    argv, environment, grace_s = value["argv"], value["environment"], value["grace_s"]
    if not (
        isinstance(argv, list)
        and isinstance(environment, dict)
        and isinstance(grace_s, int | float)
    ):
        raise TypeError("not a program")
    return Program(
        str(value["name"]),
        tuple(str(word) for word in argv),
        {str(name): str(text) for name, text in environment.items()},
        float(grace_s),
        bool(value.get("says_ready", False)),
    )


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """The plan of a program: it is ready as soon as it says so, or else as soon as it runs."""

    home: Home
    program: Program

    first_backoff_s = 0.5

    @property
    def name(self) -> str:
        """The program's own name."""
        return self.program.name

    @property
    def title(self) -> str:
        """The program's own name."""
        return f"program {self.program.name}"

    @property
    def directory(self) -> Path:
        """The home: a place that exists."""
        return self.home.path

    @property
    def environment(self) -> Mapping[str, str]:
        """What the caller of `up` gave, and where to say that it works."""
        return {**self.program.environment, readiness.VARIABLE: str(self._ready_file)}

    @property
    def is_ready_when_started(self) -> bool:
        """Whether it does not say when it works."""
        return not self.program.says_ready

    @property
    def _ready_file(self) -> Path:
        return self.home.run / f"{self.name}.ready"

    @property
    def stop_signals(self) -> Sequence[tuple[signal.Signals, float]]:
        """SIGTERM with the program's grace."""
        return ((signal.SIGTERM, self.program.grace_s),)

    def prepare(self, log: Log) -> tuple[Sequence[str], SystemAccount]:  # noqa: ARG002
        """Forget what an earlier process said."""
        self._ready_file.unlink(missing_ok=True)
        return self.program.argv, launch.own_account()

    def is_ready(self, pid: int) -> bool:
        """Whether it has said so, or got as far as existing."""
        return (
            not self.program.says_ready or readiness.read_ready(self._ready_file, pid) is not None
        )

    def detail(self, pid: int) -> str:
        """What it said of itself."""
        return readiness.read_ready(self._ready_file, pid) or ""

    def explain(self, last_words: str) -> str:  # noqa: ARG002 - a program's words are quoted anyway
        """Say what there is to say."""
        return f"command {os.path.basename(self.program.argv[0])} ended"  # noqa: PTH119
