"""`python -m mess_workers`: a worker for the servers that the environment names.

Started by `mess worker`, `mess up` and `mess index`. Numerical libraries get one thread each: one
single-threaded process per core is faster than threads inside an operation.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for _name in _ONE_THREAD:
    os.environ.setdefault(_name, "1")

from mess_plugin.config import Settings, load_settings  # noqa: E402  after the threads are settled
from mess_plugin.services import connected, environment  # noqa: E402
from mess_workers import gpu_client  # noqa: E402
from mess_workers.app import make_app  # noqa: E402
from mess_workers.health import reported  # noqa: E402
from mess_workers.limits import set_up  # noqa: E402
from mess_workers.registry import register_worker  # noqa: E402
from mess_workers.task_names import INDEXING  # noqa: E402

_RECYCLE_AFTER_KB = 3_000_000  # a child that has grown beyond this is replaced after its task


def main(queues: Sequence[str] = (INDEXING,), jobs: int | None = None) -> None:
    """Work until told to stop; the embedded servers are kept up meanwhile."""
    parent = os.environ.pop("MESS_PARENT_PID", None)
    if parent:
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    with connected(load_settings(), broker=True) as settings:
        os.environ.update(environment(settings))  # for the child processes, where tasks run
        os.nice(settings.nice)
        register_worker(settings.database_url or "")
        set_up(settings)
        # Only files are encoded here.
        service = "worker" if INDEXING in queues else "maintenance"
        gpu = gpu_client.gpu_server(settings) if INDEXING in queues else nullcontext()
        with reported(service, settings), gpu:
            _work(settings, queues, jobs or settings.jobs)


def _work(settings: Settings, queues: Sequence[str], jobs: int) -> None:
    make_app(settings).worker_main(
        [
            "worker",
            "--loglevel=INFO",
            "--without-gossip",
            "--without-mingle",
            f"--concurrency={jobs}",
            f"--queues={','.join(queues)}",
            f"--max-memory-per-child={_RECYCLE_AFTER_KB}",
            f"--hostname=mess-{os.getpid()}@%h",
        ]
    )


def _end_with(parent: int) -> None:
    """End gracefully when the command that started us is gone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), 15)


if __name__ == "__main__":
    main()
