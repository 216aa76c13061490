"""A recipe: how a file is to be heard. Work is wanted by recipe; the recipe's name is its text."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mess_plugin import encoders
from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder, EncoderOptions
from mess_plugin.errors import UsageError

EXACT = "fp32"


class Recipe(msgspec.Struct, frozen=True):
    """Encoder, layers (None: the encoder's own choice), stored windows in seconds, precision, coverage.

    coverage: the share of the encoder's windows that it is given, above 0, at most 1.
    """

    encoder: str
    layers: str | None
    window_s: float
    hop_s: float
    precision: str = EXACT
    coverage: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """The recipe that the settings ask for; the choice in the database is not looked at."""
        return cls(
            settings.encoder or encoders.DEFAULT_ENCODER,
            settings.layers,
            settings.window_s,
            settings.hop_s,
            settings.precision,
            settings.coverage,
        )

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The inverse of `str()`. Raises UsageError where the text is no recipe."""
        try:
            heard_by, layers, windows, *rest = text.split("|")
            encoder, _, precision = heard_by.partition("+")
            window_s, hop_s = windows.split("/")
            (share,) = rest or ["1"]
            recipe = cls(
                encoder,
                layers or None,
                float(window_s),
                float(hop_s),
                precision or EXACT,
                float(share),
            )
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no recipe: wanted 'encoder[+precision]|layers|window/hop[|coverage]'"
            ) from error
        if not 0 < recipe.coverage <= 1:
            raise UsageError(f"{text!r} is no recipe: its coverage is not above 0 and at most 1")
        return recipe

    def __str__(self) -> str:
        windows = f"{_shortest(self.window_s)}/{_shortest(self.hop_s)}"
        rounded = "" if self.precision == EXACT else f"+{self.precision}"
        share = "" if self.coverage == 1 else f"|{_shortest(self.coverage)}"
        return f"{self.encoder}{rounded}|{self.layers or ''}|{windows}{share}"


def _shortest(number: float) -> str:
    """The shortest text that reads back as the same number: "5", "2.5"."""
    return repr(number).removesuffix(".0")


def load_encoder(recipe: Recipe, settings: Settings) -> Encoder:
    """The encoder of a recipe, on the device and with the weights that the settings name."""
    options = EncoderOptions(
        layers=recipe.layers,
        device=settings.device,
        weights=weights_of(recipe.encoder, settings),
        precision=recipe.precision,
    )
    return encoders.load(recipe.encoder, options)


def weights_of(encoder: str, settings: Settings) -> Path | None:
    """The user's own directory for one encoder: a folder of its name inside, where there is one.

    So the weights of several encoders can lie side by side while one takes over from another.
    """
    if settings.weights is None:
        return None
    own = settings.weights / encoder
    return own if own.is_dir() else settings.weights
