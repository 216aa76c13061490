"""`mess config`: each setting with its value and where that comes from; and changing them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import click
import msgspec

from mess_plugin.atomic_file import write_text
from mess_plugin.cli.main import Extensible
from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.config import (
    Settings,
    field_texts,
    load_settings,
    settings_with_sources,
    write_setting,
)
from mess_plugin.errors import ConfigError, UnknownName, UsageError
from mess_plugin.private_folder import make_private

_SECRETS = frozenset({"token", "osc_secret"})
_HIDDEN = "…"
_PASSWORD = re.compile(r"(?<=://)([^/@]*?):[^/@]*@")


@click.group(cls=Extensible, invoke_without_command=True)
@click.pass_context
@table_options
def config(context: click.Context, as_json: bool) -> None:
    """Show the settings, and where each comes from; a wrong one is named."""
    if context.invoked_subcommand:
        return
    settings, sources = settings_with_sources()
    rows = [
        {"name": name, "value": _shown(name, getattr(settings, name)), "source": source}
        for name in _names()
        for source in [sources.get(name, "default")]
    ]
    if as_json:
        print_json({"home": str(settings.home), "settings": rows})
        return
    say(f"home: {settings.home}")
    print_table(
        ["setting", "value", "from"],
        [(one["name"], _text(one["value"]), one["source"]) for one in rows],
    )


@config.command()
def write() -> None:
    """Write a config.toml that lists every setting with its meaning, for you to edit."""
    settings = load_settings()
    file = settings.home / "config.toml"
    if file.exists():
        raise UsageError(f"{file} is there already: edit it, or use `mess config set NAME VALUE`")
    make_private(settings.home)
    write_text(file, template(), mode=0o600)
    say(f"{file} written: take away the # before what you want to set")


@config.command(name="set")
@click.argument("name")
@click.argument("value")
def set_value(name: str, value: str) -> None:
    """Set NAME to VALUE in config.toml, which is checked first. Lists: ["/a", "/b"]."""
    if name not in _names():
        raise UnknownName("setting", name, _names())
    settings = load_settings()
    typed = _typed(name, value)
    msgspec_checked = load_settings({"MESS_HOME": str(settings.home)}, **{name: typed})
    make_private(settings.home)
    write_setting(settings.home, name, typed)
    say(f"{name} = {_text(_shown(name, getattr(msgspec_checked, name)))}; "
        "what is up takes it with the next `mess up`")  # fmt: skip


def template() -> str:
    """A config.toml in which every setting is a comment."""
    parts = ["# Settings of MESS. Variables MESS_<NAME> in the environment go before this file."]
    defaults = Settings(home=Path("/"))
    for name, meaning in meanings().items():
        default = getattr(defaults, name)
        value = "" if default is None else json.dumps(_plain(default), ensure_ascii=False)
        parts.append(f"\n# {meaning}\n# {name} = {value}".rstrip())
    return "\n".join(parts) + "\n"


def meanings() -> dict[str, str]:
    """What each setting means, in one line, from the text below it."""
    found = field_texts(Settings)
    return {name: found.get(name, "") for name in _names()}


def _names() -> list[str]:
    return [name for name in Settings.__struct_fields__ if name != "home"]


def _typed(name: str, value: str) -> Any:
    """A value as TOML has it; what is no TOML is a text."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    if "\n" in value:
        raise ConfigError(name, value, "wanted one line")
    return value


def _shown(name: str, value: object) -> object:
    """A value without secrets."""
    if value is not None and name in _SECRETS:
        return _HIDDEN
    if isinstance(value, str) and name.endswith("_url"):
        return _PASSWORD.sub(rf"\1:{_HIDDEN}@", value)
    return _plain(value)


def _plain(value: object) -> object:
    return msgspec.to_builtins(value, enc_hook=str)


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
