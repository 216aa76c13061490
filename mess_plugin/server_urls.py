"""URLs of the user's own servers: read before they are used, so that no error quotes a password.

libpq and redis split a URL at the first character that their grammar reserves, and then complain about
the rest: with a `/` in the password, the rest of the password is what they call a port.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

from mess_plugin.errors import ConfigError

DATABASE_SCHEMES = ("postgresql", "postgres")
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "unix")
_HIDDEN = "…"  # never any part of the value
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DATABASE_EXAMPLE = "postgresql://user:password@host:5432/database"
_BROKER_EXAMPLE = "redis://:password@host:6379/0, or redis+socket:///path/to/socket"


def check_database_url(url: str) -> None:
    """Raise ConfigError where a URL cannot be what psycopg takes, or would be split wrongly.

    A connection string of libpq (host=… dbname=…) passes.
    """
    if _SCHEME.match(url) is None and "=" in url and "://" not in url.partition("=")[0]:
        return
    _check(url, "database_url", DATABASE_SCHEMES, _DATABASE_EXAMPLE, reserved="/@")


def check_broker_url(url: str) -> None:
    """Raise ConfigError where a URL cannot be what Celery and redis take; as `check_database_url`."""
    _check(url, "broker_url", BROKER_SCHEMES, _BROKER_EXAMPLE, reserved="/@?#[]")
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018  reading it checks it
    except ValueError:
        raise _wrong("broker_url", "its port is no number from 0 to 65535") from None
    name = parts.path.strip("/")
    if parts.scheme in {"redis", "rediss"}:
        if not parts.hostname:
            raise _wrong("broker_url", f"it names no host: wanted {_BROKER_EXAMPLE}") from None
        if name and not (name.isascii() and name.isdigit()):
            raise _wrong(
                "broker_url", "behind the host it wants the number of a database, as in /0"
            ) from None
    elif not name:
        raise _wrong("broker_url", f"it names no socket: wanted {_BROKER_EXAMPLE}") from None


def redis_url(broker_url: str) -> str:
    """A broker's URL as redis-py reads it; Celery has another form for Unix sockets."""
    return broker_url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")


def broker_place(broker_url: str) -> str:
    """Host and port, or socket, of a checked URL, for people; without user and password."""
    parts = urlsplit(broker_url)
    if parts.scheme in {"redis", "rediss"}:
        return f"{parts.hostname}:{parts.port or 6379}"
    return unquote(parts.path)


def broker_database(broker_url: str) -> str:
    """The number of the database that a checked URL names."""
    parts = urlsplit(broker_url)
    if parts.scheme in {"redis", "rediss"}:
        return parts.path.strip("/") or "0"
    query = parse_qs(parts.query)
    return (query.get("virtual_host") or query.get("db") or ["0"])[0]


def _check(url: str, setting: str, schemes: tuple[str, ...], example: str, reserved: str) -> None:
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise _wrong(setting, f"it has no scheme: wanted {example}") from None
    if scheme[1].lower() not in schemes:
        raise _wrong(setting, f"it begins with {scheme[1]}://, wanted {example}") from None
    if scheme[1] not in schemes or scheme.start(1):
        raise _wrong(
            setting, f"wanted {scheme[1].lower()}:// in lower case at the very beginning"
        ) from None
    rest = url[scheme.end() :]
    if not rest.isprintable() or " " in rest:
        raise _wrong(setting, _encoded("a space or a control character", "%20")) from None
    user, at, _ = rest.rpartition("@")
    for character in reserved if at else "":
        if character in user:
            code = f"%{ord(character):02X}"
            raise _wrong(
                setting, _encoded(f"{character} in the user or the password", code)
            ) from None
    if _BAD_PERCENT.search(rest):
        raise _wrong(setting, _encoded("% that begins no such code", "%25")) from None


def _encoded(what: str, code: str) -> str:
    return f"it holds {what}, which must be percent-encoded: {code}"


def _wrong(setting: str, wanted: str) -> ConfigError:
    """Raised from None: no context may hold the value."""
    return ConfigError(f"{setting} (MESS_{setting.upper()})", _HIDDEN, wanted)
