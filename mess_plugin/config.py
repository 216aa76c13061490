"""Settings: one frozen value, read once at the edges.

Precedence: a variable `MESS_<NAME>` in the environment, then `config.toml` in MESS_HOME, then the
default. Empty variables count as unset.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from mess_plugin.errors import ConfigError, UnknownName

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a user may set.

    home: where MESS keeps its database, logs and caches. database_url, broker_url: external
    servers; None means the embedded ones. encoder, layers, device: what hears the music.
    window_s, hop_s: the stored windows. jobs: worker processes. file_limit_s: wall-clock limit for
    one file. attempts: tries before a file counts as failed. exact_below: libraries with fewer
    vectors at a level are searched exactly, without the approximate index.
    """

    home: Path
    database_url: str | None = None
    broker_url: str | None = None
    encoder: str = "descriptors"
    layers: str | None = None
    device: str = "cpu"
    window_s: Positive = 5.0
    hop_s: Positive = 2.5
    jobs: Count = os.cpu_count() or 1
    file_limit_s: Positive = 1800.0
    attempts: Count = 3
    exact_below: Annotated[int, msgspec.Meta(ge=0)] = 20_000


def default_home() -> Path:
    """The folder that MESS uses when MESS_HOME is not set (per user, by the platform's habit)."""
    from platformdirs import user_data_path  # noqa: PLC0415  imported only when needed: start-up time

    return user_data_path("mess")


def load_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the settings. Raises ConfigError or UnknownName naming the setting and its source.

    environment: os.environ by default. overrides: from the command line, strongest of all; None
    means not given.
    """
    environment = os.environ if environment is None else environment
    home = Path(environment.get("MESS_HOME") or default_home()).expanduser().absolute()
    known = {name for name in Settings.__struct_fields__ if name != "home"}
    values: dict[str, Any] = {"home": home, **_read_file(home / "config.toml", known)}
    for name in known:
        if text := environment.get(f"MESS_{name.upper()}"):
            values[name] = text
    values.update({name: value for name, value in overrides.items() if value is not None})
    settings = _convert(values)
    if settings.hop_s > settings.window_s:
        raise ConfigError("hop_s", settings.hop_s, f"at most window_s ({settings.window_s:g})")
    return settings


def _read_file(path: Path, known: set[str]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("file", str(path), f"cannot be read: {error}") from error
    for name in values:
        if name not in known:
            raise UnknownName(f"setting in {path}", name, known)
    return values


def _convert(values: dict[str, Any]) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        wanted = message[:1].lower() + message[1:]
        raise ConfigError(name, values.get(name), wanted) from error
