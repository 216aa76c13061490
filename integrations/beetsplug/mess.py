"""MESS for beets: `beet similar`, `similar:` in queries, and news of every import.

    plugins: mess

Importing this loads beets alone; MESS and its libraries come with the first question.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from beets import ui
from beets.exceptions import UserError
from beets.library import Library
from beets.plugins import BeetsPlugin

from mess_integrations.beets.asking import Asker
from mess_integrations.beets.commands import Commands
from mess_integrations.beets.events import News
from mess_integrations.beets.fields import TYPES
from mess_integrations.beets.query import similar_query

_SETTINGS = ("home", "database_url", "broker_url", "encoder")


class MessPlugin(BeetsPlugin):
    """Wires beets to MESS: configuration, fields, queries, commands, events."""

    item_types = TYPES
    album_types = TYPES

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"auto": True, "k": 10, "relative_to": None, "time_limit": 3.0})
        self.config.add(dict.fromkeys(_SETTINGS))
        for secret in ("database_url", "broker_url"):
            self.config[secret].redact = True  # they may hold a password
        self._lib: Library | None = None
        self._changing = False
        self._complaints: set[str] = set()
        self._asker = Asker(self._options)
        for field in TYPES:
            self.template_fields[field] = partial(self._asker.value, field)
            self.album_template_fields[field] = partial(self._asker.value, field)
        self.item_queries = {
            "similar": similar_query("items", self._items_like, self._complain, self._is_changing)
        }
        self.album_queries = {
            "similar": similar_query("albums", self._albums_like, self._complain, self._is_changing)
        }
        self.register_listener("library_opened", self._opened)
        self.register_listener("import_begin", self._begin)
        self.register_listener("database_change", self._begin)
        if self.config["auto"].get(bool):
            news = News(self._asker.settings, self._log, self.config["time_limit"].as_number())
            for event, listener in news.listeners().items():
                self.register_listener(event, listener)  # type: ignore[call-overload]

    def commands(self) -> Sequence[ui.Subcommand]:
        """`beet similar` and `beet mess`."""
        relative_to = self.config["relative_to"].get()
        return Commands(self._asker, self._log, self.config["k"].get(int), relative_to).all()

    def _options(self) -> dict[str, str | None]:
        options = {name: self.config[name].get() for name in _SETTINGS}
        if options["home"] is not None:
            options["home"] = self.config["home"].as_filename()
        return options

    # `similar:` in queries

    def _items_like(self, pattern: str) -> list[int]:
        from mess_integrations.beets.answers import Question  # noqa: PLC0415

        lib = self._library()
        seeds = list(lib.items(_seeds(pattern)))
        answer = self._asker.items(lib, seeds, Question(self.config["k"].get(int)))
        return [item.id for item, _ in answer.found]

    def _albums_like(self, pattern: str) -> list[int]:
        from mess_integrations.beets.answers import Question  # noqa: PLC0415

        lib = self._library()
        seeds = list(lib.albums(_seeds(pattern)))
        albums, _ = self._asker.albums(lib, seeds, Question(self.config["k"].get(int)))
        return [album.id for album in albums]

    def _library(self) -> Library:
        if self._lib is None:
            raise UserError("similar: needs an open library")
        return self._lib

    def _complain(self, error: UserError) -> None:
        text = str(error)
        if text not in self._complaints:
            self._complaints.add(text)
            self._log.warning("similar: matches nothing: {}", text)

    def _is_changing(self) -> bool:
        return self._changing

    def _opened(self, lib: Library) -> None:
        self._lib = lib

    def _begin(self) -> None:
        """Beets has begun to change its library and must come to its end, whatever MESS does."""
        self._changing = True


def _seeds(pattern: str) -> str:
    return f"id:{pattern}" if pattern.isdecimal() else pattern
