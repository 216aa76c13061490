"""A recipe: how a file is to be heard. Work is wanted by recipe; the recipe's name is its text."""

from __future__ import annotations

from dataclasses import dataclass

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError


@dataclass(frozen=True, slots=True)
class Recipe:
    """Encoder, layers (None: the encoder's own choice), and the stored windows in seconds."""

    encoder: str
    layers: str | None
    window_s: float
    hop_s: float

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """The recipe that the settings ask for."""
        return cls(settings.encoder, settings.layers, settings.window_s, settings.hop_s)

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The inverse of `str()`. Raises UsageError where the text is no recipe."""
        try:
            encoder, layers, windows = text.split("|")
            window_s, hop_s = windows.split("/")
            return cls(encoder, layers or None, float(window_s), float(hop_s))
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no recipe: wanted 'encoder|layers|window/hop'"
            ) from error

    def __str__(self) -> str:
        return f"{self.encoder}|{self.layers or ''}|{self.window_s:g}/{self.hop_s:g}"
