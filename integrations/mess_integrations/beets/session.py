"""From beets' configuration to a running MESS."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mess_plugin import intake
from mess_plugin.config import Settings, load_settings
from mess_plugin.recipe import Recipe
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store

OPTIONS = ("home", "database_url", "broker_url", "encoder")
"""Settings of MESS that the section `mess` of beets' configuration may set."""


def settings_of(options: Mapping[str, str | None]) -> Settings:
    """MESS's settings with the given ones (of OPTIONS) on top. Raises ConfigError."""
    given = {name: value for name, value in options.items() if value}
    environment = dict(os.environ)
    if home := given.pop("home", None):
        environment["MESS_HOME"] = home
    return load_settings(environment, **given)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Settings, Store]]:
    """The settings as they hold while connected, and the store; starts the embedded one if need be.

    Changes that waited for MESS are taken into the ledger first. Raises MessError.
    """
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        intake.drain(settings.home, store, str(Recipe.of(settings)))
        yield ready, store
