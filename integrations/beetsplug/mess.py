"""MESS for beets: `beet similar`, `similar:` in queries, and indexing of every import.

    plugins: mess

Importing this loads beets alone; MESS and its libraries are loaded by the first question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from beets import ui
from beets.library import Album, Item, Library
from beets.plugins import BeetsPlugin

from mess_integrations.beets.client import MessClient
from mess_integrations.beets.commands import BeetsCommands
from mess_integrations.beets.events import ChangeListener
from mess_integrations.beets.fields import (
    HEARD_TYPES,
    TYPES,
    UserError,
    heard_value,
    similar_query,
)

_SETTINGS = ("home", "database_url", "broker_url", "encoder")


class MessPlugin(BeetsPlugin):
    """Wires beets to MESS: configuration, fields, queries, commands, events."""

    item_types = TYPES | HEARD_TYPES
    album_types = TYPES

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"auto": True, "k": 10, "relative_to": None, "time_limit": 5.0})
        self.config.add(dict.fromkeys(_SETTINGS))
        for secret in ("database_url", "broker_url"):
            self.config[secret].redact = True  # they may hold a password
        self._lib: Library | None = None
        self._changing = False
        self._complaints: set[str] = set()
        self._client = MessClient(self._options)
        for field in TYPES:
            self.template_fields[field] = partial(self._client.value, field)
            self.album_template_fields[field] = partial(self._client.value, field)
        for field in HEARD_TYPES:
            self.template_fields[field] = partial(self._heard_value, field)
        self.item_queries = {"similar": similar_query("items", self)}
        self.album_queries = {"similar": similar_query("albums", self)}
        self._listen("library_opened", self._opened)
        for event in ("import_begin", "database_change"):
            self._listen(event, self._begin)
        if self.config["auto"].get(bool):
            listener = ChangeListener(
                self._client.settings, self._log, self.config["time_limit"].as_number()
            )
            for event, react in listener.listeners().items():
                self._listen(event, react)

    def _listen(self, event: str, listener: Callable[..., None]) -> None:
        """Register a listener without beets' wrapper that sets the log level around each call.

        The wrapper asserts that no other call is running, and an import sends events from several
        threads: a collision would abort the import.
        """
        listeners = cast(dict[str, list[Callable[..., None]]], self.listeners)
        listeners[event].append(listener)

    def commands(self) -> Sequence[ui.Subcommand]:
        """`beet similar` and `beet mess`."""
        relative_to = self.config["relative_to"].get()
        return BeetsCommands(self._client, self._log, self.config["k"].get(int), relative_to).all()

    def _options(self) -> dict[str, str | None]:
        options = {name: self.config[name].get() for name in _SETTINGS}
        if options["home"] is not None:
            options["home"] = self.config["home"].as_filename()
        return options

    def _heard_value(self, field: str, item: Item) -> float | str | None:
        """The value of `mess_bpm` and its like; a command that asks in vain ends with the reason."""
        try:
            heard = self._client.heard(item, self._library())
        except UserError as error:
            if not self._changing:
                raise
            self.complain(error)
            heard = None
        return heard_value(heard, field)

    # `similar:` in queries

    def ids_like(self, table: str, pattern: str) -> list[int]:
        """Ids of the items or albums that feel like those that the pattern names, best first."""
        from mess_integrations.beets.answers import BeetsQuestion  # noqa: PLC0415

        lib, question = self._library(), BeetsQuestion(self.config["k"].get(int))
        query = f"id:{pattern}" if pattern.isdecimal() else pattern
        found: Sequence[Item | Album]
        if table == "albums":
            found, _ = self._client.albums(lib, list(lib.albums(query)), question)
        else:
            answer = self._client.items(lib, list(lib.items(query)), question)
            found = [item for item, _ in answer.found]
        return [model.id for model in found if model.id is not None]

    def complain(self, error: Exception) -> None:
        """Warn once why `similar:` or a field matches nothing."""
        text = str(error)
        if text not in self._complaints:
            self._complaints.add(text)
            self._log.warning("MESS cannot be asked, so this matches nothing: {}", text)

    def is_changing(self) -> bool:
        """Whether this command changes beets' library, and must not fail."""
        return self._changing

    def _library(self) -> Library:
        if self._lib is None:
            raise UserError("MESS needs an open library of beets")
        return self._lib

    def _opened(self, lib: Library) -> None:
        self._lib = lib

    def _begin(self, **_event: object) -> None:
        self._changing = True
