"""One cleaning at the door: what no database, no file system and no number can hold never gets in.

JSON can say more than can be stored: NUL, halves of surrogate pairs, NaN, 1e400, numbers of 400
digits, nesting of any depth. A question that holds such a thing is refused: it can never be answered.
A message of another program is repaired instead, because the rest of it is worth keeping.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

from mess_plugin.errors import UsageError

MOST_DEPTH = 64
_MOST_INTEGER = 2**63 - 1  # Postgres' bigint
_MOST_DIGITS = 19
_MOST_NUMBER = {int: _MOST_INTEGER, bool: 1, float: sys.float_info.max}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_RAW_BYTE = re.compile("[\udc80-\udcff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_PATH_WORDS = frozenset(
    {"path", "paths", "ref", "refs", "for", "against", "start", "end", "like", "folder"}
)
"""Fields that may name a file, whose name may be bytes that are no text: they come as U+DC80 to
U+DCFF (Python's surrogateescape), in absolute paths only."""


def parse(body: bytes) -> Any:
    """A JSON document, whatever its Content-Type said, as it came. Raises UsageError with the place.

    Numbers that are none, or that are too large, become NaN: see `check` and `repaired`.
    """
    try:
        return json.loads(body.decode("utf-8-sig"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise UsageError(f"the body is no UTF-8 text (byte {error.start})") from error
    except RecursionError as error:
        raise UsageError("the body is no JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        raise UsageError(f"the body is no JSON: {error}") from error


def check(document: object) -> None:
    """Raise UsageError for the first thing in a document that can never be stored or computed."""
    for word, value, depth in _walk(document):
        if depth > MOST_DEPTH:
            raise UsageError(f"the body is nested too deeply: at most {MOST_DEPTH} levels are read")
        if isinstance(value, str) and (problem := _problem(word, value)):
            raise UsageError(f"{_shown(word, value)} {problem}")
        if isinstance(value, int | float) and not abs(value) <= _MOST_NUMBER[type(value)]:
            raise UsageError(f"{word or 'the body'} is no number, or one that is too large")


def repaired(document: Any) -> Any:
    """A copy in which text has U+FFFD for what cannot be stored, and null stands for such numbers.

    Raises UsageError only where it is nested too deeply.
    """
    return _repaired(document, 0)


def _repaired(value: Any, depth: int) -> Any:
    if depth > MOST_DEPTH:
        raise UsageError(f"the body is nested too deeply: at most {MOST_DEPTH} levels are read")
    match value:
        case str():
            return _UNSTORABLE.sub(_REPLACEMENT, value)
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {_repaired(k, depth): _repaired(v, depth + 1) for k, v in value.items()}
        case list():
            return [_repaired(one, depth + 1) for one in value]
        case _:
            return value


def _integer(text: str) -> int | float:
    if len(text.lstrip("-")) > _MOST_DIGITS or abs(value := int(text)) > _MOST_INTEGER:
        return math.nan
    return value


def _walk(document: object) -> Any:
    """Every value with the field that holds it and its depth; field names themselves as values."""
    waiting: list[tuple[str, object, int]] = [("", document, 0)]
    while waiting:
        word, value, depth = waiting.pop()
        yield word, value, depth
        if isinstance(value, dict):
            for name, inner in value.items():
                yield "", name, depth
                waiting.append((name, inner, depth + 1))
        elif isinstance(value, list | tuple):
            waiting.extend((word, inner, depth + 1) for inner in value)


def _problem(word: str, text: str) -> str | None:
    if "\0" in text:
        return "has a NUL byte in it"
    if not _UNSTORABLE.search(text):
        return None
    names_file = word in _PATH_WORDS and text.startswith("/")
    if names_file and not _UNSTORABLE.search(_RAW_BYTE.sub("", text)):
        return None
    kind = "file name" if word in _PATH_WORDS else "text"
    return f"holds half of a surrogate pair, which no {kind} has"


def _shown(word: str, text: str) -> str:
    shown = ascii(text[:40])
    return f"{word} {shown}" if word else shown
