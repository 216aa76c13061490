"""Smart playlists declared in MESS_HOME/playlists.toml (a table `[[playlist]]` each) or over HTTP."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mess_integrations.jellyfin import naming
from mess_integrations.jellyfin.accounts import JellyfinLink, find_link
from mess_integrations.jellyfin.rules import Refresh, Rule, RuleSeed
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.options import OPTIONS, Kind
from mess_plugin.playlists.radio import Anchor
from mess_plugin.store import Store


class _SpecHead(msgspec.Struct, frozen=True):
    """What a playlist's declaration says beside the options of a query."""

    name: str
    like: str | list[str]
    user: str | None = None
    """Its owner; None: the user who was linked first."""
    section: str | None = None
    size: int = 50
    refresh: Refresh = "auto"
    emphasis: str | None = None
    radio: bool = False
    """A radio from `like`, with the two that follow."""
    strictness: float | None = None
    anchor: Anchor | None = None


_TYPES: Mapping[Kind, Any] = {
    Kind.INTEGER: int | None,
    Kind.NUMBER: float | None,
    Kind.AGE: float | str | None,
    Kind.RANGE: str | int | None,
    Kind.TEXTS: list[str] | None,
}

_WHOLE = {"size", "radio", *(one.playlist for one in OPTIONS if one.kind is Kind.INTEGER)}

if TYPE_CHECKING:
    PlaylistSpec = _SpecHead
else:
    PlaylistSpec = msgspec.defstruct(
        "PlaylistSpec",
        [
            (option.playlist, _TYPES.get(option.kind, str | None), None)
            for option in OPTIONS
            if option.playlist
        ],
        bases=(_SpecHead,),
        namespace={"__doc__": "A smart playlist as docs/jellyfin.md describes it."},
        module=__name__,
        frozen=True,
        forbid_unknown_fields=True,
        omit_defaults=True,
    )


class _PlaylistsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    playlist: list[PlaylistSpec] = []


class DeclaredRule(msgspec.Struct, frozen=True):
    """A declared playlist: its owner, its name, and its rule or what is wrong with it."""

    link: JellyfinLink
    name: str
    rule: Rule | UsageError


def declared_rules(store: Store, home: Path, links: Sequence[JellyfinLink]) -> list[DeclaredRule]:
    """All declared playlists of all users: those of the file, then those declared over HTTP.

    Raises ConfigError naming what is wrong in the file. A declaration over HTTP that duplicates one
    of the file, or that is no longer valid, comes with its error; those of users who are not linked
    any more are skipped.
    """
    found = [
        DeclaredRule(_whose(links, one, home), one.name, to_rule(one)) for one in read_file(home)
    ]
    taken = {(wish.link.key, wish.name) for wish in found}
    for smart in store.smart.all():
        link = next((one for one in links if one.key == smart.account), None)
        if link is None:
            continue
        rule: Rule | UsageError
        try:
            rule = to_rule(parse_spec({**smart.rule, "name": smart.name}))
        except UsageError as error:
            rule = error
        if (link.key, smart.name) in taken:
            rule = UsageError("it is declared over HTTP and in playlists.toml: leave one out")
        found.append(DeclaredRule(link, smart.name, rule))
    return found


def read_file(home: Path) -> list[PlaylistSpec]:
    """The declarations in playlists.toml; empty where there is no file. Raises ConfigError."""
    path = home / "playlists.toml"
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _PlaylistsFile)
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
            to_rule(one)
        except UsageError as error:
            raise ConfigError("playlists", str(path), str(error)) from error
    return file.playlist


def change_token(store: Store, home: Path) -> object:
    """A change token: differs when the declarations change."""
    try:
        changed_ns = (home / "playlists.toml").stat().st_mtime_ns
    except OSError:
        changed_ns = 0
    return changed_ns, store.smart.mark()


def parse_spec(document: Mapping[str, Any]) -> PlaylistSpec:
    """One declaration from JSON. Raises UsageError."""
    try:
        return msgspec.convert(document, PlaylistSpec)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong playlist: {error}") from error


def to_rule(said: PlaylistSpec) -> Rule:
    """The rule that a spec declares. Raises UsageError (and UnknownName)."""
    if not said.name.strip() or naming.is_rule(said.name):
        raise UsageError(f"name {said.name!r}: wanted one that does not begin with MESS:")
    values: dict[str, Any] = {
        word: str(value) if isinstance(value, int) and word not in _WHOLE else value
        for word, value in msgspec.to_builtins(said).items()
    }
    return naming.make(said.name, _seed(said), values)


def _whose(links: Sequence[JellyfinLink], said: PlaylistSpec, home: Path) -> JellyfinLink:
    try:
        return find_link(links, said.user) if said.user else links[0]
    except UsageError as error:
        raise ConfigError("playlists", str(home / "playlists.toml"), str(error)) from error


def _seed(said: PlaylistSpec) -> RuleSeed:
    if isinstance(said.like, list):
        seed = RuleSeed("tracks", tuple(said.like))
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
    return RuleSeed("tracks", seed.names, naming.interval(start, end))
