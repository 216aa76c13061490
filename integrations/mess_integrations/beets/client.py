"""Questions to MESS, and what they found. MESS is loaded by the first question."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beets.library import Album, Item, Library

from mess_integrations.beets.fields import Found, HeardFields, UserError, value_of

if TYPE_CHECKING:
    from mess_integrations.beets.answers import BeetsAnswer, BeetsQuestion
    from mess_plugin.config import Settings

Options = Callable[[], Mapping[str, str | None]]


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of MESS and of the disk into beets' one-line errors."""
    from mess_plugin.errors import MessError  # noqa: PLC0415

    try:
        yield
    except (MessError, OSError) as error:
        raise UserError(str(error)) from error


class MessClient:
    """Asks MESS with the settings of beets' configuration. Raises UserError."""

    def __init__(self, options: Options) -> None:
        """options: the section `mess` of beets' configuration, read when first needed."""
        self._options = options
        self._items: dict[int | None, Found] = {}
        self._albums: dict[int | None, Found] = {}
        self._heard: dict[str, HeardFields] | None = None

    def settings(self) -> Settings:
        """MESS's settings, with those of beets' configuration on top."""
        with translated():
            return _settings(self._options())

    def items(self, lib: Library, seeds: Sequence[Item], question: BeetsQuestion) -> BeetsAnswer:
        """The items that feel like all the seeds."""
        from mess_integrations.beets import answers  # noqa: PLC0415

        settings = self.settings()
        with translated():
            answer = answers.ask(lib, settings, seeds, question)
        self._items.update((item.id, found) for item, found in answer.found)
        return answer

    def albums(
        self, lib: Library, seeds: Sequence[Album], question: BeetsQuestion
    ) -> tuple[list[Album], BeetsAnswer]:
        """The albums that feel like all the seeds, best first, and the tracks behind them."""
        from mess_integrations.beets import answers  # noqa: PLC0415

        settings = self.settings()
        with translated():
            rows, answer = answers.ask_albums(lib, settings, seeds, question)
        self._items.update((item.id, found) for item, found in answer.found)
        self._albums.update((album.id, found) for album, found in rows)
        return [album for album, _ in rows], answer

    def found(self, model: Item | Album) -> Found | None:
        """What this process has found about an item or album, None where it has not."""
        table = self._albums if isinstance(model, Album) else self._items
        return table.get(model.get("id"))

    def heard(self, item: Item, lib: Library) -> HeardFields | None:
        """What was heard in an item, None where it was not; all of them are read at the first call."""
        if self._heard is None:
            from mess_integrations.beets.heard import read_heard  # noqa: PLC0415

            settings = self.settings()
            with translated():
                self._heard = read_heard(settings, os.fsdecode(lib.directory))
        return self._heard.get(os.fsdecode(item.path)) if item.path else None

    def value(self, field: str, model: Item | Album) -> float | int | str | None:
        """The value of a field `mess_…`."""
        return value_of(self.found(model), field)


def _settings(options: Mapping[str, str | None]) -> Settings:
    from mess_plugin.config import load_settings  # noqa: PLC0415

    given = {name: value for name, value in options.items() if value}
    environment = dict(os.environ)
    if home := given.pop("home", None):
        environment["MESS_HOME"] = home
    return load_settings(environment, **given)
