"""Sending work. Messages carry ids only."""

from __future__ import annotations

from collections.abc import Iterable

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError
from mess_workers.app import make_app
from mess_workers.names import INDEX_FILE, INDEXING, MAINTENANCE, REFIT


class Queue:
    """The sending side of the broker. Every method raises ServiceError where it does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._app: Celery = make_app(settings)
        self._app.conf.update(
            broker_connection_retry=False, task_publish_retry=False, broker_connection_timeout=5
        )

    def send(self, job_ids: Iterable[int]) -> None:
        """Ask for jobs to be done."""
        try:
            with self._app.producer_or_acquire() as producer:
                for job_id in job_ids:
                    self._app.send_task(
                        INDEX_FILE, args=(job_id,), queue=INDEXING, producer=producer
                    )
        except (OperationalError, RedisError) as error:
            raise _unreachable(error) from error

    def send_refit(self, recipe: str) -> None:
        """Ask for the projection to be fitted again where that is due."""
        try:
            self._app.send_task(REFIT, args=(recipe,), queue=MAINTENANCE)
        except (OperationalError, RedisError) as error:
            raise _unreachable(error) from error

    def has_worker(self, timeout_s: float = 1.0) -> bool:
        """Whether any worker answers on this broker."""
        try:
            return bool(self._app.control.ping(timeout=timeout_s, limit=1))
        except (OperationalError, RedisError) as error:
            raise _unreachable(error) from error


def _unreachable(error: Exception) -> ServiceError:
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ServiceError(
        "broker", f"it does not answer ({first_line}): check MESS_BROKER_URL, or unset it"
    )
