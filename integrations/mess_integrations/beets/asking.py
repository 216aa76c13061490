"""Asking MESS, and remembering what was found for the fields `$mess_…`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beets.library import Album, Item, Library

from mess_integrations.beets.errors import UserError
from mess_integrations.beets.fields import Found, value_of

if TYPE_CHECKING:
    from mess_integrations.beets.answers import Answer, Question
    from mess_plugin.config import Settings

Options = Callable[[], Mapping[str, str | None]]


@contextmanager
def translated() -> Iterator[None]:
    """What MESS raises on purpose, and what the disk refuses, become beets' one-line errors."""
    from mess_plugin.errors import MessError  # noqa: PLC0415  MESS is loaded by the first question

    try:
        yield
    except (MessError, OSError) as error:
        raise UserError(str(error)) from error


class Asker:
    """Asks with the settings of beets' configuration. Raises UserError, one line for people."""

    def __init__(self, options: Options) -> None:
        """options: the settings of MESS in beets' configuration, read when first needed."""
        self._options = options
        self._items: dict[int | None, Found] = {}
        self._albums: dict[int | None, Found] = {}

    def settings(self) -> Settings:
        """The settings of MESS that hold for beets."""
        with translated():
            from mess_integrations.beets.settings import settings_of  # noqa: PLC0415

            return settings_of(self._options())

    def items(self, lib: Library, seeds: Sequence[Item], question: Question) -> Answer:
        """The items that feel like all the seeds."""
        from mess_integrations.beets import answers  # noqa: PLC0415

        settings = self.settings()
        with translated():
            answer = answers.ask(lib, settings, seeds, question)
        self._items.update((item.id, found) for item, found in answer.found)
        return answer

    def albums(
        self, lib: Library, seeds: Sequence[Album], question: Question
    ) -> tuple[list[Album], Answer]:
        """The albums that feel like all the seeds, best first, and the tracks behind them."""
        from mess_integrations.beets import answers  # noqa: PLC0415

        settings = self.settings()
        with translated():
            rows, answer = answers.ask_albums(lib, settings, seeds, question)
        self._items.update((item.id, found) for item, found in answer.found)
        self._albums.update((album.id, found) for album, found in rows)
        return [album for album, _ in rows], answer

    def found(self, model: Item | Album) -> Found | None:
        """What was found of an item or album in this process, None where nothing was."""
        table = self._albums if isinstance(model, Album) else self._items
        return table.get(model.get("id"))

    def value(self, field: str, model: Item | Album) -> float | int | str | None:
        """The value of a field `mess_…`."""
        return value_of(self.found(model), field)
