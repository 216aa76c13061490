"""Background services report their failures, so that `mess status` and others show them."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mess_plugin.config import Settings
from mess_plugin.errors import MessError, ServiceError
from mess_plugin.store import Store, open_store

log = logging.getLogger(__name__)

_AGAIN_S = 1.0


@contextmanager
def reported(service: str, settings: Settings) -> Iterator[None]:
    """Report that a service begins, and how it ends: in order, with an error, or not at all."""
    host = socket.gethostname()
    _report(settings, lambda store: store.health.started(service, host))
    try:
        yield
    except Exception as error:
        report_failure(service, settings, error)
        raise
    except SystemExit as end:
        if end.code:
            report_failure(service, settings, ServiceError(service, f"it ended with {end.code}"))
        else:
            _report(settings, lambda store: store.health.stopped(service, host))
        raise
    except KeyboardInterrupt:
        _report(settings, lambda store: store.health.stopped(service, host))
        raise
    _report(settings, lambda store: store.health.stopped(service, host))


def keep_running(
    service: str, settings: Settings, stop: threading.Event, run: Callable[[], None]
) -> None:
    """Run a service until told to stop; where a server is away, or an error ends it, again."""
    with reported(service, settings):
        while not stop.is_set():
            try:
                run()
            except MessError as error:
                log.warning("%s; trying again", error)
                report_failure(service, settings, error)
                stop.wait(_AGAIN_S)


def report_failure(service: str, settings: Settings, error: Exception) -> None:
    """Keep an error where `mess status` finds it."""
    text = str(error) if isinstance(error, MessError) else f"{type(error).__name__}: {error}"
    _report(settings, lambda store: store.health.failed(service, socket.gethostname(), text))


def _report(settings: Settings, tell: Callable[[Store], None]) -> None:
    try:
        with open_store(settings.database_url or "") as store:
            tell(store)
    except MessError as error:
        log.debug("nobody could be told: %s", error)  # that the database is away is seen without us
