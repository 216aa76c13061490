"""A house with everything running, things that happen to its folder, and servers that are killed.

Shared by the acceptance test and the soak in `benchmarks/`.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutagen.flac
import numpy as np
import psycopg
import redis

from mess_plugin import embedded
from mess_plugin.config import Settings, load_settings
from mess_plugin.library.index import index
from mess_plugin.library.walk import Walk
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store, open_store
from tests.disasters import FakeClock, SmallDisk, jump, small_disk
from tests.event_tools import variables, write_songs

PROGRAMS = {
    "dispatch": "mess_workers.dispatcher",
    "http": "mess_integrations.http",
    "watch": "mess_workers.watch.supervisor",
    "worker": "mess_workers",
}
VICTIMS = (*PROGRAMS, "postgres", "valkey")
_TOLERANCE = 2e-3  # of a stored half-precision component


@dataclass(slots=True)
class House:
    """A home with its servers and programs, and the folder that it watches."""

    home: Path
    music: Path
    settings: Settings
    database_url: str
    broker_url: str
    clock: FakeClock
    disk: SmallDisk | None = None

    def kill(self, name: str) -> bool:
        """SIGKILL for one server or program; False where it is not running just now."""
        state = embedded.state(self.home)
        service = state.service(name) if state else None
        if service is None or service.pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(service.pid, signal.SIGKILL)
        return True

    def wipe_broker(self) -> str:
        """Everything that was sent is gone; what happened."""
        url = self.broker_url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
        with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
            client.flushall()
            return "broker wiped"
        return "broker was away"

    def freeze_postgres(self, seconds: float = 8.0) -> str:
        """The database answers nobody for a while, though its connections stay; what happened."""
        state = embedded.state(self.home)
        service = state.service("postgres") if state else None
        if service is None or service.pid is None:
            return "postgres was away"
        frozen = [pid for pid in (service.pid, *children_of(service.pid)) if stop(pid)]
        time.sleep(seconds)
        for pid in frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return f"postgres frozen for {seconds:g} s"

    def move(self, home: Path) -> str:
        """The power fails, and the home lies somewhere else when it is back; what happened."""
        pin = (self.home / "run" / "pinned.json").read_bytes()
        embedded.down(self.home)
        (self.home / "run" / "pinned.json").write_bytes(pin)
        self.home.rename(home)
        self.home = home
        with embedded.lease(home, broker=True, timeout_s=120) as held:
            self.database_url = held.endpoints.database_url
            self.broker_url = held.endpoints.broker_url or ""
        return f"home moved to {home}"

    def fill_disk(self) -> str:
        """The disk with the vectors is full from now on; what happened."""
        if self.disk is None:
            return "no disk was filled: mounting is not allowed here"
        self.disk.fill()
        return "disk filled"

    def free_disk(self, timeout_s: float = 240.0) -> str:
        """Make room there as soon as the server has missed it; what happened."""
        if self.disk is None:
            return "no disk was full"
        deadline_s = time.monotonic() + timeout_s
        while not self.disk.was_hit:
            assert time.monotonic() < deadline_s, "nothing was stored on the full disk"
            time.sleep(0.1)
        self.disk.free()
        return "disk freed"

    def jump_clocks(self, hours: float, timeout_s: float = 240.0) -> str:
        """All clocks jump, as soon as the database is there; what happened."""
        self.clock.set(hours)
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                jump(self.database_url, hours)
            except psycopg.OperationalError:
                assert time.monotonic() < deadline_s, "the database does not come back"
                time.sleep(0.2)
            else:
                return f"clocks jumped {hours:+g} h"


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    with suppress(FileNotFoundError):
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def stop(pid: int) -> bool:
    """Freeze a process; False where it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        return True
    return False


@contextmanager
def house(
    home: Path, music: Path, *, with_small_disk: bool = True, **changes: object
) -> Iterator[House]:
    """Everything that `mess up` starts, with this checkout's code.

    with_small_disk: let the vectors lie on a disk that can be filled, where one can be mounted.
    """
    settings = load_settings(
        {"MESS_HOME": str(home)},
        jobs=1, nice=0, watch=(str(music),), listen="127.0.0.1:0",
        **{"encoder": "descriptors", "settle_s": 0.3, "attempts": 5, **changes},
    )  # fmt: skip
    environment = variables(settings)
    clock = FakeClock(home.parent / "clock")
    clock.set(0)
    environment |= clock.environment
    programs = [
        embedded.Program(name, (sys.executable, "-m", module), environment, grace_s=2.0)
        for name, module in PROGRAMS.items()
    ]
    with ExitStack() as stack:
        held = embedded.lease(home, broker=True, timeout_s=120)
        with open_store(held.endpoints.database_url):
            pass
        # Left in this order: first everything goes down, then its disk.
        disk = None
        if with_small_disk:
            disk = stack.enter_context(small_disk(home, held.endpoints.database_url))
        stack.enter_context(held)
        embedded.up(home, programs, timeout_s=120)
        made = House(
            home, music, settings, held.endpoints.database_url, held.endpoints.broker_url or "",
            clock, disk,
        )  # fmt: skip
        stack.callback(lambda: embedded.down(made.home))
        yield made


@dataclass(slots=True)
class Folder:
    """What people and programs do to a folder of music, at random but repeatable."""

    music: Path
    songs: list[Path]
    rng: random.Random
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def act(self) -> str:
        """Do one thing; its name."""
        acts: list[Callable[[], str]] = [
            self._add, self._add, self._add, self._rename, self._retag, self._replace,
            self._delete, self._rename_folder, self._duplicate,
        ]  # fmt: skip
        return self.rng.choice(acts)()

    def fill(self, n_files: int) -> None:
        """So many files are there from the beginning."""
        for number in range(n_files):
            shutil.copyfile(self.songs[number % len(self.songs)], self._new_name())

    def _files(self) -> list[Path]:
        return sorted(path for path in self.music.rglob("*.flac") if path.is_file())

    def _some_file(self) -> Path | None:
        files = self._files()
        return self.rng.choice(files) if files else None

    def _new_name(self) -> Path:
        folder = self.music / f"album{self.rng.randrange(5)}"
        folder.mkdir(exist_ok=True)
        return folder / f"track {next(self._numbers):03}.flac"

    def _add(self) -> str:
        song, new = self.rng.choice(self.songs), self._new_name()
        if self.rng.random() < 0.5:
            draft = new.with_name(f".{new.name}.part")
            shutil.copyfile(song, draft)
            draft.rename(new)
            return "added at once"
        data = song.read_bytes()
        with new.open("wb", buffering=0) as file:
            for start in range(0, len(data), 1 + len(data) // 3):
                file.write(data[start : start + 1 + len(data) // 3])
                time.sleep(0.02)
        return "added in parts"

    def _rename(self) -> str:
        file = self._some_file()
        if file is not None:
            file.rename(self._new_name())
        return "renamed"

    def _rename_folder(self) -> str:
        folders = sorted(path for path in self.music.iterdir() if path.is_dir())
        if folders:
            folder = self.rng.choice(folders)
            folder.rename(self.music / f"box{next(self._numbers):03}")
        return "folder renamed"

    def _retag(self) -> str:
        file = self._some_file()
        if file is not None:
            tags = mutagen.flac.FLAC(file)  # type: ignore[no-untyped-call]
            tags["title"] = f"Title {next(self._numbers)}"
            tags["artist"] = f"Artist {self.rng.randrange(4)}"
            tags.save()
        return "retagged"

    def _replace(self) -> str:
        file = self._some_file()
        if file is not None:
            draft = file.with_name(f".{file.name}.new")
            shutil.copyfile(self.rng.choice(self.songs), draft)
            draft.replace(file)
        return "replaced"

    def _delete(self) -> str:
        file = self._some_file()
        if file is not None:
            file.unlink()
        return "deleted"

    def _duplicate(self) -> str:
        file = self._some_file()
        if file is not None:
            shutil.copyfile(file, self._new_name())
        return "duplicated"


def rampage(house: House, folder: Folder, n_acts: int, *, kill_share: float = 0.12) -> list[str]:
    """Let things happen; now and then a server or program is killed. Returns what happened.

    The disk is full at first, the broker is wiped in the middle, clocks jump and jump back, and the
    database freezes.
    """
    happened = [house.fill_disk()]
    disasters: dict[int, Callable[[], str]] = {
        n_acts // 4: house.free_disk,
        n_acts // 3: lambda: house.jump_clocks(+3.0),
        n_acts // 2: house.wipe_broker,
        n_acts * 2 // 3: lambda: house.jump_clocks(-2.0),
        n_acts * 5 // 6: house.freeze_postgres,
    }
    for number in range(n_acts):
        happened.append(folder.act())
        if folder.rng.random() < kill_share:
            victim = folder.rng.choice(VICTIMS)
            happened.append(f"killed {victim}" if house.kill(victim) else f"{victim} was away")
        if number in disasters:
            happened.append(disasters[number]())
        time.sleep(folder.rng.uniform(0.0, 0.1))
    return happened


def settled(house: House, timeout_s: float) -> None:
    """Wait until the ledger knows what the folder holds and no work is left; else fail with both."""
    deadline_s = time.monotonic() + timeout_s
    problem: object = "the database does not answer"
    while True:
        with suppress(Exception):
            with open_store(house.database_url) as store:
                problem = unsettled(store, house.music)
            if not problem:
                return
        assert time.monotonic() < deadline_s, problem
        time.sleep(0.3)


def unsettled(store: Store, music: Path) -> object:
    """What the ledger still lacks; nothing where it is in step with the folder."""
    there = {(f.path, f.size_bytes, f.mtime_ns) for f in Walk([str(music)])}
    rows = store._session.connection.execute(
        "SELECT path, size_bytes, mtime_ns FROM files WHERE missing_since IS NULL"
    ).fetchall()
    known = {(os.fsdecode(path), size, mtime) for path, size, mtime in rows}
    if there != known:
        return {"not known": there - known, "not there": known - there}
    return store._session.connection.execute(
        "SELECT j.id, j.state::text, j.attempts, j.interruptions, j.kind, j.reason, j.not_before,"
        " j.sent_at FROM jobs j JOIN files f ON f.id = j.file_id"
        " WHERE f.missing_since IS NULL AND j.state IN ('wanted', 'running')"
    ).fetchall()


def index_afresh(database_url: str, house: House) -> None:
    """The library that a single undisturbed run makes of the folder as it is now."""
    recipe = Recipe.of(house.settings)
    encoder = load_encoder(recipe, house.settings)
    with open_store(database_url) as store:
        for job_id in store.jobs.enqueue(list(Walk([str(house.music)])), str(recipe)).job_ids:
            assert store.jobs.lock(job_id)
            job = store.jobs.start(job_id)
            assert job is not None
            store.jobs.finish(job_id, index(store, job, encoder, limit_s=None).outcome)
            store.jobs.unlock(job_id)


def rows(database_url: str) -> dict[str, Any]:
    """Everything a library holds, without the numbers that depend on the order of events."""
    with psycopg.connect(database_url) as connection:
        files = connection.execute(
            "SELECT f.path, f.size_bytes, f.mtime_ns, t.identity, f.title, f.artist, f.album,"
            " f.genre, f.year, f.words FROM files f LEFT JOIN tracks t ON t.id = f.track_id"
            " ORDER BY f.path"
        ).fetchall()
        tracks = connection.execute(
            "SELECT identity, duration_s, damage FROM tracks ORDER BY identity"
        ).fetchall()
        jobs = connection.execute(
            "SELECT f.path, j.recipe, j.state::text, j.kind FROM jobs j"
            " JOIN files f ON f.id = j.file_id ORDER BY 1, 2"
        ).fetchall()
        vectors = connection.execute(
            "SELECT t.identity, e.level, e.ordinal, e.start_s, e.end_s, e.label, e.vector::text"
            " FROM embeddings e JOIN tracks t ON t.id = e.track_id"
            " JOIN spaces s ON s.id = e.space_id AND s.base_id IS NULL ORDER BY 1, 2, 3"
        ).fetchall()
    return {"files": files, "tracks": tracks, "jobs": jobs, "vectors": vectors}


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Row for row the same; vectors within half precision."""
    for name in ("files", "tracks", "jobs"):
        more, less = set(found[name]) - set(expected[name]), set(expected[name]) - set(found[name])
        assert not more, f"{name}: {more}, but afresh {less}"
        assert found[name] == expected[name], name
    assert [row[:6] for row in found["vectors"]] == [row[:6] for row in expected["vectors"]]
    for one, other in zip(found["vectors"], expected["vectors"], strict=True):
        a, b = (np.fromstring(row[6].strip("[]"), sep=",") for row in (one, other))
        np.testing.assert_allclose(a, b, atol=_TOLERANCE)


def make_songs(folder: Path, n: int) -> list[Path]:
    """Different short recordings to choose from."""
    return write_songs(folder, n)
