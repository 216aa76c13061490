"""The Celery application. The broker is transport: the ledger in Postgres knows what is wanted."""

from __future__ import annotations

from celery import Celery

from mess_plugin import keepalive
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError
from mess_workers.task_names import INDEXING, PRIORITY_STEPS

_MARGIN_S = 60.0  # a task may outlast its file's own limit by this before it is stopped


def make_app(settings: Settings) -> Celery:
    """The application for one broker. Raises ConfigError where the settings name none.

    Late acknowledgement and rejection on a lost worker give back what a killed process held; the
    visibility timeout is longer than any task, so nothing running is handed out twice.
    """
    if settings.broker_url is None:
        raise ConfigError("broker_url", None, "wanted the URL of a running Redis or Valkey")
    longest_s = settings.file_limit_s + 2 * _MARGIN_S
    app = Celery("mess", broker=settings.broker_url, include=["mess_workers.tasks"])
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_default_queue=INDEXING,
        task_soft_time_limit=settings.file_limit_s + _MARGIN_S,
        task_time_limit=longest_s,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=True,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": longest_s + _MARGIN_S,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 5,
            "priority_steps": list(PRIORITY_STEPS),
            "queue_order_strategy": "priority",
            "retry_on_timeout": True,
            "socket_keepalive": True,
            "socket_keepalive_options": keepalive.socket_options(),
        },
        timezone="UTC",
    )
    return app
