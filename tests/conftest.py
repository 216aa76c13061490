"""Real servers for every test: one embedded pair per session, one fresh database per test."""

from __future__ import annotations

import itertools
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from mess_plugin.embedded import Endpoints, down, lease
from mess_plugin.store import open_store

TEMPLATE = "mess_template"
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4_000_000_000

_numbers = itertools.count()

# How long an example takes says nothing here: other tests run at the same time.
hypothesis.settings.register_profile("mess", deadline=None)
hypothesis.settings.load_profile("mess")

# Started in the background, as by a CI runner, the tests would ignore Ctrl-C, and so would every
# command that they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports cross processes as UTF-8: what a failing test said of an odd file name must, too."""
    report = yield
    report.sections = [(name, _escaped(text)) for name, text in report.sections]
    text = str(report.longrepr) if report.failed else ""
    if text != _escaped(text):
        report.longrepr = _escaped(text)
    report.user_properties = [
        (name, _escaped(str(value))) for name, value in report.user_properties
    ]
    return report


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def prepare_template(url: str) -> None:
    """Bring the template database at `url` to the current schema, once per session."""
    with open_store(url):
        pass


@pytest.fixture(scope="session")
def servers_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The MESS home of the session's servers, in memory where there is room.

    Every test makes and drops a database; on a disk, most of that is waiting for it. What a crash
    leaves is tested on homes of its own.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield tmp_path_factory.mktemp("servers")
        return
    with tempfile.TemporaryDirectory(prefix="mess-", dir=MEMORY) as home:
        yield Path(home)


@pytest.fixture(scope="session")
def postgres_server(servers_home: Path) -> Iterator[Endpoints]:
    """One embedded Postgres for the session."""
    with lease(servers_home, timeout_s=120) as held:
        yield held.endpoints


@pytest.fixture(scope="session")
def valkey_url(servers_home: Path) -> Iterator[str]:
    """One embedded Valkey for the session, as a kombu URL."""
    with lease(servers_home, broker=True, timeout_s=120) as held:
        assert held.endpoints.broker_url is not None
        yield held.endpoints.broker_url


@pytest.fixture(scope="session")
def template_database(postgres_server: Endpoints) -> str:
    """The name of a database with the current schema, to be copied and never written."""
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
    prepare_template(_url_of(postgres_server, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: Endpoints, template_database: str) -> Iterator[str]:
    """A database of the test's own, a copy of the template, dropped afterwards."""
    name = f"mess_test_{next(_numbers)}"
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        yield _url_of(postgres_server, name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """A home that does not exist yet, taken down after the test."""
    home = tmp_path / "home"
    yield home
    down(home)


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was started once and is down, to be copied and never started."""
    home = tmp_path_factory.mktemp("made") / "home"
    with lease(home, timeout_s=120):
        pass
    down(home)
    return home


@pytest.fixture
def embedded_home(new_home: Path, made_home: Path) -> Path:
    """A home of the test's own that was used before, which spares it the first start."""
    shutil.copytree(made_home, new_home)
    return new_home


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until a condition holds; fail with its name when it does not within `timeout_s`."""

    def wait(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s"
            time.sleep(0.02)

    return wait


def _url_of(server: Endpoints, database: str) -> str:
    return server.database_url.replace("/mess?", f"/{database}?", 1)
