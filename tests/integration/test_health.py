"""A background service that keeps failing or restarting is seen, and holds up nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mess_integrations.http.metrics import HttpMetrics
from mess_integrations.http.probes import BACKGROUND, probes
from mess_plugin.cli.doctor import _background
from mess_plugin.config import Settings
from mess_plugin.documents import background_problems, status_document
from mess_plugin.errors import MessError, StoreError
from mess_plugin.store import Store, open_store
from mess_plugin.store.pool import StorePool
from mess_workers import health
from mess_workers.watch.folder import WatchedFolder
from mess_workers.watch.supervisor import watch_folders
from tests.event_tools import settings_for

Eventually = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    return settings_for(
        tmp_path / "home", database_url, valkey_url, watch_by="polling", poll_s=0.2, settle_s=0.2
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings.database_url or "") as opened:
        yield opened


def test_a_service_that_keeps_failing_is_seen_with_its_last_error(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_AGAIN_S", 0.0)
    stop = threading.Event()
    errors = iter(["one", "two", "three: odd\0 bytes \udcff"])
    shown: list[list[str]] = []

    def run() -> None:
        shown.append(background_problems(store))
        try:
            raise StoreError(next(errors))
        except StopIteration:
            stop.set()

    health.keep_running("dispatcher", settings, stop, run)
    assert shown[:3] == [[], [], []], "a failure or two is no more than a server that restarts"
    (problem,) = shown[3]
    assert "the dispatcher on " in problem
    assert "failed 3 times, last with: three: odd" in problem
    assert background_problems(store) == [], "it ended in order"


def test_where_it_is_seen(settings: Settings, store: Store) -> None:
    for _ in range(3):
        health.report_failure("watcher", settings, StoreError("no more inodes"))
    assert "no more inodes" in str(status_document(store, settings)["problems"])
    (check,) = _background(settings)
    assert (check.ok, "no more inodes" in check.detail) == (False, True)
    with closing(StorePool(settings.database_url or "", most=2)) as stores:
        said = probes(stores, settings.broker_url or "")[BACKGROUND]._check()
        assert "no more inodes" in (said or "")
        text = HttpMetrics(stores).text()
    assert 'service="watcher"} 1.0' in text
    assert "mess_service_failing" in text


def test_a_service_that_keeps_restarting_is_seen(settings: Settings, store: Store) -> None:
    for _ in range(5):
        with health.reported("worker", settings):
            pass
    assert background_problems(store) == [], "each ended in order"
    for _ in range(2):
        with pytest.raises(SystemExit), health.reported("worker", settings):
            raise SystemExit(0)
    assert background_problems(store) == []
    for _ in range(4):
        store.health.started("worker", "there")  # and it is killed
    (problem,) = background_problems(store)
    assert problem == "the worker on there restarted 4 times"
    with pytest.raises(ZeroDivisionError), health.reported("worker", settings):
        _ = 1 / 0
    last = {one.host: one.last_error for one in store.health.all()}
    assert "ZeroDivisionError: division by zero" in str(last)


def test_a_root_that_cannot_be_watched_holds_up_no_other(
    settings: Settings,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
    tick, is_odd = WatchedFolder.tick, threading.Event()
    is_odd.set()

    def odd_tick(self: WatchedFolder, now_s: float) -> None:
        if self.root == str(bad) and is_odd.is_set():
            raise MessError("something that nobody thought of")
        tick(self, now_s)

    monkeypatch.setattr(WatchedFolder, "tick", odd_tick)
    stop = threading.Event()

    def states() -> dict[str, str]:
        return {Path(root.path).name: root.state for root in store.roots.all()}

    with open_store(settings.database_url or "") as watchers:
        watch = threading.Thread(
            target=watch_folders, args=(watchers, settings, [str(good), str(bad)], stop)
        )
        watch.start()
        try:
            eventually(lambda: states() == {"good": "watched", "bad": "failing"})
            (problem,) = background_problems(store)
            assert problem == f"{bad} cannot be watched: something that nobody thought of"
            (good / "a.flac").write_bytes(b"a")
            eventually(lambda: len(store.files.known_paths([str(good)])) == 1)
            is_odd.clear()
            eventually(lambda: states() == {"good": "watched", "bad": "watched"}, 60)
            assert background_problems(store) == []
        finally:
            stop.set()
            watch.join(30)
    assert not watch.is_alive()
