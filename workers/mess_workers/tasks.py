"""The tasks.

Each carries an id, finds everything else in the database, and may run any number of times: the
ledger says whether there is anything left to do, and its lock says who does it.
"""

from __future__ import annotations

import logging
import random
from functools import lru_cache

import psycopg
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import AudioError, EncoderError, StoreError
from mess_plugin.library.index import Indexed, index
from mess_plugin.library.pathmap import PathMap
from mess_plugin.spaces.active_encoder import complete, under_way
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.spaces.refit import refit
from mess_plugin.store import Store, open_store
from mess_plugin.store.jobs import Job
from mess_workers import gpu_client
from mess_workers.logs import working_at
from mess_workers.maintenance import search_duplicates
from mess_workers.registry import worker_id
from mess_workers.task_names import DUPLICATES, INDEX_FILE, REFIT, SWITCH

log = logging.getLogger(__name__)

BUSY_RETRY_S = 5.0
_MOST_INTERRUPTIONS = 20  # beyond this even an attempt that its worker did not survive counts
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
    """The encoder of a recipe, loaded or connected to once per process."""
    return gpu_client.load(Recipe.parse(recipe), settings())


@shared_task(name=INDEX_FILE)
def index_file(job_id: int) -> None:
    """Index the file of a job. Whatever goes wrong, the ledger says when it is tried again."""
    with working_at(job_id):
        try:
            with open_store(_database_url()) as store:
                store.jobs.recover([job_id])  # the message may have come back from a dead process
                # The lock is not given back by hand: it goes with the connection, also on an error.
                if store.jobs.lock(job_id):
                    run_job(store, job_id)
                else:
                    store.jobs.postpone(job_id, BUSY_RETRY_S)
        except StoreError as error:
            log.warning("job %d: %s; trying again later", job_id, error)
            _excuse(job_id, str(error))


@shared_task(name=REFIT)
def refit_space(recipe: str) -> None:
    """Fit the projection of a library again where that is due."""
    with open_store(_database_url()) as store:
        space = refit(store, recipe)
    if space is not None:
        log.info("new projection: %s", space.name)


@shared_task(name=SWITCH)
def switch_encoder() -> None:
    """Complete a switch to another encoder if all is done."""
    with open_store(_database_url()) as store:
        switch = under_way(store)
        if switch is not None and complete(store):
            log.info("%s answers from now on, not %s", switch.new, switch.old)


@shared_task(name=DUPLICATES)
def find_duplicates() -> None:
    """Let some tracks look for duplicates."""
    with open_store(_database_url()) as store:
        search_duplicates(store, settings())


def run_job(store: Store, job_id: int) -> None:
    """Run a locked job: in the end it is over, well or badly, or waits for its next attempt."""
    job = store.jobs.start(job_id, worker_id())
    if job is None:
        log.debug("job %d: nothing left to do", job_id)
        return
    if job.attempts > settings().attempts or job.interruptions > _MOST_INTERRUPTIONS:
        times = job.attempts - 1 + job.interruptions
        reason = f"reading it ended the process {times} times; it is not tried again"
        _fail(store, job, "crashed", reason)
        return
    try:
        done = index(
            store,
            job,
            encoder_for(job.recipe),
            limit_s=settings().file_limit_s,
            paths=PathMap.parse(settings().path_map),
        )
    except (AudioError, EncoderError, SoftTimeLimitExceeded, MemoryError) as error:
        _fail(store, job, *_verdict(error))
    except Exception as error:
        if _is_the_databases(error):
            raise  # becomes a StoreError at the store's door; the file is not to blame
        _unexpected(store, job, error)  # the task boundary: whatever it was becomes a row
    else:
        _finish(store, job, done)


def _is_the_databases(error: Exception) -> bool:
    """Whether a database that is away, full or busy is to blame, not what it was asked to take."""
    if isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return False
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))


def _verdict(error: Exception) -> tuple[str, str]:
    """The kind and the reason of a failure that trying again would not change."""
    if isinstance(error, AudioError):
        return error.kind, error.reason
    if isinstance(error, SoftTimeLimitExceeded):
        return "too-slow", f"it took more than {settings().file_limit_s:g} s"
    if isinstance(error, MemoryError):
        return "memory", "there was not enough memory to read it"
    return "encoder", str(error)


def _finish(store: Store, job: Job, done: Indexed) -> None:
    if done.outcome == "changed":
        reason = "the file changed while it was read"
        store.jobs.give_back(job.id, "changed", reason, BUSY_RETRY_S, excused=True)
        return
    store.jobs.finish(job.id, done.outcome)
    log.info("job %d: %s: %s", job.id, done.outcome, job.path, extra={"track": done.track_id})


def _unexpected(store: Store, job: Job, error: Exception) -> None:
    log.exception("job %d: %s", job.id, job.path)
    reason = f"unexpected {type(error).__name__}: {error}"
    if job.attempts >= settings().attempts:
        _fail(store, job, "crashed", reason)
    else:
        store.jobs.give_back(job.id, "crashed", reason, _backoff_s(job.attempts))


def _excuse(job_id: int, reason: str) -> None:
    """Give a job back that the database failed. Where it still fails, recovering does that later."""
    try:
        with open_store(_database_url()) as store:
            if store.jobs.lock(job_id):
                store.jobs.give_back(job_id, "database", reason, _backoff_s(1), excused=True)
    except StoreError:
        log.debug("job %d: left to be recovered", job_id)


def _fail(store: Store, job: Job, kind: str, reason: str) -> None:
    if kind in _KINDS_ABOUT_CONTENT:
        store.files.detach(job.file_id)
    store.jobs.fail(job.id, kind, reason)
    log.warning("job %d: failed: %s: %s", job.id, job.path, reason)


def _backoff_s(attempt: int) -> float:
    """Exponential, with jitter so that many do not come back at once."""
    longest_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(attempt, 10))
    return longest_s * random.uniform(0.5, 1.5)


def _database_url() -> str:
    url = settings().database_url
    if url is None:
        raise StoreError("this worker was started without MESS_DATABASE_URL: use `mess worker`")
    return url
