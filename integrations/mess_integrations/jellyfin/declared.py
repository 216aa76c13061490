"""Rules in MESS_HOME/playlists.toml, a table `[[playlist]]` each."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from mess_integrations.jellyfin import naming
from mess_integrations.jellyfin.rules import Refresh, Rule, Seed
from mess_plugin.errors import ConfigError, UsageError


class _Playlist(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    like: str | list[str]
    section: str | None = None
    size: int = 50
    refresh: Refresh = "auto"
    emphasis: str | None = None
    only: str | None = None
    tempo: str | None = None
    key: str | None = None
    year: str | int | None = None
    length: str | None = None
    activity: str | None = None
    loudness: str | None = None
    genre: str | None = None
    artist: str | None = None
    album: str | None = None
    without: list[str] = []
    per_artist: int | None = None
    per_album: int | None = None
    diversity: float = 0.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    playlist: list[_Playlist] = []


def read(home: Path) -> list[Rule]:
    """All declared rules; none where there is no file. Raises ConfigError naming the wrong place."""
    path = home / "playlists.toml"
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError("playlists", str(path), f"cannot be read: {error}") from error
    names = [one.name for one in file.playlist]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError("playlists", str(path), f"{name!r} is declared twice")
    try:
        return [_rule(one) for one in file.playlist]
    except UsageError as error:
        raise ConfigError("playlists", str(path), str(error)) from error


def _rule(said: _Playlist) -> Rule:
    if not said.name.strip() or naming.is_rule(said.name):
        raise UsageError(f"name {said.name!r}: wanted one that does not begin with MESS:")
    values: dict[str, Any] = msgspec.to_builtins(said)
    if said.year is not None:
        values["year"] = str(said.year)
    return naming.make(said.name, _seed(said), values)


def _seed(said: _Playlist) -> Seed:
    if isinstance(said.like, list):
        seed = Seed("tracks", tuple(said.like))
    else:
        seed = naming.parse_seed(said.like)
    if not said.like or seed.kind == "these":
        raise UsageError(
            f"{said.name!r}: like {said.like!r}: wanted tracks, favourites, recent or playlist NAME"
        )
    if said.section is None:
        return seed
    if seed.kind != "tracks" or len(seed.names) != 1:
        raise UsageError(f"{said.name!r}: a section is of one track")
    start, _, end = said.section.partition("-")
    return Seed("tracks", seed.names, naming.interval(start, end))
