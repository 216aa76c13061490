"""Which job a log record of a worker is about."""

from __future__ import annotations

from contextlib import AbstractContextManager

from mess_plugin.logs import log_fields


def working_at(job_id: int) -> AbstractContextManager[None]:
    """Until the end of the block, log records carry this job and its task."""
    return log_fields(job=job_id, task=_task_id())


def _task_id() -> str | None:
    from celery import current_task  # noqa: PLC0415  programs without Celery log too

    request = getattr(current_task, "request", None)
    return str(request.id) if request is not None and request.id else None
