"""Several callers, one encoder: what they ask at the same time is encoded in one batch.

A GPU is busy only with many windows at a time, and one track is heard a few windows at a time so that
memory stays bounded. So batches are made across tracks. Nobody waits for a batch to fill: while
one batch is encoded the next requests gather, and the busier it gets the larger batches are.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

import msgspec
import numpy as np

from mess_plugin.encoders.base import Encoder
from mess_plugin.model import Float32

MOST_WINDOWS = 64
THREADS = 2  # one copies to and from the device while the other one's batch is encoded there


class _Request(msgspec.Struct, frozen=True):
    """windows: (n, n_samples); the frames come as the future's result."""

    windows: Float32
    frames: Future[Float32]


class BatchingEncoder:
    """Encodes for any number of threads; `encode` is as `Encoder.encode`, with its errors."""

    def __init__(
        self, encoder: Encoder, most_windows: int = MOST_WINDOWS, threads: int = THREADS
    ) -> None:
        """most_windows: a batch is closed when it has so many; a request is never divided."""
        self.encoder = encoder
        self._most_windows = most_windows
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    def encode(self, windows: Float32) -> Float32:
        """(n_windows, n_samples) → (n_windows, n_frames, dim); waits for its batch."""
        frames: Future[Float32] = Future()
        self._requests.put(_Request(windows, frames))
        return frames.result()

    def _work(self) -> None:
        while True:
            for batch in equally_long(self._gather()):
                self._answer(batch)

    def _gather(self) -> list[_Request]:
        """The next request, and with it all that are waiting by now and fit."""
        gathered = [self._requests.get()]
        n_windows = len(gathered[0].windows)
        while n_windows < self._most_windows:
            try:
                gathered.append(self._requests.get_nowait())
            except Empty:
                break
            n_windows += len(gathered[-1].windows)
        return gathered

    def _answer(self, batch: Sequence[_Request]) -> None:
        try:
            frames = self.encoder.encode(np.concatenate([one.windows for one in batch]))
        except Exception as error:  # noqa: BLE001  whoever waits has to learn of it
            for one in batch:
                one.frames.set_exception(error)
            return
        ends = np.cumsum([len(one.windows) for one in batch])
        for one, part in zip(batch, np.split(frames, ends[:-1]), strict=True):
            one.frames.set_result(part)


def equally_long(requests: Sequence[_Request]) -> Iterator[list[_Request]]:
    """Groups of requests whose windows can be stacked; each keeps its order."""
    groups: dict[tuple[int, ...], list[_Request]] = defaultdict(list)
    for request in requests:
        groups[request.windows.shape[1:]].append(request)
    yield from groups.values()
