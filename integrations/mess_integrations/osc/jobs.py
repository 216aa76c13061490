"""LookupJobs in flight: acknowledged at once, answered row by row, replaced, cancelled.

Lives in the event loop; only the work itself is elsewhere. Whatever is sent about a lookup is sent
from its own task, so nothing comes any more once the task is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Hashable

from mess_integrations.allowed_folders import AllowedFolders
from mess_integrations.osc import replies
from mess_integrations.osc.db_threads import StoreThreads
from mess_integrations.osc.lookups import (
    answer,
    code_of,
    excerpt_of,
    locate,
    of_recording,
)
from mess_integrations.osc.peers import Peer
from mess_integrations.osc.requests import BadRequest, Excerpt, FileLookup, Options, TrackLookup
from mess_integrations.osc.uploads import Upload
from mess_plugin.audio.budget import Budget, within
from mess_plugin.config import Settings
from mess_plugin.errors import MessError
from mess_plugin.model import Match
from mess_plugin.store import Store
from mess_plugin.store.pool import StorePool

LIBRARY_THREADS = 2
HEARING_THREADS = 2
_MOST_IN_FLIGHT = 64
_MOST_IN_FLIGHT_EACH = 32  # of one client
_ROWS_AT_ONCE = 16  # then a pause, so that small receive buffers do not overflow
_PAUSE_S = 0.002
_log = logging.getLogger(__name__)

Key = tuple[Hashable, str]
Asked = FileLookup | TrackLookup | Upload


class LookupJobs:
    """All lookups under way. At most one for each client and id: a new one replaces the old."""

    def __init__(self, settings: Settings, roots: AllowedFolders) -> None:
        most = LIBRARY_THREADS + HEARING_THREADS
        self._stores = StorePool(settings.database_url or "", most=most)
        self.library = StoreThreads("library", self._stores, LIBRARY_THREADS)
        self.hearing = StoreThreads("hearing", self._stores, HEARING_THREADS)
        self._settings = settings
        self._roots = roots
        self._tasks: dict[Key, tuple[asyncio.Task[None], Hashable]] = {}
        self._took_s: deque[float] = deque([0.2], maxlen=16)

    @property
    def counts(self) -> tuple[int, int]:
        """LookupJobs that wait, and that run."""
        running = min(len(self._tasks), LIBRARY_THREADS)
        return len(self._tasks) - running, running

    def start(
        self,
        peer: Peer,
        id_: str,
        about: Asked,
        options: Options,
        request: str,
        client: Hashable,
    ) -> None:
        """Take a lookup on. Raises BadRequest where too many of all, or of a client, are under way."""
        key = (peer.key, id_)
        self.cancel(key)
        self._check_room(client)
        self._track(key, client, self._run(peer, id_, about, options, request))

    def tell(
        self, peer: Peer, make: Callable[[Store], bytes], request: str, client: Hashable
    ) -> None:
        """Answer with one packet that needs the database."""
        key = (peer.key, request)
        if key not in self._tasks:
            self._check_room(client)
            self._track(key, client, self._tell(peer, make, request))

    def write_excerpt(self, peer: Peer, asked: Excerpt, request: str, client: Hashable) -> None:
        """Write a stretch of a track into the home, and say where. Raises BadRequest as `start`."""
        key = (peer.key, asked.id)
        self.cancel(key)
        self._check_room(client)
        budget = Budget(self._settings.file_limit_s, self._settings.memory_limit_mb)

        def write(store: Store) -> bytes:
            with within(budget):
                return replies.excerpt_ready(asked.id, excerpt_of(store, self._settings, asked))

        async def run() -> None:
            try:
                peer.send(await self.hearing.run(write))
            except MessError as error:
                peer.send(replies.error(asked.id, request, code_of(error), str(error)))
            finally:
                budget.end()

        self._track(key, client, run())

    def cancel(self, key: Key) -> bool:
        """Stop answering a lookup; whether there was one."""
        found = self._tasks.pop(key, None)
        return found is not None and found[0].cancel()

    def cancel_all_of(self, peer: Hashable) -> None:
        """Stop what a peer asked for that is gone."""
        for key in [key for key in self._tasks if key[0] == peer]:
            self.cancel(key)

    def close(self) -> None:
        """Cancel everything."""
        for task, _ in list(self._tasks.values()):
            task.cancel()
        self.library.close()
        self.hearing.close()
        self._stores.close()

    def _check_room(self, client: Hashable) -> None:
        if len(self._tasks) >= _MOST_IN_FLIGHT:
            raise BadRequest(503, f"{_MOST_IN_FLIGHT} lookups are under way: try again later")
        if sum(its == client for _, its in self._tasks.values()) >= _MOST_IN_FLIGHT_EACH:
            raise BadRequest(429, f"{_MOST_IN_FLIGHT_EACH} lookups of yours are under way: wait")

    def _track(self, key: Key, client: Hashable, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[key] = task, client

        def forget(_: asyncio.Task[None]) -> None:
            if key in self._tasks and self._tasks[key][0] is task:
                del self._tasks[key]

        task.add_done_callback(forget)

    def _eta_s(self) -> float:
        mean_s = sum(self._took_s) / len(self._took_s)
        waiting, _ = self.counts
        return mean_s * (1 + waiting / LIBRARY_THREADS)

    async def _run(
        self,
        peer: Peer,
        id_: str,
        about: Asked,
        options: Options,
        request: str,
    ) -> None:
        """One lookup from its acknowledgement to its last row."""
        started = time.monotonic()
        state = "running" if len(self._tasks) <= LIBRARY_THREADS else "queued"
        peer.send(replies.ack(id_, state, self._eta_s()))
        try:
            matches = await self._answer(about, options)
        except MessError as error:
            peer.send(replies.error(id_, request, code_of(error), str(error)))
            return
        except Exception:  # noqa: BLE001  the boundary of a task; `StoreThreads` has logged it
            peer.send(replies.error(id_, request, 500, "MESS failed here; its log says more"))
            return
        self._took_s.append(time.monotonic() - started)
        await _send_all(peer, id_, matches)
        peer.send(replies.done(id_, len(matches), time.monotonic() - started))

    async def _tell(self, peer: Peer, make: Callable[[Store], bytes], request: str) -> None:
        try:
            peer.send(await self.library.run(make))
        except MessError as error:
            peer.send(replies.error("", request, code_of(error), str(error)))

    async def _answer(self, about: Asked, options: Options) -> tuple[Match, ...]:
        """The matches, within a budget that ends with the one who asked."""
        budget = Budget(self._settings.file_limit_s, self._settings.memory_limit_mb)

        def search(store: Store) -> tuple[Match, ...]:
            target = of_recording(about.recording()) if isinstance(about, Upload) else found
            with within(budget):
                return answer(store, self._settings, target, options)

        try:
            if isinstance(about, Upload):
                return await self.hearing.run(search)
            found = await self.library.run(lambda store: locate(store, self._roots, about))
            threads = self.library if found.is_known else self.hearing
            return await threads.run(search)
        finally:
            budget.end()


async def _send_all(peer: Peer, id_: str, matches: tuple[Match, ...]) -> None:
    for number, one in enumerate(matches):
        if number and number % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(_PAUSE_S)
        peer.send(replies.match(id_, one, len(matches)))
