"""A home is moved, a network goes silent, a machine with a worker vanishes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mess_plugin.config import Settings, load_settings
from mess_plugin.embedded.binaries import valkey_server
from mess_plugin.library.walk import Walk
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import send_due
from tests.audio_files import noise, write_audio
from tests.chaos import Folder, assert_equal, house, index_afresh, make_songs, rows, settled
from tests.event_tools import kill, program, variables, write_songs
from tests.networks import SERVER, Network, network, tcp_postgres

# Sooner than the defaults, so that the tests are; the defaults are tested beside them.
_SOON = (
    "?keepalives_idle=1&keepalives_interval=1&keepalives_count=3&tcp_user_timeout=5000"
    "&options=-c%20tcp_keepalives_idle%3D1%20-c%20tcp_keepalives_interval%3D1"
    "%20-c%20tcp_keepalives_count%3D3%20-c%20tcp_user_timeout%3D5000"
)


@pytest.mark.timeout(900)
def test_a_home_that_is_moved_goes_on_at_its_new_place(tmp_path: Path, database_url: str) -> None:
    music = tmp_path / "music"
    music.mkdir()
    songs = make_songs(tmp_path / "songs", 8)
    with house(tmp_path / "home", music, with_small_disk=False) as place:
        folder = Folder(music, songs, random.Random(7))
        folder.fill(5)
        settled(place, 240)
        place.move(tmp_path / "moved")
        for _ in range(15):
            folder.act()
        settled(place, 300)
        assert not (tmp_path / "home").exists()
        with open_store(place.database_url) as store:
            store.files.forget_missing(0.0)
            store.files.forget_orphans()
        found = rows(place.database_url)
        index_afresh(database_url, place)
    assert_equal(found, rows(database_url))


@pytest.fixture
def machines() -> Iterator[Network]:
    with network() as found:
        yield found


def settings(home: Path, database_url: str, broker_url: str) -> Settings:
    """Of a worker with one process, and an encoder that needs no weights."""
    return load_settings(
        {"MESS_HOME": str(home)}, database_url=database_url, broker_url=broker_url,
        encoder="descriptors", jobs=1, nice=0, file_limit_s=120.0,
    )  # fmt: skip


@contextmanager
def servers(machines: Network, home: Path) -> Iterator[tuple[Settings, Settings]]:
    """Settings of a worker on another machine, and of one beside the servers."""
    socket = home.parent / "valkey.sock"
    with ExitStack() as stack:
        url = stack.enter_context(tcp_postgres(machines, home))
        broker = machines.start(
            machines.server, valkey_server(), "--bind", SERVER, "--protected-mode", "no",
            "--port", "6379", "--unixsocket", socket, "--dir", home.parent, "--save", "",
        )  # fmt: skip
        stack.callback(lambda: broker.communicate(timeout=30))
        stack.callback(broker.terminate)
        deadline_s = time.monotonic() + 30
        while not socket.exists():
            assert time.monotonic() < deadline_s, "the broker does not start"
            time.sleep(0.05)
        near_url = f"postgresql://mess@/mess?host={home}/run/pg"
        far = settings(home.parent / "far", url + _SOON, f"redis://{SERVER}:6379/0")
        near = settings(home.parent / "near", near_url, f"redis+socket://{socket}?virtual_host=0")
        yield far, near


def far_worker(machines: Network, settings: Settings) -> subprocess.Popen[bytes]:
    settings.home.mkdir(parents=True, exist_ok=True)
    log = (settings.home / "worker.log").open("w")
    words = [f"{name}={value}" for name, value in variables(settings).items()]
    return subprocess.Popen(
        machines.command(machines.client, "env", *words, sys.executable, "-m", "mess_workers"),
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def states(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in store.jobs.count_jobs().values():
        for state, count in counts.items():
            found[state] = found.get(state, 0) + count
    return found


def until(store: Store, settings: Settings, wanted: dict[str, int], timeout_s: float) -> None:
    """Dispatch until the ledger is in these states."""
    queue = JobQueue(settings)
    deadline_s = time.monotonic() + timeout_s
    while (found := states(store)) != wanted:
        assert time.monotonic() < deadline_s, found
        send_due(store, queue)
        time.sleep(0.2)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("vanishes", [True, False])
def test_work_goes_on_though_a_workers_machine_falls_silent(
    machines: Network, tmp_path: Path, vanishes: bool
) -> None:
    """Nobody tells the database, and yet every file is heard once, by whoever is left."""
    folder = tmp_path / "music"
    songs = write_songs(folder, 3)
    long = write_audio(folder / "a long.wav", noise(900, 24000, channels=1), 24000)
    with servers(machines, tmp_path / "server") as (far, near):  # noqa: SIM117  needs its names
        with open_store(near.database_url or "") as store:
            away = far_worker(machines, far)
            try:
                recipe = str(Recipe.of(near))
                store.jobs.enqueue(list(Walk([str(long)])), recipe)
                until(store, near, {"running": 1}, 120)
                machines.cut()
                if vanishes:
                    os.killpg(away.pid, 9)
                store.jobs.enqueue(list(Walk([str(folder)])), recipe)
                with program("mess_workers", near, tmp_path / "near.log"):
                    until(store, near, {"done": 1 + len(songs)}, 240)
                    if not vanishes:
                        machines.mend()
                        time.sleep(3)  # it may come back, and finds nothing to do
                        assert states(store) == {"done": 1 + len(songs)}
            finally:
                kill(away)
            assert store.jobs.failures() == []
            assert store.library.count()[:2] == (1 + len(songs), 1 + len(songs))
