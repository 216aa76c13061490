"""Whether the servers behind the service answer, told within a bounded time even where they hang."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from mess_plugin.documents import background_problems
from mess_plugin.errors import MessError
from mess_plugin.services import ping_broker
from mess_plugin.store.pool import StorePool

PATIENCE_S = 2.0
"""After that a server counts as not answering."""


BACKGROUND = "background"
"""The name of the probe of watcher, dispatcher and workers, of which only failures are shown."""


class Probe:
    """One check of one server at a time: whoever asks meanwhile waits for the same one.

    A server that hangs (its process stopped, its disk gone) holds one thread, and nobody who asks
    waits longer than `PATIENCE_S` for it.
    """

    def __init__(self, check: Callable[[], str | None]) -> None:
        """check: returns what is wrong beside the server's silence, "" or None for nothing."""
        self._check = check
        self._under_way: asyncio.Future[str] | None = None
        self._began_s = 0.0

    async def state(self) -> str:
        """ "ok", "does not answer", or what else is wrong."""
        if self._under_way is None or self._under_way.done():
            self._begin()
        check = self._under_way
        assert check is not None
        left_s = self._began_s + PATIENCE_S - time.monotonic()
        await asyncio.wait([check], timeout=max(0.0, left_s))
        return check.result() if check.done() else "does not answer"

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._under_way, self._began_s = loop.create_future(), time.monotonic()
        # A daemon: a server that never answers does not keep this process from ending.
        threading.Thread(target=self._run, args=(loop, self._under_way), daemon=True).start()

    def _run(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[str]) -> None:
        try:
            state = self._check() or "ok"
        except MessError:
            state = "does not answer"
        try:
            loop.call_soon_threadsafe(future.set_result, state)
        except RuntimeError:
            return  # the service has ended meanwhile


def probes(stores: StorePool, broker_url: str) -> dict[str, Probe]:
    """What must be well for the service to be ready."""

    def ask_database() -> None:
        with stores.use() as store:
            store.server_versions()

    def ask_broker() -> None:
        ping_broker(broker_url)

    def ask_background() -> str:
        with stores.use() as store:
            return "; ".join(background_problems(store))

    return {
        "database": Probe(ask_database),
        "broker": Probe(ask_broker),
        BACKGROUND: Probe(ask_background),
    }
