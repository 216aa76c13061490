"""From beets' configuration to MESS's settings: light, because every import of music needs it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mess_plugin.config import Settings, load_settings

OPTIONS = ("home", "database_url", "broker_url", "encoder")
"""Settings of MESS that the section `mess` of beets' configuration may set."""


def settings_of(options: Mapping[str, str | None]) -> Settings:
    """MESS's settings with the given ones (of OPTIONS) on top. Raises ConfigError."""
    given = {name: value for name, value in options.items() if value}
    environment = dict(os.environ)
    if home := given.pop("home", None):
        environment["MESS_HOME"] = home
    return load_settings(environment, **given)
