"""Nobody who asks waits for the files that are still to be heard, nor for somebody else's question."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mess_integrations.http.app import ENDPOINTS
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.config import Settings
from mess_plugin.library.index import index
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import open_store
from mess_plugin.store.files import SeenFile
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import IN_FLIGHT, send_due
from tests.event_tools import see, settings_for, write_songs
from tests.http_client import Client, Eventually, serving


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    changes = {"watch": (str(tmp_path / "music"),), "http_rate_hz": 10_000.0}
    return settings_for(tmp_path / "home", database_url, valkey_url, **changes)


@pytest.fixture
def call(settings: Settings, eventually: Eventually) -> Iterator[Client]:
    yield from serving(settings, eventually)


def test_questions_are_answered_while_thousands_of_files_wait(
    settings: Settings, tmp_path: Path, call: Client
) -> None:
    """No worker runs at all: whatever waited in a queue would never be answered."""
    known, other, unheard = write_songs(tmp_path / "music", 3)
    recipe = str(Recipe.of(settings))
    with open_store(settings.database_url or "") as store:
        encoder = load_encoder(Recipe.of(settings), settings)
        for job_id in store.jobs.enqueue(see([known, other]), recipe).job_ids:
            assert store.jobs.lock(job_id)
            job = store.jobs.start(job_id)
            assert job is not None
            store.jobs.finish(job_id, index(store, job, encoder, limit_s=None).outcome)
        for start in range(0, 2000, 1000):
            names = [f"/music/{number}.flac" for number in range(start, start + 1000)]
            store.jobs.enqueue([SeenFile(name, 1, 1) for name in names], recipe)
        assert send_due(store, JobQueue(settings)) == IN_FLIGHT
    for asked in (known, unheard):
        status, answer = call(f"/v1/similar?ref={asked}&k=1")
        assert status == 200
        assert answer["matches"]
    assert call("/v1/status")[1]["jobs"]


def test_questions_that_take_long_hold_up_neither_health_nor_webhooks(
    settings: Settings, eventually: Eventually, tmp_path: Path
) -> None:
    begun, over = threading.Semaphore(0), threading.Event()

    def slow(_service: HttpService, _call: Call) -> Reply:
        begun.release()
        over.wait(60)
        return Reply({})

    endpoints = (*ENDPOINTS, Endpoint("GET", "/v1/slow", "Takes long", slow))
    for call in serving(settings, eventually, endpoints):
        with ThreadPoolExecutor(60) as listeners:
            answers = [listeners.submit(call, "/v1/slow") for _ in range(60)]
            try:
                assert begun.acquire(timeout=30)
                assert call("/healthz")[0] == 200
                assert call("/readyz")[0] == 200
                paths = [str(tmp_path / "music" / "new.flac")]
                assert call("/webhooks/files", {"paths": paths})[0] == 202
                assert not any(answer.done() for answer in answers)
            finally:
                over.set()
            assert {answer.result()[0] for answer in answers} == {200}
