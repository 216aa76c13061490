"""URLs of servers: what cannot be right is named with its remedy, and no password is quoted."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from mess_plugin.errors import ConfigError, ServiceError, StoreError, UsageError
from mess_plugin.server_urls import (
    broker_database,
    broker_place,
    check_broker_url,
    check_database_url,
    redis_url,
)
from mess_plugin.services import ping_broker
from mess_plugin.store import open_store
from mess_plugin.store.connecting import connection_arguments, place

_PASSWORD = "S3cr" + "et"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("mysql://mess:S3cret@host/db", "begins with mysql://, wanted postgresql://"),
        ("postgresql+psycopg://mess:S3cret@host/db", r"begins with postgresql\+psycopg://"),
        ("jdbc:postgresql://mess:S3cret@host/db", "no scheme"),
        ("host.example/mess:S3cret", "no scheme"),
        ("POSTGRESQL://mess:S3cret@host/db", "lower case"),
        ("postgresql://mess:S3cr/et@host/db", "percent-encoded: %2F"),
        ("postgresql://mess:S3cr@et@host/db", "percent-encoded: %40"),
        ("postgresql://mess:S3cret%@host/db", "percent-encoded: %25"),
        ("postgresql://mess:S3cr et@host/db", "percent-encoded: %20"),
        ("redis://:S3cret@host/0", "begins with redis://"),
    ],
)
def test_database_urls_that_cannot_be_right(url: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=f"MESS_DATABASE_URL.*{remedy}") as caught:
        check_database_url(url)
    for part in (_PASSWORD, "S3cr", "et@"):
        assert part not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("valkey://:S3cret@host/0", "begins with valkey://, wanted redis://"),
        ("valkey+unix:///run/v.sock", r"begins with valkey\+unix://"),
        ("amqp://mess:S3cret@host//", "begins with amqp://"),
        ("host:6379/0", "no scheme"),
        ("redis://:S3cr/et@host/0", "percent-encoded: %2F"),
        ("redis://:S3cr#et@host/0", "percent-encoded: %23"),
        ("redis://:S3cr?et@host/0", "percent-encoded: %3F"),
        ("redis://:S3cr@et@host/0", "percent-encoded: %40"),
        ("redis://:S3cret@host:port/0", "port"),
        ("redis://:S3cret@host:99999/0", "port"),
        ("redis://:S3cret@host/mess", "number of a database"),
        ("redis://", "names no host"),
        ("redis+socket://", "names no socket"),
    ],
)
def test_broker_urls_that_cannot_be_right(url: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=f"MESS_BROKER_URL.*{remedy}") as caught:
        check_broker_url(url)
    assert "S3cr" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "where", "database"),
    [
        ("redis://:x@host:6380/3", "host:6380", "3"),
        ("rediss://user:x@host", "host:6379", "0"),
        ("redis+socket:///run/v%20k.sock?virtual_host=2", "/run/v k.sock", "2"),
        ("unix:///run/v.sock?db=1", "/run/v.sock", "1"),
    ],
)
def test_where_a_broker_is(url: str, where: str, database: str) -> None:
    check_broker_url(url)
    assert (broker_place(url), broker_database(url)) == (where, database)
    assert redis_url(url).partition("://")[0] in {"redis", "rediss", "unix"}


def test_what_libpq_takes_passes() -> None:
    for url in ("postgresql:///mess?host=/run/pg", "postgres://h:1,i:2/db", "host=h dbname=d",
                "postgresql://mess@/mess?host=/a", "postgresql://[::1]:5432/mess"):  # fmt: skip
        check_database_url(url)
        assert connection_arguments(url)["keepalives"] == 1
        place(url)
    said = connection_arguments("postgresql://h/d?connect_timeout=3&keepalives_idle=5")
    assert "connect_timeout" not in said
    assert "keepalives_idle" not in said


_SECRET = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=24)


@given(_SECRET)
@settings(deadline=None)
def test_any_password_that_is_encoded_arrives(password: str) -> None:
    encoded = quote(password, safe="")
    database, broker = f"postgresql://mess:{encoded}@h:1/d", f"redis://:{encoded}@h:1/2"
    check_database_url(database)
    check_broker_url(broker)
    assert conninfo_to_dict(database)["password"] == password
    assert place(database) == broker_place(broker) == "h:1"


def _errors(password: str) -> list[str]:
    """What both servers' clients say of it; the servers are not there, so they say something."""
    opened = open_store(f"postgresql://mess:{password}@127.0.0.1:1/mess")
    with pytest.raises((StoreError, UsageError)) as caught, opened:
        pass
    with pytest.raises((ServiceError, UsageError)) as refused:
        ping_broker(f"redis://:{password}@127.0.0.1:1/0")
    return [str(caught.value), str(refused.value)]


@given(_SECRET.map(lambda text: "".join(text.split()) or "!!!!!!!!"), st.booleans())
@settings(deadline=None)
def test_no_error_holds_a_password_however_it_is_written(password: str, encoded: bool) -> None:
    text = quote(password, safe="") if encoded else password
    pieces = {password, text, *(piece for c in "/@?#:%[]&=" for piece in text.split(c))}
    usual = "".join(_errors("a")) + "".join(_errors("%"))  # what they hold whatever the password is
    for error in _errors(text):
        assert "\n" not in error
        for piece in pieces:
            assert len(piece) < 5 or piece in usual or piece not in error
