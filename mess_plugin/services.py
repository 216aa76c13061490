"""The servers that a command works with: the ones it was told about, else the embedded ones."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import pathsep
from pathlib import Path

import msgspec

from mess_plugin import embedded
from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError
from mess_plugin.private_folder import make_private
from mess_plugin.server_urls import (
    broker_database,
    broker_place,
    check_broker_url,
    check_database_url,
    redis_url,
)
from mess_plugin.waiting import waiting_for


@contextmanager
def connected(settings: Settings, *, broker: bool = False) -> Iterator[Settings]:
    """Settings in which database_url (and broker_url, where asked for) are filled in.

    Embedded servers are started if need be and stop by themselves when the last command that uses
    them ends. Raises ServiceError where they cannot be started, ConfigError where
    the URL of one of the user's own cannot be right.
    """
    if settings.database_url is not None:
        check_database_url(settings.database_url)
    if broker and settings.broker_url is not None:
        check_broker_url(settings.broker_url)
    needs_database = settings.database_url is None
    needs_broker = broker and settings.broker_url is None
    if not needs_database and not needs_broker:
        yield settings
        return
    with waiting_for(f"the servers in {settings.home} to start"):
        held = embedded.lease(settings.home, broker=needs_broker)
    with held:
        urls = {
            "database_url": settings.database_url or held.endpoints.database_url,
            "broker_url": settings.broker_url or held.endpoints.broker_url,
        }
        yield msgspec.structs.replace(settings, **urls)


def has_library(settings: Settings) -> bool:
    """Whether there is a database to ask: one of the user's own, or one that MESS has made here.

    Starts nothing. Where it is False, nothing was indexed and no encoder was chosen.
    """
    return settings.database_url is not None or (settings.home / "postgres").is_dir()


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables for a process of our own, such as a worker."""
    values = msgspec.structs.asdict(settings)
    return {
        f"MESS_{name.upper()}": pathsep.join(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
        if value not in (None, ())
    }


def home_id(home: Path) -> str:
    """A random name of this home, made once and kept in its file `id`.

    By it a client tells whether the service at an address is that of its own home. Raises ServiceError
    where the file can be neither read nor made.
    """
    path = home / "id"
    try:
        if not path.exists():
            make_private(home)
            draft = home / f".id.{os.getpid()}"
            draft.write_text(secrets.token_hex(16) + "\n", encoding="ascii")
            with suppress(FileExistsError):  # of several at once the first wins
                os.link(draft, path)
            draft.unlink()
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError("home", f"{path} can be neither read nor made: {error}") from error


def broker_problem(error: BaseException, broker_url: str) -> str:
    """What a broker's error means to a person, without the password."""
    import redis  # noqa: PLC0415  most commands need no broker

    where, said = broker_place(broker_url), str(error).splitlines()[0] if str(error) else ""
    if isinstance(error, redis.AuthenticationError) or "NOAUTH" in said:
        return f"{where} refuses the password ({said}): check user and password in MESS_BROKER_URL"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return f"{where} refuses the user ({said}): give it the rights, or name another one"
    if isinstance(error, redis.BusyLoadingError):
        return f"{where} is loading its data: try again shortly"
    if isinstance(error, redis.ResponseError) and "index" in said:
        number = broker_database(broker_url)
        return f"{where} has no database {number} ({said}): name another one in MESS_BROKER_URL"
    if isinstance(error, redis.ResponseError):
        return f"{where} refuses ({said})"
    return f"{where} does not answer ({said}): check MESS_BROKER_URL, or unset it"


def ping_broker(broker_url: str) -> str:
    """Name and version of the broker's server.

    Raises ServiceError where it does not answer or refuses, ConfigError where the URL is wrong.
    """
    import redis  # noqa: PLC0415  most commands need no broker

    check_broker_url(broker_url)
    url = redis_url(broker_url)
    try:
        with (
            waiting_for(f"the broker at {broker_place(broker_url)}"),
            redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client,
        ):
            info = client.info("server")
    except (redis.RedisError, ValueError) as error:
        raise ServiceError("broker", broker_problem(error, broker_url)) from error
    assert isinstance(info, dict)
    name = info.get("server_name", "redis")
    return f"{name} {info.get(f'{name}_version', info.get('redis_version'))}"
