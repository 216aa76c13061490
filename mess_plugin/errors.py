"""Every error that MESS raises on purpose.

    MessError
    ├── UsageError            the caller asked for something that cannot be (exit code 2)
    │   ├── ConfigError       a setting is wrong
    │   ├── UnknownName       no such encoder, space, facet …; carries the near misses
    │   └── AmbiguousReference  words that name several tracks
    ├── AudioError            one file cannot become music; `kind` is stored, `reason` is for people
    ├── EncoderError          an encoder cannot be made ready
    │   ├── MissingWeights    … because its weights are not on this machine
    │   └── WrongWeights      … because they are not the weights they claim to be
    ├── StoreError            the database refused
    │   └── StoreUnreachable  … or is not there: the same may work when it is back
    └── ServiceError          an embedded service or the broker is not there

Arguments go raw to `Exception.__init__` and the text is built in `__str__`, so that each error
survives pickling and Celery's JSON unchanged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MessError(Exception):
    """Base of all; its text is one sentence that says what was wrong and what to do."""

    exit_code = 1


class UsageError(MessError):
    """The request itself is wrong: UsageError(message)."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is wrong: ConfigError(setting, value, what_is_wanted)."""

    def __str__(self) -> str:
        setting, value, wanted = self.args
        return f"setting {setting} is {value!r}: {wanted}"


class UnknownName(UsageError):
    """No such thing: UnknownName(kind, name, known_names)."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(kind, name, sorted(known))

    def __str__(self) -> str:
        kind, name, known = self.args
        near = difflib.get_close_matches(name, known, n=1)
        if near:
            return f"unknown {kind} {name!r}: did you mean {near[0]!r}?"
        return f"unknown {kind} {name!r}: known are {', '.join(known) or 'none'}"


class AmbiguousReference(UsageError):
    """Words that name several tracks: AmbiguousReference(words, descriptions)."""

    def __init__(self, words: str, candidates: Iterable[str]) -> None:
        super().__init__(words, list(candidates))

    def __str__(self) -> str:
        words, candidates = self.args
        lines = "".join(f"\n  {line}" for line in candidates)
        return f"{words!r} names several tracks; did you mean one of these?{lines}"


class NothingIndexed(UsageError):
    """No music is indexed with an encoder: NothingIndexed(encoder)."""

    def __str__(self) -> str:
        return f"nothing is indexed with the encoder {self.args[0]}: run `mess index FOLDER` first"


class AudioError(MessError):
    """A file that cannot become music: AudioError(path, kind, reason).

    `kind` is one of a small, stable set of words that is stored and counted: missing, unreadable,
    empty, not-audio, damaged, protected, silent, too-short, too-slow, encoder, crashed, memory.
    """

    def __init__(self, path: str, kind: str, reason: str) -> None:
        super().__init__(path, kind, reason)

    @property
    def path(self) -> str:
        """The file, as text for people."""
        return str(self.args[0])

    @property
    def kind(self) -> str:
        """The stable word that is stored and counted."""
        return str(self.args[1])

    @property
    def reason(self) -> str:
        """The sentence that a user reads."""
        return str(self.args[2])

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class EncoderError(MessError):
    """An encoder cannot be made ready: EncoderError(encoder, reason)."""

    def __str__(self) -> str:
        encoder, reason = self.args
        return f"encoder {encoder}: {reason}"


class MissingWeights(EncoderError):
    """The weights are not on this machine: MissingWeights(encoder, how_to_get_them)."""


class WrongWeights(EncoderError):
    """The weights are not what they claim to be: WrongWeights(encoder, what_differs)."""


class StoreError(MessError):
    """The database refused or is not there: StoreError(message)."""


class StoreUnreachable(StoreError):
    """The database is not there: StoreUnreachable(message)."""


class ServiceError(MessError):
    """A service that MESS needs is not there: ServiceError(service, reason)."""

    def __str__(self) -> str:
        service, reason = self.args
        return f"{service}: {reason}"
