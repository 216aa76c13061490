"""What one process of a worker may use, and how it logs: set when Celery starts it."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    worker_process_init,
    worker_ready,
)

from mess_plugin.config import Settings
from mess_plugin.logs import formatter
from mess_plugin.readiness import announce_ready

log = logging.getLogger(__name__)


def set_up(settings: Settings) -> None:
    """From now on, child processes have the memory limit and log in the format of the settings.

    A file that needs more memory than that fails alone, with the kind "memory" or "crashed", before
    the kernel ends some other process for it.
    """

    def limit(**_: Any) -> None:
        limit_memory(settings.memory_limit_mb)

    def use_format(logger: logging.Logger, **_: Any) -> None:
        for handler in logger.handlers:
            handler.setFormatter(formatter(settings.log_format))

    worker_process_init.connect(limit, weak=False)
    worker_ready.connect(lambda **_: announce_ready(), weak=False)
    for ready in (after_setup_logger, after_setup_task_logger):
        ready.connect(use_format, weak=False)


def limit_memory(limit_mb: int) -> None:
    """Let this process allocate at most so many megabytes of its own; 0 for no limit.

    Counts private writable memory (RLIMIT_DATA), not mapped files such as model weights. Not every
    system can do this; there the limit is only logged as missing.
    """
    if not limit_mb:
        return
    try:
        import resource  # noqa: PLC0415  not on every system

        limit_bytes = limit_mb * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError) as error:
        log.warning("memory cannot be limited here: %s", error)
