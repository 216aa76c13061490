"""Settings: one frozen value, read once at the edges.

Precedence: a variable `MESS_<NAME>` in the environment, then `config.toml` in MESS_HOME, then the
default. Empty variables count as unset.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mess_plugin.atomic_file import write_bytes
from mess_plugin.errors import ConfigError, UnknownName
from mess_plugin.private_folder import is_open_to_all

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a user may set."""

    home: Path
    """Where MESS keeps its database, logs and caches."""
    database_url: str | None = None
    """Postgres with pgvector 0.8 or newer; None for the embedded one."""
    broker_url: str | None = None
    """A server that speaks the Redis protocol; None for the embedded Valkey."""

    encoder: str | None = None
    """Name of the encoder; None for the one chosen with `mess encoders use`, else the default."""
    layers: str | None = None
    """Hidden states of a transformer to average: "6", "4-8", "6,7"; None for the encoder's own."""
    weights: Path | None = None
    """A directory with weights of the user's own instead of the standard places."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where encoders that use torch run."""
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    """Arithmetic; others than fp32 must have passed `mess encoders test` on this machine."""
    window_s: Positive = 5.0
    """Length of the stored windows."""
    hop_s: Positive = 2.5
    """Distance between the starts of stored windows; at most window_s."""
    coverage: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """Share of a recording that is encoded."""

    jobs: Count = os.cpu_count() or 1
    """Worker processes."""
    file_limit_s: Positive = 1800.0
    """Wall-clock limit for one file."""
    attempts: Count = 3
    """Tries before a file counts as failed."""
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 5
    """Niceness of workers."""
    memory_limit_mb: Annotated[int, msgspec.Meta(ge=0)] = 6000
    """Private memory of one worker process; 0 for no limit."""
    index_hours: str | None = None
    """Hours of the day in which files are started, such as "22:00-06:30"; None for always."""
    exact_below: Annotated[int, msgspec.Meta(ge=0)] = 5000
    """Levels with fewer vectors are searched exactly, without the approximate index."""
    find_duplicates: bool = True
    """Whether new tracks are compared for duplicates while `mess up` runs."""

    watch: tuple[str, ...] = ()
    """Folders that `mess up` watches."""
    watch_by: Literal["auto", "inotify", "polling"] = "auto"
    """How changes are noticed; "auto" polls where the file system does not report them."""
    poll_s: Positive = 30.0
    """Interval of polling."""
    settle_s: Positive = 1.0
    """A file must be unchanged for so long before it is read."""
    keep_missing_s: Annotated[float, msgspec.Meta(ge=0)] = 86_400.0
    """Vanished files are forgotten after so long."""
    ignore: tuple[str, ...] = ()
    """What is not the library: patterns of .gitignore, relative to each root."""
    path_map: tuple[str, ...] = ()
    """Rules LIBRARY=HERE where this machine has the library's folders elsewhere."""

    listen: str = "127.0.0.1:8765"
    """Address of the HTTP service."""
    token: str | None = None
    """Secret of HTTP requests; None for the one in MESS_HOME/token."""
    http_rate_hz: Positive = 100.0
    """Requests a second that one client may send."""
    http_cors: str | None = None
    """Origins whose web pages may call the service, separated by spaces; "*" for all."""
    hosts: tuple[str, ...] = ()
    """Further names by which browsers reach the page, such as that of a reverse proxy."""
    roots: str | None = None
    """Folders whose files servers may open for a client, separated as in PATH; None for watched
    folders and those that hold indexed files."""

    osc: bool = False
    """Whether `mess up` runs the OSC server."""
    osc_host: str = "127.0.0.1"
    """Address that it listens at; another one needs osc_secret."""
    osc_port: Port = 7770
    """UDP and TCP; 0 for a free one."""
    osc_reply_port: Port = 0
    """Where clients listen; 0 for the port they send from."""
    osc_secret: str | None = None
    """What clients must send; None for no secret."""
    osc_announce: bool = False
    """Whether the OSC server announces itself by zeroconf and OSCQuery."""
    jellyfin: bool | None = None
    """Whether `mess up` follows Jellyfin; None where MESS_HOME/jellyfin.json links it."""
    instant_mix: str | None = None
    """Address of the Jellyfin whose Instant Mix and Similar are answered behind a reverse proxy."""
    audiomuse_api: bool = False
    """Whether the HTTP service answers routes of AudioMuse-AI's core API."""

    log_format: Literal["text", "json"] = "text"
    """One JSON document per line, or text."""


LISTS = frozenset(
    {"watch", "path_map", "hosts", "ignore"}
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
    return settings_with_sources(environment, **overrides)[0]


def settings_with_sources(
    environment: Mapping[str, str] | None = None, **overrides: object
) -> tuple[Settings, dict[str, str]]:
    """As `load_settings`, and where each setting that is not a default comes from, by its name."""
    environment = os.environ if environment is None else environment
    named = os.path.expanduser(environment.get("MESS_HOME") or default_home())  # noqa: PTH111  never raises
    home = Path(named).absolute()
    if is_open_to_all(home):
        raise ConfigError("home (MESS_HOME)", str(home), "everybody may write there: chmod o-w it")
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
    sources |= dict.fromkeys(given, "command line")
    return _convert(values, sources), sources


def write_setting(home: Path, name: str, value: object) -> None:
    """Write one setting into `config.toml`, which keeps its comments and its order.

    Raises ConfigError where the file cannot be read or written.
    """
    import tomlkit  # noqa: PLC0415  only where a setting is written

    path = home / "config.toml"
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
        document[name] = value
        write_bytes(path, tomlkit.dumps(document).encode())
    except (OSError, ValueError) as error:
        raise ConfigError("file", str(path), f"cannot be changed: {error}") from error


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


@cache
def field_texts(kind: type) -> Mapping[str, str]:
    """The texts below the fields of a class and of its bases, a line each.

    So a setting or a parameter is described once, beside itself.
    """
    import ast  # noqa: PLC0415  few commands describe anything
    import inspect  # noqa: PLC0415
    import textwrap  # noqa: PLC0415

    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
        except (OSError, TypeError, SyntaxError):
            continue  # made at run time, or built in
        body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
        for field, text in pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[field.target.id] = " ".join(text.value.value.split())
    return found
