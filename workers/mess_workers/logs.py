"""Logs of the background programs: text for people, or one JSON document a line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_job: ContextVar[int | None] = ContextVar("job", default=None)
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


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
        }
        if (job := _job.get()) is not None:
            document["job"] = job
            document["task"] = _task_id()
        if (track := getattr(record, "track", None)) is not None:
            document["track"] = track
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=True)


def formatter(log_format: str) -> logging.Formatter:
    """The formatter for the setting `log_format`: "text" or "json"."""
    return JsonLines() if log_format == "json" else logging.Formatter(_TEXT)


def log_to_stderr(log_format: str) -> None:
    """Set up the logs of a background program; its supervisor keeps standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@contextmanager
def working_at(job_id: int) -> Iterator[None]:
    """Until the end of the block, log records carry this job."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


def _task_id() -> str | None:
    from celery import current_task  # noqa: PLC0415  programs without Celery log too

    request = getattr(current_task, "request", None)
    return str(request.id) if request is not None and request.id else None
