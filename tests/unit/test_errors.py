"""Errors cross processes: their text survives pickling and JSON."""

from __future__ import annotations

import inspect
import json
import pickle

import pytest

from mess_plugin import errors
from mess_plugin.errors import (
    AmbiguousReference,
    AudioError,
    ConfigError,
    EncoderError,
    MessError,
    MissingWeights,
    NothingIndexed,
    ServiceError,
    StoreError,
    StoreUnreachable,
    UnknownName,
    UsageError,
    WrongWeights,
)

EXAMPLES: list[tuple[MessError, str, int]] = [
    (MessError("it failed"), "it failed", 1),
    (UsageError("k is 0: wanted 1 to 1000"), "k is 0: wanted 1 to 1000", 2),
    (ConfigError("jobs", 0, "at least 1"), "setting jobs is 0: at least 1", 2),
    (
        UnknownName("encoder", "descriptor", ["mert", "descriptors"]),
        "unknown encoder 'descriptor': did you mean 'descriptors'?",
        2,
    ),
    (UnknownName("facet", "x", ["b", "a"]), "unknown facet 'x': known are a, b", 2),
    (UnknownName("facet", "x", []), "unknown facet 'x': known are none", 2),
    (
        AmbiguousReference("so", ["1  So What", "2  So Long"]),
        "'so' names several tracks; did you mean one of these?\n  1  So What\n  2  So Long",
        2,
    ),
    (AudioError("/m/ü.mp3", "damaged", "it ends early"), "/m/ü.mp3: it ends early", 1),
    (EncoderError("mert", "no torch"), "encoder mert: no torch", 1),
    (MissingWeights("mert", "run it"), "encoder mert: run it", 1),
    (WrongWeights("mert", "hash"), "encoder mert: hash", 1),
    (
        NothingIndexed("mess-mini"),
        "nothing is indexed with the encoder mess-mini: run `mess index FOLDER` first",
        2,
    ),
    (StoreError("the disk is full"), "the disk is full", 1),
    (StoreUnreachable("it is not there"), "it is not there", 1),
    (ServiceError("broker", "gone"), "broker: gone", 1),
]


def test_every_error_has_an_example() -> None:
    kinds = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, MessError)
    }
    assert kinds == {type(error) for error, *_ in EXAMPLES}


@pytest.mark.parametrize(("error", "text", "code"), EXAMPLES, ids=lambda value: str(value)[:20])
def test_text_code_and_round_trips(error: MessError, text: str, code: int) -> None:
    assert (str(error), error.exit_code) == (text, code)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert (type(again), str(again), again.args) == (type(error), text, error.args)
    rebuilt = type(error)(*json.loads(json.dumps(error.args)))  # as Celery's JSON does it
    assert str(rebuilt) == text


def test_an_audio_error_tells_what_is_stored() -> None:
    error = AudioError("/m/a.mp3", "silent", "there is no music")
    assert (error.path, error.kind, error.reason) == ("/m/a.mp3", "silent", "there is no music")
