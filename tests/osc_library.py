"""A library of seven tracks behind a running OSC server, for every test about OSC.

The fixtures are made known to tests in tests/integration/conftest.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from mess_integrations.osc.wire import MAX_REPLY_BYTES
from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.store import open_store
from tests.osc_peer import SAMPLES, Client, index_files, server, settings_for

ASYLUM = sorted((SAMPLES / "angelic-asylum").glob("*.o*"))
NOIZ = sorted((SAMPLES / "noiz2sa").glob("*.*"))
INDEXED = [*ASYLUM, *NOIZ]


@pytest.fixture(scope="session")
def osc_url(postgres_server: Endpoints, template_database: str) -> Iterator[str]:
    """A database with seven indexed tracks, not to be changed."""
    name = "mess_osc"
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
        yield postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def osc_settings(osc_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = settings_for(tmp_path_factory.mktemp("osc"), osc_url)
    with open_store(osc_url) as store:
        index_files(store, found, INDEXED)
    return found


@pytest.fixture(scope="session")
def osc_address(osc_settings: Settings) -> Iterator[tuple[str, int]]:
    with server(osc_settings) as where:
        yield where


@pytest.fixture
def osc_client(osc_address: tuple[str, int]) -> Iterator[Client]:
    time.sleep(0.2)  # the allowances of this address fill up between tests
    one = Client(osc_address)
    yield one
    one.close()
    assert all(len(data) <= MAX_REPLY_BYTES for data in one.packets)
