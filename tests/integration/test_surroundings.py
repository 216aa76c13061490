"""Servers of the user's own that are set up in other ways: they work, or it is said what to do."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from mess_plugin.embedded import Endpoints
from mess_plugin.errors import ServiceError, StoreError
from mess_plugin.services import ping_broker
from mess_plugin.store import open_store


@pytest.fixture
def apart(postgres_server: Endpoints) -> Iterator[str]:
    """A database whose extensions lie in a schema that names are not looked up in."""
    url = postgres_server.database_url
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE mess_apart")
        admin.execute("CREATE ROLE mess_guest LOGIN")
        admin.execute("ALTER DATABASE mess_apart SET search_path = public")
        apart = url.replace("/mess?", "/mess_apart?", 1)
        with psycopg.connect(apart, autocommit=True) as inside:
            inside.execute("CREATE SCHEMA extensions")
            inside.execute("CREATE EXTENSION vector SCHEMA extensions")
            inside.execute("CREATE EXTENSION pg_trgm SCHEMA extensions")
            inside.execute("GRANT ALL ON SCHEMA public TO mess_guest")
        yield apart
        admin.execute("DROP DATABASE mess_apart WITH (FORCE)")
        admin.execute("DROP ROLE mess_guest")


def test_extensions_outside_the_search_path_are_found(apart: str) -> None:
    for _ in range(2):  # made, and opened again
        with open_store(apart) as store:
            assert store.library.find_words("nothing") == ([], 0)
            assert store.library.find_resembling("nothing") == []


def test_extensions_that_may_not_be_used_are_named_with_their_schema(apart: str) -> None:
    guest = apart.replace("mess@", "mess_guest@")
    with pytest.raises(StoreError, match='GRANT USAGE ON SCHEMA "extensions"'), open_store(guest):
        pass
    with psycopg.connect(apart, autocommit=True) as admin:
        admin.execute("GRANT USAGE ON SCHEMA extensions TO mess_guest")
    with open_store(guest) as store:
        assert store.library.count()[0] == 0


def test_without_a_schema_for_tables_the_search_path_is_named(apart: str) -> None:
    with psycopg.connect(apart, autocommit=True) as admin:
        admin.execute("ALTER DATABASE mess_apart SET search_path = gone")
    with pytest.raises(StoreError, match="search_path"), open_store(apart):
        pass


def test_a_wrong_name_is_not_called_silence(postgres_server: Endpoints) -> None:
    url = postgres_server.database_url
    wrong = {
        url.replace("/mess?", "/mses?"): 'refuses .*database "mses" does not exist.*create that',
        url.replace("mess@", "mses:hidden@"): 'refuses .*role "mses" does not exist.*user',
    }
    for one, words in wrong.items():
        with pytest.raises(StoreError, match=words) as caught, open_store(one):
            pass
        assert "does not answer" not in str(caught.value)
        assert "hidden" not in str(caught.value)


def test_a_broker_that_refuses_is_not_called_silent(valkey_url: str) -> None:
    for url, words in {
        valkey_url.replace("://", "://other:hidden@"): "refuses the password.*MESS_BROKER_URL",
        valkey_url.replace("virtual_host=0", "virtual_host=999"): "has no database 999",
    }.items():
        with pytest.raises(ServiceError, match=words) as caught:
            ping_broker(url)
        assert "hidden" not in str(caught.value)
        assert "does not answer" not in str(caught.value)
    assert ping_broker(valkey_url)
