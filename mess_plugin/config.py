"""Settings: one frozen value, read once at the edges.

Precedence: a variable `MESS_<NAME>` in the environment, then `config.toml` in MESS_HOME, then the
default. Empty variables count as unset.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mess_plugin.errors import ConfigError, UnknownName

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a user may set.

    home: where MESS keeps its database, logs and caches. database_url, broker_url: external
    servers; None means the embedded ones. encoder, layers, weights, device, precision: what hears the
    music (encoder: None for the one that was chosen with `mess encoders use`, else the default;
    weights: a directory of the user's own instead of the standard places; a precision other than fp32
    must have passed `mess encoders test`). window_s, hop_s: the stored windows. coverage: the share
    of a recording that the encoder hears, above 0, at most 1. jobs: worker processes. file_limit_s:
    wall-clock limit for one file. attempts: tries before a file counts as failed. exact_below:
    libraries with fewer vectors at a level are searched exactly, without the approximate index.
    find_duplicates: whether new tracks look for duplicates while `mess up` runs.

    roots: the folders whose files servers may open for a client, separated as in PATH; None means
    watched ones and those that hold indexed files. osc: whether `mess up` runs the OSC server.
    osc_host, osc_port: where it listens; osc_reply_port: where clients listen (0: at the port they
    send from); osc_secret: what clients must know; osc_announce: whether it makes itself known in
    the local network. jellyfin: whether `mess up` follows Jellyfin; None: where
    MESS_HOME/jellyfin.json links it. instant_mix: the address of the Jellyfin whose Instant Mix and
    Similar the HTTP service answers behind a reverse proxy; None: of none.

    watch: folders that `mess up` watches. watch_by: "auto", "inotify" or "polling"; poll_s: between
    two looks when polling. settle_s: a file must lie still for so long before it is read.
    keep_missing_s: vanished files are remembered for so long. path_map: rules LIBRARY=HERE where this
    machine has the library's folders elsewhere. index_hours: hours of the day in which files are
    handed out, such as "22:00-06:30". nice: 0 to 19, how far workers stand back. memory_limit_mb: of
    one worker process, 0 for none. log_format: "text" or "json". listen: address of the HTTP service;
    token: its secret, None for one in MESS_HOME/token; http_rate_hz: requests a second per client;
    http_cors: origins whose web pages may call the service, separated by spaces, "*" for all.
    """

    home: Path
    database_url: str | None = None
    broker_url: str | None = None
    encoder: str | None = None
    layers: str | None = None
    weights: Path | None = None
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    window_s: Positive = 5.0
    hop_s: Positive = 2.5
    coverage: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    jobs: Count = os.cpu_count() or 1
    file_limit_s: Positive = 1800.0
    attempts: Count = 3
    exact_below: Annotated[int, msgspec.Meta(ge=0)] = 5000
    find_duplicates: bool = True
    roots: str | None = None
    osc: bool = False
    osc_host: str = "127.0.0.1"
    osc_port: Port = 7770
    osc_reply_port: Port = 0
    osc_secret: str | None = None
    osc_announce: bool = False
    jellyfin: bool | None = None
    instant_mix: str | None = None
    watch: tuple[str, ...] = ()
    watch_by: Literal["auto", "inotify", "polling"] = "auto"
    poll_s: Positive = 30.0
    settle_s: Positive = 1.0
    keep_missing_s: Annotated[float, msgspec.Meta(ge=0)] = 86_400.0
    path_map: tuple[str, ...] = ()
    index_hours: str | None = None
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 5
    memory_limit_mb: Annotated[int, msgspec.Meta(ge=0)] = 6000
    log_format: Literal["text", "json"] = "text"
    listen: str = "127.0.0.1:8765"
    token: str | None = None
    http_rate_hz: Positive = 100.0
    http_cors: str | None = None
    hosts: tuple[str, ...] = ()
    """Further names by which browsers reach the page, such as that of a reverse proxy."""


LISTS = frozenset(
    {"watch", "path_map", "hosts"}
)  # as variables: parts with os.pathsep between them


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
    named = os.path.expanduser(environment.get("MESS_HOME") or default_home())  # noqa: PTH111  never raises
    home = Path(named).absolute()
    known = {name for name in Settings.__struct_fields__ if name != "home"}
    file = home / "config.toml"
    values: dict[str, Any] = _read_file(file, known)
    sources = dict.fromkeys(values, str(file))
    for name in known:
        variable = f"MESS_{name.upper()}"
        if text := environment.get(variable):
            values[name] = text.split(os.pathsep) if name in LISTS else text
            sources[name] = variable
    given = {name: value for name, value in overrides.items() if value is not None}
    values.update(given, home=home)
    return _convert(values, sources | dict.fromkeys(given, "command line"))


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


def _convert(values: dict[str, Any], sources: dict[str, str]) -> Settings:
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        wanted = message[:1].lower() + message[1:]
        raise ConfigError(_label(name, sources), values.get(name), wanted) from error
    for name in ("window_s", "hop_s", "file_limit_s"):
        if not math.isfinite(getattr(settings, name)):
            raise ConfigError(_label(name, sources), values[name], "wanted a number of seconds")
    if settings.hop_s > settings.window_s:
        wanted = f"at most window_s ({settings.window_s:g})"
        raise ConfigError(_label("hop_s", sources), settings.hop_s, wanted)
    return settings


def _path(kind: type, value: object) -> Path:
    """Read a path, the only type here that msgspec does not know."""
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser().absolute()
    raise ValueError(f"expected `{kind.__name__}`, got `{type(value).__name__}`")


def _label(name: str, sources: dict[str, str]) -> str:
    return f"{name} ({sources[name]})" if name in sources else name
