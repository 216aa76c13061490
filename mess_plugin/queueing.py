"""The queue, for those who send work: found by name, because the core knows no broker."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Protocol, cast

from mess_plugin.config import Settings
from mess_plugin.errors import ServiceError

GROUP = "mess.queue"


class Queue(Protocol):
    """The sending side of a queue. ServiceError where the broker does not answer."""

    def send(self, job_ids: Iterable[int]) -> None:
        """Ask for jobs to be done."""


def open_queue(settings: Settings) -> Queue:
    """The installed queue: the entry point `mess.queue`. Raises ServiceError where there is none."""
    for point in entry_points(group=GROUP):
        return cast(Queue, point.load()(settings))
    raise ServiceError("queue", "none is installed: reinstall mess-plugin")
