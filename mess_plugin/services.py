"""The servers that a command works with: the ones it was told about, else the embedded ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from mess_plugin import embedded
from mess_plugin.config import Settings


@contextmanager
def connected(settings: Settings, *, broker: bool = False) -> Iterator[Settings]:
    """Settings in which database_url (and broker_url, where asked for) are filled in.

    Embedded servers are started if need be and stop by themselves when the last command that uses
    them ends. Raises ServiceError where they cannot be started.
    """
    needs_database = settings.database_url is None
    needs_broker = broker and settings.broker_url is None
    if not needs_database and not needs_broker:
        yield settings
        return
    with embedded.lease(settings.home, broker=needs_broker) as held:
        urls = {
            "database_url": settings.database_url or held.endpoints.database_url,
            "broker_url": settings.broker_url or held.endpoints.broker_url,
        }
        yield msgspec.structs.replace(settings, **urls)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables for a process of our own, such as a worker."""
    values = msgspec.structs.asdict(settings)
    return {
        f"MESS_{name.upper()}": str(value) for name, value in values.items() if value is not None
    }
