"""Declared rules: in MESS_HOME/playlists.toml, a table `[[playlist]]` each, and over HTTP."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mess_integrations.jellyfin import naming
from mess_integrations.jellyfin.accounts import Link, chosen
from mess_integrations.jellyfin.rules import Refresh, Rule, Seed
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.store import Store


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A smart playlist as docs/jellyfin.md describes it. user: whose; None: who was linked first."""

    name: str
    like: str | list[str]
    user: str | None = None
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
    bright: str | None = None
    drive: str | None = None
    mood: str | None = None
    loudness: str | None = None
    genre: str | None = None
    artist: str | None = None
    album: str | None = None
    language: str | None = None
    rating: str | None = None
    unplayed: float | None = None
    without: list[str] = []
    per_artist: int | None = None
    per_album: int | None = None
    diversity: float = 0.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    playlist: list[Declared] = []


class Wish(msgspec.Struct, frozen=True):
    """A playlist that somebody declared: whose, its name, and the rule or what is wrong with it."""

    link: Link
    name: str
    rule: Rule | UsageError


def wishes(store: Store, home: Path, links: Sequence[Link]) -> list[Wish]:
    """All declared playlists of all users: the file's, then those told over HTTP.

    Raises ConfigError naming what is wrong in the file. A declaration over HTTP that a user's file
    says too, or that no longer holds, is a wish with an error; one of a user who is not linked any
    more is none.
    """
    found = [Wish(_whose(links, one, home), one.name, rule_of(one)) for one in in_file(home)]
    taken = {(wish.link.key, wish.name) for wish in found}
    for smart in store.smart.all():
        link = next((one for one in links if one.key == smart.account), None)
        if link is None:
            continue
        rule: Rule | UsageError
        try:
            rule = rule_of(read_one({**smart.rule, "name": smart.name}))
        except UsageError as error:
            rule = error
        if (link.key, smart.name) in taken:
            rule = UsageError("it is declared over HTTP and in playlists.toml: leave one out")
        found.append(Wish(link, smart.name, rule))
    return found


def in_file(home: Path) -> list[Declared]:
    """What the file declares; nothing where there is none. Raises ConfigError."""
    path = home / "playlists.toml"
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError("playlists", str(path), f"cannot be read: {error}") from error
    places = [(one.user, one.name) for one in file.playlist]
    for user, name in places:
        if places.count((user, name)) > 1:
            raise ConfigError("playlists", str(path), f"{name!r} is declared twice")
    for one in file.playlist:
        try:
            rule_of(one)
        except UsageError as error:
            raise ConfigError("playlists", str(path), str(error)) from error
    return file.playlist


def mark(store: Store, home: Path) -> object:
    """A value that is another one when what is declared has changed."""
    try:
        changed_ns = (home / "playlists.toml").stat().st_mtime_ns
    except OSError:
        changed_ns = 0
    return changed_ns, store.smart.mark()


def read_one(document: Mapping[str, Any]) -> Declared:
    """One declaration from JSON. Raises UsageError."""
    try:
        return msgspec.convert(document, Declared)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong playlist: {error}") from error


def rule_of(said: Declared) -> Rule:
    """What is declared, as a rule. Raises UsageError (and UnknownName)."""
    if not said.name.strip() or naming.is_rule(said.name):
        raise UsageError(f"name {said.name!r}: wanted one that does not begin with MESS:")
    values: dict[str, Any] = msgspec.to_builtins(said)
    if said.year is not None:
        values["year"] = str(said.year)
    return naming.make(said.name, _seed(said), values)


def _whose(links: Sequence[Link], said: Declared, home: Path) -> Link:
    try:
        return chosen(links, said.user) if said.user else links[0]
    except UsageError as error:
        raise ConfigError("playlists", str(home / "playlists.toml"), str(error)) from error


def _seed(said: Declared) -> Seed:
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
