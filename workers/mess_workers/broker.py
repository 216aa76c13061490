"""Sending work. Messages carry ids only."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError
from mess_plugin.services import broker_problem
from mess_plugin.store.dispatch import Due
from mess_workers.app import make_app
from mess_workers.task_names import (
    DUPLICATES,
    INDEX_FILE,
    INDEXING,
    MAINTENANCE,
    PRIORITY_STEPS,
    REFIT,
    SWITCH,
)

_ANSWER_S = 30.0


class QueuedJobs(msgspec.Struct, frozen=True):
    """What the broker has: jobs whose message waits, and jobs whose message a worker has taken."""

    waiting: frozenset[int]
    taken: frozenset[int]

    @property
    def depth(self) -> int:
        """Messages that wait."""
        return len(self.waiting)


class JobQueue:
    """The sending side of the broker. Every method raises ServiceError where it does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._app: Celery = make_app(settings)
        self._app.conf.update(
            broker_connection_retry=False,
            task_publish_retry=False,
            broker_connection_timeout=5,
            # Of one command: a broker that is frozen holds up nobody for longer.
            broker_transport_options={
                **self._app.conf.broker_transport_options,
                "socket_timeout": _ANSWER_S,
            },
        )

    def send(self, jobs: Iterable[Due]) -> None:
        """Ask for jobs to be done."""
        try:
            with self._app.producer_or_acquire() as producer:
                for job in jobs:
                    self._app.send_task(
                        INDEX_FILE,
                        args=(job.job_id,),
                        queue=INDEXING,
                        priority=job.priority,
                        producer=producer,
                    )
        except (OperationalError, RedisError) as error:
            raise self._problem(error) from error

    def held(self) -> QueuedJobs:
        """Which jobs the broker has messages for. Bounded, as the number of messages is."""
        try:
            with self._app.connection_or_acquire() as connection:
                channel = connection.default_channel
                # Not the channel's own client: an answer to `ping` may still be on its way there.
                with channel.conn_or_acquire() as client:
                    waiting = [
                        text
                        for step in PRIORITY_STEPS
                        for text in client.lrange(channel._q_for_pri(INDEXING, step), 0, -1)
                    ]
                    taken = client.hvals(channel.unacked_key)
        except (OperationalError, RedisError) as error:
            raise self._problem(error) from error
        return QueuedJobs(frozenset(_job_ids(waiting)), frozenset(_job_ids(taken)))

    def send_refit(self, recipe: str) -> None:
        """Ask for the projection to be fitted again where that is due."""
        self._maintain(REFIT, recipe)

    def send_switch(self) -> None:
        """Ask for the switch to another encoder to be completed if all is done."""
        self._maintain(SWITCH)

    def send_duplicates(self, within_s: float) -> None:
        """Ask for duplicates to be looked for, after all else; forgotten if nobody does so in time."""
        self._maintain(DUPLICATES, priority=PRIORITY_STEPS[-1], expires=within_s)

    def _maintain(self, task: str, *arguments: str, **options: float) -> None:
        try:
            self._app.send_task(task, args=arguments, queue=MAINTENANCE, **options)
        except (OperationalError, RedisError) as error:
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> ServiceError:
        # kombu hides what redis said behind an error of its own.
        cause = error if isinstance(error, RedisError) else error.__cause__
        url = self._app.conf.broker_url
        return ServiceError("broker", broker_problem(cause or error, url))

    def has_worker(self, timeout_s: float = 1.0) -> bool:
        """Whether any worker answers on this broker."""
        try:
            return bool(self._app.control.ping(timeout=timeout_s, limit=1))
        except (OperationalError, RedisError) as error:
            raise self._problem(error) from error


def _job_ids(messages: Iterable[bytes]) -> Iterator[int]:
    """The jobs that messages of kombu's Redis transport are about; others are passed over."""
    for text in messages:
        try:
            message: Any = json.loads(text)
            if isinstance(message, list):  # taken ones come with where they came from
                message = message[0]
            if message["headers"]["task"] == INDEX_FILE:
                yield int(json.loads(base64.b64decode(message["body"]))[0][0])
        except (ValueError, KeyError, IndexError, TypeError, binascii.Error):
            continue
