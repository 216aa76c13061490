"""A recipe: how a file is to be heard. Work is wanted by recipe; the recipe's name is its text."""

from __future__ import annotations

from dataclasses import dataclass

from mess_plugin import encoders
from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder, EncoderOptions
from mess_plugin.errors import UsageError

EXACT = "fp32"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Encoder, layers (None: the encoder's own choice), stored windows in seconds, and precision."""

    encoder: str
    layers: str | None
    window_s: float
    hop_s: float
    precision: str = EXACT

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """The recipe that the settings ask for."""
        return cls(
            settings.encoder, settings.layers, settings.window_s, settings.hop_s, settings.precision
        )

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The inverse of `str()`. Raises UsageError where the text is no recipe."""
        try:
            heard_by, layers, windows = text.split("|")
            encoder, _, precision = heard_by.partition("+")
            window_s, hop_s = windows.split("/")
            return cls(encoder, layers or None, float(window_s), float(hop_s), precision or EXACT)
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no recipe: wanted 'encoder[+precision]|layers|window/hop'"
            ) from error

    def __str__(self) -> str:
        windows = f"{_shortest(self.window_s)}/{_shortest(self.hop_s)}"
        rounded = "" if self.precision == EXACT else f"+{self.precision}"
        return f"{self.encoder}{rounded}|{self.layers or ''}|{windows}"


def _shortest(number: float) -> str:
    """The shortest text that reads back as the same number: "5", "2.5"."""
    return repr(number).removesuffix(".0")


def load_encoder(recipe: Recipe, settings: Settings) -> Encoder:
    """The encoder of a recipe, on the device and with the weights that the settings name."""
    options = EncoderOptions(
        layers=recipe.layers,
        device=settings.device,
        weights=settings.weights,
        precision=recipe.precision,
    )
    return encoders.load(recipe.encoder, options)
