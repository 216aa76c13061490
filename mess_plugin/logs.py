"""Logs, and text for terminals: nothing that a file is called can forge a line or move a cursor.

Logs are text for people, or one JSON document a line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from mess_plugin.errors import UnknownName

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_NO_FIELDS: Mapping[str, object] = MappingProxyType({})
_fields: ContextVar[Mapping[str, object]] = ContextVar("fields", default=_NO_FIELDS)


def printable(text: str) -> str:
    """Text that any terminal can show: odd bytes and control characters become escapes.

    Line ends stay; `one_line` escapes them too.
    """
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in safe)


def one_line(text: str) -> str:
    """As `printable`, in one line."""
    return printable(text).replace("\n", "\\n")


class TextLines(logging.Formatter):
    """Records as text: a message is one line, and lines of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The line."""
        return one_line(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802  as above
        """The traceback."""
        text = printable(super().formatException(ei))  # type: ignore[arg-type]
        return "\n".join(f"    {line}" for line in text.splitlines())


class JsonLines(logging.Formatter):
    """Records as JSON: at, level, logger, message, pid; job, task and track where there are such."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        document: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **_fields.get(),
        }
        if (track := getattr(record, "track", None)) is not None:
            document["track"] = track
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=True)


def formatter(log_format: str) -> logging.Formatter:
    """The formatter for the setting `log_format`: "text" or "json"."""
    return JsonLines() if log_format == "json" else TextLines(TEXT)


def log_to_stderr(log_format: str) -> None:
    """Set up the logs of a background program; its supervisor keeps standard error."""
    _use(formatter(log_format), logging.INFO, force=True)


def level_wanted() -> int:
    """The level that MESS_LOG names, WARNING without it. Raises UnknownName."""
    wanted = os.environ.get("MESS_LOG") or "WARNING"
    levels = logging.getLevelNamesMapping()
    if wanted.upper() not in levels:
        raise UnknownName("level in MESS_LOG", wanted, levels)
    return levels[wanted.upper()]


def log_messages(level: int) -> None:
    """Set up the logs of a command: bare messages on standard error."""
    _use(TextLines("%(message)s"), level, force=False)


def _use(lines: logging.Formatter, level: int, *, force: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    logging.basicConfig(level=level, handlers=[handler], force=force)


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Until the end of the block, JSON records carry these fields."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)
