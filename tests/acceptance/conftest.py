"""MESS as a user gets it: a wheel, built and installed into an environment of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from mess_plugin import embedded
from tests.page_host import CHROMIUM, Served, Tab, chromium, signed_in, tab_in
from tests.programs import left_out

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"


PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, freshly built, once for all processes that share this run of the tests."""

    def build(folder: Path) -> None:
        _run([*PIP, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)])

    (built,) = _made_once(tmp_path_factory, "wheels", build).glob("mess_plugin-*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds the wheel and what it depends on, nothing else."""

    def install(place: Path) -> None:
        venv.create(place, with_pip=False)
        _run([*PIP, "--python", str(place / "bin" / "python"), "install", str(wheel)])

    return _made_once(tmp_path_factory, "installed", install)


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process which asks for it fills; the others wait for it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    place, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place)
            done.touch()
    return place


class Mess:
    """Runs the installed `mess` in a home of its own."""

    def __init__(self, place: Path, home: Path) -> None:
        self.home = home
        self.program = place / "bin" / "mess"
        # Nothing of the checkout or of the tests' environment leaks in.
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {**kept, "HOME": str(home.parent), "MESS_HOME": str(home)}

    def __call__(self, *words: str | Path, code: int = 0, **variables: str) -> tuple[str, str]:
        """Run a command, check its exit code, and return its standard output and error."""
        done = subprocess.run(
            [self.program, *map(str, words)],
            capture_output=True,
            text=True,
            env={**self.environment, **variables},
            cwd=self.home.parent,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def json(self, *words: str | Path) -> Any:
        """Run a command with --json and parse the one document that it writes."""
        return json.loads(self(*words, "--json")[0])

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [self.program, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.home.parent,
            process_group=0,
        )


@pytest.fixture
def mess(installed: Path, tmp_path: Path) -> Iterator[Mess]:
    """The installed `mess` with an empty library."""
    home = tmp_path / "home"
    yield Mess(installed, home)
    embedded.down(home)


@pytest.fixture(scope="session")
def with_samples(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mess]:
    """The installed `mess` with the sample music indexed; not to be changed by tests."""
    home = tmp_path_factory.mktemp("samples") / "home"
    command = Mess(installed, home)
    command("index", SAMPLES)
    yield command
    embedded.down(home)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`mess serve` over the sample library; tests leave the library as it is."""
    host = Served(tmp_path_factory.mktemp("page") / "home")
    host.mess("index", SAMPLES, "--jobs", "1")
    host.start()
    yield host
    host.stop()
    embedded.down(host.home)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; where it is missing, the tests that need it are left out by name.

    For one module at a time: while it runs, no other test of the process can run an event loop.
    """
    if CHROMIUM is None:
        left_out("chromium is not installed (Debian package chromium)")
    with chromium() as started:
        yield started


@pytest.fixture
def tab(browser: Browser, served: Served) -> Iterator[Tab]:
    """A page that is signed in; at the end nothing may have gone wrong in it."""
    context = signed_in(browser, served)
    opened = tab_in(context, served)
    yield opened
    opened.check()
    context.close()
