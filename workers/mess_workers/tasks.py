"""The tasks.

Each carries an id, finds everything else in the database, and may run any number of times: the
ledger says whether there is anything left to do, and its lock says who does it.
"""

from __future__ import annotations

import logging
import random
from functools import lru_cache
from typing import Any

import psycopg
from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded

from mess_plugin import encoders
from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders.base import Encoder, EncoderOptions
from mess_plugin.errors import AudioError, EncoderError, StoreError
from mess_plugin.indexing import index
from mess_plugin.recipe import Recipe
from mess_plugin.refit import refit
from mess_plugin.store import Store, open_store
from mess_plugin.store.ledger import Job
from mess_workers.names import INDEX_FILE, REFIT

log = logging.getLogger(__name__)

BUSY_RETRY_S = 5.0
_FIRST_RETRY_S = 2.0
_LONGEST_RETRY_S = 300.0

# What these say is about the audio now in the file, so what was there before is gone.
_KINDS_ABOUT_CONTENT = {"empty", "not-audio", "damaged", "protected", "silent", "too-short"}


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()


@lru_cache(maxsize=2)
def encoder_for(recipe: str) -> Encoder:
    """The encoder of a recipe, loaded once per process."""
    wanted = Recipe.parse(recipe)
    options = EncoderOptions(layers=wanted.layers, device=settings().device)
    return encoders.load(wanted.encoder, options)


@shared_task(bind=True, name=INDEX_FILE, max_retries=None)
def index_file(self: Task[Any, Any], job_id: int, forgiven: int = 0) -> None:
    """Index the file of a job. forgiven: attempts that the database cut short."""
    try:
        with open_store(_database_url()) as store:
            # The lock is not given back by hand: it goes with the connection, also after an error.
            if not store.ledger.lock(job_id):
                raise self.retry(countdown=BUSY_RETRY_S)
            retry_in_s = run_job(store, job_id, forgiven)
    except StoreError as error:
        log.warning("job %d: %s; trying again", job_id, error)
        wait_s = _backoff_s(forgiven)
        raise self.retry(args=(job_id, forgiven + 1), countdown=wait_s, exc=error) from error
    if retry_in_s is not None:
        raise self.retry(countdown=retry_in_s)


@shared_task(name=REFIT)
def refit_space(recipe: str) -> None:
    """Fit the projection of a library again where that is due."""
    with open_store(_database_url()) as store:
        space = refit(store, recipe)
    if space is not None:
        log.info("new projection: %s", space.name)


def run_job(store: Store, job_id: int, forgiven: int = 0) -> float | None:
    """Run a locked job to its end in the ledger.

    Returns None when it is over, well or badly, or the seconds to wait before the next attempt.
    """
    job = store.ledger.start(job_id, forgiven)
    if job is None:
        log.debug("job %d: nothing left to do", job_id)
        return None
    if job.attempts > settings().attempts:
        reason = f"reading it ended the process {job.attempts - 1} times; it is not tried again"
        _fail(store, job, "crashed", reason)
        return None
    try:
        outcome = index(store, job, encoder_for(job.recipe), limit_s=settings().file_limit_s)
    except AudioError as error:
        _fail(store, job, error.kind, error.reason)
    except EncoderError as error:
        _fail(store, job, "encoder", str(error))
    except SoftTimeLimitExceeded:
        _fail(store, job, "too-slow", f"it took more than {settings().file_limit_s:g} s")
    except MemoryError:
        _fail(store, job, "memory", "there was not enough memory to read it")
    except psycopg.Error:
        raise  # becomes a StoreError at the store's door; the file is not to blame
    except Exception as error:  # noqa: BLE001  the task boundary: whatever it was becomes a row
        return _unexpected(store, job, error)
    else:
        return _finish(store, job, outcome)
    return None


def _finish(store: Store, job: Job, outcome: str) -> float | None:
    if outcome == "changed":
        store.ledger.give_back(job.id, "changed", "the file changed while it was read")
        return BUSY_RETRY_S
    store.ledger.finish(job.id, outcome)
    log.info("job %d: %s: %s", job.id, outcome, job.path)
    return None


def _unexpected(store: Store, job: Job, error: Exception) -> float | None:
    log.exception("job %d: %s", job.id, job.path)
    reason = f"unexpected {type(error).__name__}: {error}"
    if job.attempts >= settings().attempts:
        _fail(store, job, "crashed", reason)
        return None
    store.ledger.give_back(job.id, "crashed", reason)
    return _backoff_s(job.attempts)


def _fail(store: Store, job: Job, kind: str, reason: str) -> None:
    if kind in _KINDS_ABOUT_CONTENT:
        store.ledger.unlocate(job.file_id)
        store.ledger.forget_orphans()
    store.ledger.fail(job.id, kind, reason)
    log.warning("job %d: failed: %s: %s", job.id, job.path, reason)


def _backoff_s(attempt: int) -> float:
    """Exponential, with jitter so that many do not come back at once."""
    longest_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0**attempt)
    return longest_s * random.uniform(0.5, 1.5)


def _database_url() -> str:
    url = settings().database_url
    if url is None:
        raise StoreError("this worker was started without MESS_DATABASE_URL: use `mess worker`")
    return url
