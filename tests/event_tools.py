"""What the tests of the event pipeline share: settings, small files, workers, and a look inside."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import redis

from mess_plugin.config import Settings, load_settings
from mess_plugin.library.walk import Walk
from mess_plugin.services import environment
from mess_plugin.store.files import SeenFile
from tests.audio_files import music, write_audio

CHECKOUT = Path(__file__).resolve().parent.parent
_numbers = itertools.count(1)


def settings_for(home: Path, database_url: str, valkey_url: str, **changes: object) -> Settings:
    """Settings with a broker database of the test's own, empty."""
    broker_url = valkey_url.replace("virtual_host=0", f"virtual_host={next(_numbers) % 15 + 1}")
    plain = load_settings({"MESS_HOME": str(home)})
    settings = msgspec.structs.replace(
        plain,
        database_url=database_url,
        broker_url=broker_url,
        encoder="descriptors",
        jobs=1,
        nice=0,
        **changes,
    )
    broker(settings).flushdb()
    return settings


def broker(settings: Settings) -> redis.Redis:
    """A plain client of the broker."""
    url = (settings.broker_url or "").replace("redis+socket://", "unix://")
    return redis.Redis.from_url(url.replace("virtual_host=", "db="))


def write_songs(folder: Path, n: int, *, first_seed: int = 0) -> list[Path]:
    """n short, different recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_audio(folder / f"song{seed:03}.flac", music(6.0, 22050, channels=1, seed=seed), 22050)
        for seed in range(first_seed, first_seed + n)
    ]


def see(paths: Sequence[Path]) -> list[SeenFile]:
    """Files as a walk sees them."""
    return list(Walk([str(path) for path in paths]))


def variables(settings: Settings) -> dict[str, str]:
    """The environment of a program under test: this checkout, one thread, these settings."""
    paths = [str(CHECKOUT), str(CHECKOUT / "workers"), str(CHECKOUT / "integrations")]
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
        **environment(settings),
    }


@contextmanager
def program(
    module: str, settings: Settings, log: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A background program in its own process group, ended with all its children."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=variables(settings),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a program and its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
