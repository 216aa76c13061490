"""The registry of living workers: each holds an advisory lock, which ends with its session.

With it, a file that crashes the process reading it is told apart from a worker that was stopped.
"""

from __future__ import annotations

import logging
import os
import socket
import threading

from mess_plugin.errors import StoreError
from mess_plugin.store import open_store

log = logging.getLogger(__name__)

_ID = "MESS_WORKER_ID"  # inherited by the child processes, where tasks run
_CHECK_S = 2.0


def worker_id() -> int | None:
    """The id of the worker that this process belongs to, None outside of one."""
    text = os.environ.get(_ID)
    return int(text) if text else None


def register_worker(database_url: str) -> None:
    """Register this process as a worker, and stay registered on a thread until it ends."""
    known = threading.Event()
    threading.Thread(target=_keep_registered, args=(database_url, known), daemon=True).start()
    known.wait(timeout=30.0)


def _keep_registered(database_url: str, known: threading.Event) -> None:
    pid = os.getpid()
    quiet = threading.Event()
    while True:
        try:
            with open_store(database_url) as store:
                entered = store.workers.enter(socket.gethostname(), pid, worker_id())
                os.environ[_ID] = str(entered)
                known.set()
                while not quiet.wait(_CHECK_S):
                    store.server_versions()  # raises where the connection is gone
        except StoreError as error:
            log.warning("the database does not see this worker: %s", error)
            quiet.wait(_CHECK_S)
