"""Encoders, found by name.

Every module of this package that defines `DESCRIPTIONS` adds its encoders: a new family is one file.
Modules must be cheap to import; heavy libraries are imported when an encoder is loaded.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from mess_plugin.encoders.base import Encoder, EncoderDescription, EncoderOptions
from mess_plugin.errors import UnknownName

DEFAULT_ENCODER = "mess-mini"


@cache
def descriptions() -> dict[str, EncoderDescription]:
    """All encoders by name, in order of their modules' names."""
    found: dict[str, EncoderDescription] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for description in getattr(loaded, "DESCRIPTIONS", ()):
            found[description.name] = description
    return found


def describe(name: str) -> EncoderDescription:
    """The description of one encoder; UnknownName with the nearest name where there is none."""
    known = descriptions()
    if name not in known:
        raise UnknownName("encoder", name, known)
    return known[name]


def load(name: str, options: EncoderOptions | None = None) -> Encoder:
    """Load an encoder, ready to encode. Raises UnknownName, MissingWeights or WrongWeights."""
    return describe(name).load(options or EncoderOptions())
