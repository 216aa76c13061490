"""`python -m mess_workers.dispatcher`: sends due jobs from the ledger to the workers.

All of its state is in the database and each of its steps can be repeated, so it may be killed at any
time; meanwhile jobs wait.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import ServiceError
from mess_plugin.library.reconcile import Request, drain
from mess_plugin.logs import log_to_stderr
from mess_plugin.readiness import announce_ready
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import SwitchState, active_recipe, under_way
from mess_plugin.spaces.refit import is_due
from mess_plugin.store import Store, open_store
from mess_plugin.store.dispatch import Due
from mess_workers import maintenance
from mess_workers.broker import JobQueue, QueuedJobs
from mess_workers.file_events import answer_events
from mess_workers.health import keep_running
from mess_workers.schedule import is_open
from mess_workers.watch.supervisor import StoreThread, running

log = logging.getLogger(__name__)

IN_FLIGHT = 200  # messages in the broker at a time; all other work waits in the ledger
_ON_ITS_WAY_S = 3.0  # a message this young may not have arrived yet
_TAKEN_UP_S = 30.0  # a worker that took a message begins its job well within this
_LOOK_S = 1.0  # at least this often, also where nobody announced any work
_TIDY_S = 60.0
_SWITCH_S = 5.0
_COMPARE_S = 5.0
_KEEP_EVENTS_S = 30 * 86400.0


def send_due(store: Store, queue: JobQueue, *, limit: int = IN_FLIGHT) -> int:
    """Recover what died, send again what was lost, and send what is due. Returns how many were sent.

    Any number of processes may call this at any time; one works, the others return at once. limit:
    at most so many messages are under way. Raises ServiceError where the broker does not answer.
    """
    with store.dispatch.exclusive_lock() as chosen:
        if not chosen:
            return 0
        store.jobs.recover()
        sent = store.dispatch.sent()
        if sent:
            gone = lost(sent, queue.held())
            store.dispatch.unsend(gone)
            sent = {job_id: age_s for job_id, age_s in sent.items() if job_id not in set(gone)}
        due = store.dispatch.claim(limit - len(sent)) if len(sent) < limit else []
    if due:
        _send(store, queue, due)
    return len(due)


def lost(sent: Mapping[int, float], held: QueuedJobs) -> list[int]:
    """Jobs (id → age of their message in seconds) whose message nobody will ever take up."""
    return [
        job_id
        for job_id, age_s in sent.items()
        if job_id not in held.waiting
        and age_s > (_TAKEN_UP_S if job_id in held.taken else _ON_ITS_WAY_S)
    ]


def _send(store: Store, queue: JobQueue, due: Sequence[Due]) -> None:
    try:
        queue.send(due)
    except ServiceError:
        store.dispatch.unsend([job.job_id for job in due])
        raise


@dataclass(slots=True)
class Dispatcher:
    """One dispatcher: call `tick` again and again."""

    settings: Settings
    store: Store
    queue: JobQueue
    _tidied_s: float = field(default=-_TIDY_S)
    _switched_s: float = field(default=-_TIDY_S)
    _compared_s: float = field(default=-_TIDY_S)
    _compares: bool = False
    _held: str = ""

    def tick(self) -> int:
        """Send what is due, tidy up. Returns the number sent."""
        sent = 0
        if is_open(self.settings.index_hours, datetime.now().astimezone()):
            sent = send_due(self.store, self.queue)
        if time.monotonic() - self._tidied_s >= _TIDY_S:
            self._tidied_s = time.monotonic()
            self._tidy()
        if time.monotonic() - self._switched_s >= _SWITCH_S:
            self._switched_s = time.monotonic()
            self._switch()
        if self._compares and time.monotonic() - self._compared_s >= _COMPARE_S:
            self._compared_s = time.monotonic()
            self._compare()
        return sent

    def _tidy(self) -> None:
        forgotten = self.store.files.forget_missing(self.settings.keep_missing_s)
        if forgotten:
            log.info("%d files were missed for long enough and are forgotten", forgotten)
        self.store.inbox.forget_old(_KEEP_EVENTS_S)
        recipe = active_recipe(self.store, self.settings)
        if is_due(self.store, recipe):
            self.queue.send_refit(recipe)
        self._compares = maintenance.is_due(self.store, self.settings)

    def _compare(self) -> None:
        """Have some tracks look for duplicates, unless files wait for a worker."""
        if not self.store.dispatch.sent():
            self.queue.send_duplicates(within_s=_COMPARE_S)

    def _switch(self) -> None:
        """Look at a switch to another encoder, and have it completed where nothing is left to do."""
        switch = under_way(self.store)
        if switch is None:
            return
        if switch.state is SwitchState.READY:
            self.queue.send_switch()
        elif switch.state is SwitchState.HELD and switch.new != self._held:
            self._held = switch.new
            log.warning(
                "%d files failed with %s: %s goes on answering",
                switch.built.lost,
                switch.new,
                switch.old,
            )


class Intake(StoreThread):
    """Reconciles spooled changes and file events, on a thread beside the dispatcher."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("intake", settings.database_url)
        self._settings = settings

    def work(self, store: Store) -> None:
        """Look at least every second, and at once where somebody announced something."""
        while not self.ended.is_set():
            answer_events(store, self._settings)
            self._drain(store)
            store.dispatch.wait(_LOOK_S)

    def _drain(self, store: Store) -> None:
        for found in drain(self._settings.home, store, Request.of(store, self._settings)):
            if found.pruned.refused:
                log.warning(
                    "not everything that a host removed is forgotten: %s", found.pruned.refused
                )


def main() -> None:
    """Dispatch until told to stop; where a server is away, wait for it."""
    settings = load_settings()
    log_to_stderr(settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with connected(settings, broker=True) as ready:
        log.info("dispatching")
        keep_running("dispatcher", ready, stop, lambda: dispatch(ready, stop))


def dispatch(ready: Settings, stop: threading.Event) -> None:
    """Keep the workers fed until told to stop. Raises MessError where a server is away."""
    intake = Intake(ready)
    with open_store(ready.database_url or "") as store, running([intake]):
        dispatcher = Dispatcher(ready, store, JobQueue(ready))
        while not stop.is_set():
            intake.check()
            dispatcher.tick()
            announce_ready()
            store.dispatch.wait(_LOOK_S)


if __name__ == "__main__":
    main()
